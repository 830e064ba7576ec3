from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from synnefo.common.commands import Field, ListCommand
from synnefo.cyclades.models.networks import Subnet


class Command(ListCommand):
    help = "List subnets."
    kind = "subnet"
    user_field = "user_id"
    deleted_field = "deleted"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "network": Field("network_id", "Its network"),
        "name": Field("name", "Name"),
        "user.uuid": Field("user_id", "Owner"),
        "cidr": Field("cidr", "Range"),
        "ipversion": Field("ip_version", "4 or 6"),
        "gateway": Field("gateway", "Gateway"),
        "dhcp": Field("dhcp", "Whether DHCP or SLAAC is served"),
        "public": Field("public", "Whether its network is public"),
        "created": Field("created_at", "Creation time"),
        "deleted": Field("deleted", "Whether it is deleted"),
    }
    default_fields: ClassVar[Sequence[str]] = (
        "id", "network", "name", "user.uuid", "cidr", "ipversion", "gateway", "dhcp", "public")

    def add_list_arguments(self, parser: CommandParser) -> None:
        version = parser.add_mutually_exclusive_group()
        version.add_argument("--ipv4", action="store_true", help="Only IPv4 subnets.")
        version.add_argument("--ipv6", action="store_true", help="Only IPv6 subnets.")
        parser.add_argument("--dhcp", action="store_true", help="Only those with DHCP or SLAAC.")
        parser.add_argument("--public", action="store_true", help="Only those of public networks.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        rows = Subnet.objects.all()
        if options["ipv4"] or options["ipv6"]:
            rows = rows.filter(ip_version=4 if options["ipv4"] else 6)
        for name in ("dhcp", "public"):
            rows = rows.filter(**{name: True}) if options[name] else rows
        return rows
