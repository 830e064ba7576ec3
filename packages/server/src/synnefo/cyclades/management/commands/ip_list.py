from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from synnefo.common.commands import Field, ListCommand, object_id
from synnefo.cyclades.models.networks import IPHistory


class Command(ListCommand):
    help = "List which user's server had which public address when."
    kind = "address record"
    user_field = "user_id"
    fields: ClassVar[dict[str, Field]] = {
        "address": Field("address", "Address"),
        "user": Field("user_id", "Owner at that time"),
        "server": Field("server_id", "Server"),
        "network": Field("network_id", "Network"),
        "action": Field("action", "associate or disassociate"),
        "date": Field("action_date", "When"),
        "reason": Field("action_reason", "Why"),
    }
    default_fields: ClassVar[Sequence[str]] = ("address", "user", "server", "network", "action", "date")

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--address", help="Only this address.")
        parser.add_argument("--server", type=object_id("server"), help="Only this server.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        rows = IPHistory.objects.order_by("action_date", "id")
        rows = rows.filter(address=options["address"]) if options["address"] else rows
        return rows.filter(server_id=options["server"]) if options["server"] is not None else rows
