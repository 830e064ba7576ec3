"""What several network commands print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synnefo.cyclades import bitmaps
from synnefo.cyclades.models.networks import IPAddress, Network, Port, Subnet
from synnefo.cyclades.models.pools import Pool

SUBNET_HEADERS = ("ID", "Name", "Version", "CIDR", "Gateway", "DHCP", "Deleted")


def live_subnet(network: Network, version: int) -> Subnet | None:
    """Of the prefetched ones."""
    return next((row for row in network.subnets.all() if row.ip_version == version and not row.deleted), None)


def subnet_rows(network: Network) -> list[Sequence[Any]]:
    rows = network.subnets.order_by("id")
    return [(row.pk, row.name, row.ip_version, row.cidr, row.gateway, row.dhcp, row.deleted) for row in rows]


def fixed_ips(port: Port) -> str:
    """Addresses of a port with `addresses` prefetched."""
    return ", ".join(row.address for row in port.addresses.all() if not row.deleted)


def map_lines(pool: Pool, bits: int, width: int) -> list[Sequence[str]]:
    """A pool's map in rows of `width`, each with its first and last value."""
    picture = bitmaps.picture(bits, pool.size)
    return [
        (pool.value_of(start), picture[start:start + width], pool.value_of(min(start + width, pool.size) - 1))
        for start in range(0, pool.size, width)
    ]


def floating_ip_values(row: IPAddress) -> dict[str, Any]:
    return {
        "id": row.pk, "address": row.address, "network": row.network_id, "user": row.user_id, "project": row.project_id,
        "port": row.port_id, "server": row.port.server_id if row.port else None, "created": row.created_at,
        "deleted": row.deleted,
    }
