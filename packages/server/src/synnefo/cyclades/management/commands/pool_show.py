from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from synnefo.common.commands import Field, ShowCommand, object_id
from synnefo.cyclades.management.network_output import map_lines
from synnefo.cyclades.models.pools import ValuePool
from synnefo.cyclades.services.pools import find_value_pool

WIDTHS = {ValuePool.BRIDGE: 64, ValuePool.MAC_PREFIX: 80}


class Command(ShowCommand):
    help = "Show a pool of bridges or MAC prefixes with its maps: `.` is free, `X` is not."
    kind = "pool"
    argument_type = staticmethod(object_id("pool"))
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "base": Field("base", "What names start with"),
        "offset": Field("offset", "Added to a bridge's number to give its VLAN id"),
        "size": Field("size", "Number of values"),
        "available": Field("count_free", "Values that are free"),
        "reserved": Field("count_reserved", "Values kept out of use"),
    }

    def add_show_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--type", required=True, choices=[kind for kind, _ in ValuePool.KINDS], help="Kind of values.")

    def find(self, key: Any, options: Mapping[str, Any]) -> ValuePool:
        return find_value_pool(options["type"], key)

    def sections(
        self, found: Any, options: Mapping[str, Any]
    ) -> list[tuple[str, Sequence[str], Iterable[Sequence[Any]]]]:
        width, headers = WIDTHS[found.kind], ("First", "Map", "Last")
        return [("Available", headers, map_lines(found, found.taken_bits, width)),
                ("Reserved", headers, map_lines(found, found.reserved_bits, width))]
