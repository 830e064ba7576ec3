from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from synnefo.common.commands import Field, ListCommand, object_id
from synnefo.cyclades.management.network_output import fixed_ips
from synnefo.cyclades.models.networks import Port


class Command(ListCommand):
    help = "List ports."
    kind = "port"
    user_field = "user_id"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "name": Field("name", "Name"),
        "user.uuid": Field("user_id", "Owner"),
        "mac_address": Field("mac", "MAC address"),
        "server_id": Field("server_id", "Its server"),
        "network": Field("network_id", "Its network"),
        "fixed_ips": Field(fixed_ips, "Its addresses"),
        "state": Field("state", "State"),
        "device_owner": Field("device_owner", "Kind of device"),
        "created": Field("created_at", "Creation time"),
        "updated": Field("updated_at", "Time of the last change"),
    }
    default_fields: ClassVar[Sequence[str]] = (
        "id", "name", "user.uuid", "mac_address", "network", "server_id", "fixed_ips", "state")

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--public", action="store_true", help="Only ports on public networks.")
        parser.add_argument("--server", type=object_id("server"), help="Only ports of this server.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        rows = Port.objects.prefetch_related("addresses")
        rows = rows.filter(public=True) if options["public"] else rows
        return rows.filter(server=options["server"]) if options["server"] is not None else rows
