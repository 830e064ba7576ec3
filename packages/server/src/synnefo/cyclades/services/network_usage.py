"""How many addresses of networks are in use."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, Q

from synnefo.common.errors import NotFound
from synnefo.common.ports import Caller
from synnefo.cyclades.models.networks import Network, Subnet
from synnefo.cyclades.services import network_policy

BOTH = frozenset({4, 6})

def availabilities(caller: Caller, *, ip_versions: frozenset[int] = BOTH) -> list[dict[str, Any]]:
    """For the caller's own and the public networks. Three queries, whatever their number."""
    return [_of_network(network) for network in _rows(caller, ip_versions).order_by("id")]


def availability(caller: Caller, network_id: int) -> dict[str, Any]:
    """Raises `NotFound`."""
    network = _rows(caller, BOTH).filter(pk=network_id).first()
    if network is None:
        raise NotFound(f"Network {network_id} was not found.")
    return _of_network(network)


def _rows(caller: Caller, ip_versions: frozenset[int]) -> Any:
    wanted = Subnet.objects.filter(deleted=False, ip_version__in=ip_versions).order_by("id").prefetch_related("pools")
    live = Prefetch("subnets", queryset=wanted)
    rows = network_policy.visible_networks(caller).filter(Q(user_id=caller.user_id) | Q(public=True))
    return rows.prefetch_related(live)


def counts(subnet: Subnet) -> tuple[int, int]:
    """Addresses that can be given out in all, and those in use; outside reservations count in neither."""
    total = used = 0
    for pool in subnet.pools.all():
        used += pool.taken_bits.bit_count()
        total += pool.size - (pool.reserved_bits & ~pool.taken_bits).bit_count()
    return total, used


def _of_network(network: Network) -> dict[str, Any]:
    per_subnet = [(subnet, *counts(subnet)) for subnet in network.subnets.all()]
    return {
        "id": str(network.pk), "network_id": str(network.pk), "network_name": network.name,
        "tenant_id": network.project_id, "project_id": network.project_id,
        "total_ips": sum(total for _, total, _ in per_subnet), "used_ips": sum(used for _, _, used in per_subnet),
        "subnet_ip_availability": [
            {"subnet_id": str(subnet.pk), "subnet_name": subnet.name, "ip_version": subnet.ip_version, "cidr": subnet.cidr,
             "total_ips": total, "used_ips": used}
            for subnet, total, used in per_subnet
        ],
    }
