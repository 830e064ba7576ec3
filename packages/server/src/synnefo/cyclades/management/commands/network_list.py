from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import Count, QuerySet

from synnefo.common.commands import Field, ListCommand
from synnefo.cyclades.management.network_output import live_subnet
from synnefo.cyclades.models.networks import Network


def _of_subnet(version: int, attribute: str) -> Any:
    return lambda network: getattr(live_subnet(network, version), attribute, None)


class Command(ListCommand):
    help = "List networks."
    kind = "network"
    user_field = "user_id"
    project_field = "project_id"
    deleted_field = "deleted"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "name": Field("name", "Name"),
        "user.uuid": Field("user_id", "Owner"),
        "project": Field("project_id", "Project that is charged"),
        "public": Field("public", "Whether it is public"),
        "flavor": Field("flavor", "Type"),
        "state": Field("state", "State"),
        "subnets": Field(lambda network: [subnet.pk for subnet in network.subnets.all() if not subnet.deleted],
                         "Identifiers of its subnets"),
        "subnet.ipv4": Field(_of_subnet(4, "cidr"), "IPv4 range"),
        "gateway.ipv4": Field(_of_subnet(4, "gateway"), "IPv4 gateway"),
        "subnet.ipv6": Field(_of_subnet(6, "cidr"), "IPv6 range"),
        "gateway.ipv6": Field(_of_subnet(6, "gateway"), "IPv6 gateway"),
        "created": Field("created_at", "Creation time"),
        "updated": Field("updated_at", "Time of the last change"),
        "deleted": Field("deleted", "Whether it is deleted"),
        "mode": Field("mode", "bridged or routed"),
        "link": Field("link", "Bridge or routing table"),
        "mac_prefix": Field("mac_prefix", "MAC prefix"),
        "drained": Field("drained", "Whether it gives out no addresses"),
        "vms": Field("server_count", "Number of connected servers"),
        "backends": Field("backend_count", "Number of backends it is present in"),
        "floating_ip_pool": Field("floating_ip_pool", "Whether users may reserve its addresses"),
    }
    default_fields: ClassVar[Sequence[str]] = (
        "id", "name", "user.uuid", "state", "public", "subnet.ipv4", "gateway.ipv4", "link", "mac_prefix", "drained",
        "floating_ip_pool",
    )

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--public", action="store_true", help="Only public networks.")
        parser.add_argument("--ipv6", action="store_true", help="Show IPv6 ranges and gateways too.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        rows = Network.objects.prefetch_related("subnets").annotate(
            server_count=Count("ports__server", distinct=True), backend_count=Count("backend_networks", distinct=True))
        return rows.filter(public=True) if options["public"] else rows

    def _columns(self, options: Mapping[str, Any]) -> list[str]:
        names = super()._columns(options)
        return [*names, "subnet.ipv6", "gateway.ipv6"] if options["ipv6"] and not options["output"] else names
