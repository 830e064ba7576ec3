from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from synnefo.common.commands import Field, ShowCommand, object_id
from synnefo.cyclades import bitmaps
from synnefo.cyclades.management.network_output import map_lines
from synnefo.cyclades.models.networks import Subnet
from synnefo.cyclades.services.subnets import find_subnet

MAP_WIDTH = 80


class Command(ShowCommand):
    help = "Show a subnet with the maps of its address pools."
    kind = "subnet"
    argument_type = staticmethod(object_id("subnet"))
    fields: ClassVar[dict[str, Field]] = {
        "ID": Field("id", "Identifier"),
        "Network_ID": Field("network_id", "Its network"),
        "User_ID": Field("user_id", "Owner"),
        "Name": Field("name", "Name"),
        "IP_Version": Field("ip_version", "4 or 6"),
        "CIDR": Field("cidr", "Range"),
        "Gateway": Field("gateway", "Gateway"),
        "Public": Field("public", "Whether its network is public"),
        "DHCP/SLAAC": Field("dhcp", "Whether addresses are announced"),
        "Host_Routes": Field("host_routes", "Routes for its servers"),
        "DNS_Nameservers": Field("dns_nameservers", "Name servers for its servers"),
    }

    def find(self, key: Any, options: Mapping[str, Any]) -> Subnet:
        return find_subnet(key)

    def sections(
        self, found: Any, options: Mapping[str, Any]
    ) -> list[tuple[str, Sequence[str], Iterable[Sequence[Any]]]]:
        parts: list[tuple[str, Sequence[str], Iterable[Sequence[Any]]]] = []
        for pool in found.pools.order_by("id"):
            used = pool.taken_bits | pool.reserved_bits
            reserved = ", ".join(pool.value_of(index) for index in bitmaps.members_of(pool.reserved_bits))
            summary = [(str(pool.first), str(pool.last), pool.size, pool.count_free, pool.count_reserved, reserved)]
            headers = ("First_IP", "Last_IP", "Size", "Available", "Reserved", "Externally reserved")
            parts.append((f"IP pool {pool.pk}", headers, summary))
            parts.append((f"Map of pool {pool.pk}", ("First", "Map", "Last"), map_lines(pool, used, MAP_WIDTH)))
        return parts
