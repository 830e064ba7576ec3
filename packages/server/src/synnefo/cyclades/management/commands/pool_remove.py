from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import RemoveCommand, object_id
from synnefo.cyclades.models.pools import ValuePool
from synnefo.cyclades.services.pools import remove_value_pool


class Command(RemoveCommand):
    help = "Remove pools of bridges or MAC prefixes of which nothing is in use."
    kind = "pool"
    argument_type = staticmethod(object_id("pool"))

    def add_remove_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--type", required=True, choices=[kind for kind, _ in ValuePool.KINDS], help="Kind of values.")

    def remove(self, key: Any, options: Mapping[str, Any]) -> None:
        remove_value_pool(options["type"], key)
