from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from synnefo.common.commands import Field, ListCommand
from synnefo.cyclades.models.pools import ValuePool


class Command(ListCommand):
    help = "List the pools of bridges and MAC prefixes."
    kind = "pool"
    fields: ClassVar[dict[str, Field]] = {
        "type": Field("kind", "Kind of values"),
        "id": Field("id", "Identifier"),
        "size": Field("size", "Number of values"),
        "base": Field("base", "What names start with"),
        "offset": Field("offset", "Added to a bridge's number to give its VLAN id"),
        "available": Field("count_free", "Values that are free"),
        "reserved": Field("count_reserved", "Values kept out of use"),
    }
    default_fields: ClassVar[Sequence[str]] = ("type", "id", "size", "base", "offset", "available", "reserved")

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--type", choices=[kind for kind, _ in ValuePool.KINDS], help="Only this kind.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        rows = ValuePool.objects.all()
        return rows.filter(kind=options["type"]) if options["type"] else rows
