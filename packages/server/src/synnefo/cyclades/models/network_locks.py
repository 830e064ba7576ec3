"""Row locks of the network service. Global order: server, network, subnet, pools by id, address, port; then by key.

All of these require an open transaction. On SQLite they are plain reads: an immediate transaction already excludes
every other writer.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from synnefo.common.db import supports_row_locks
from synnefo.common.errors import NoCapacity, NotFound
from synnefo.cyclades.models.networks import IPAddress, Network, Port
from synnefo.cyclades.models.pools import AddressPool, ValuePool


def lock_network(network_id: int) -> Network:
    """Raises `NotFound`. Deleted networks are returned too."""
    network = Network.objects.select_for_update(no_key=True).filter(pk=network_id).first()
    if network is None:
        raise NotFound(f"Network {network_id} was not found.")
    return network


def lock_networks(network_ids: Iterable[int]) -> dict[int, Network]:
    """Those that exist, locked in id order."""
    rows = Network.objects.select_for_update(no_key=True).filter(pk__in=set(network_ids)).order_by("id")
    return {network.pk: network for network in rows}


def lock_value_pool(kind: str) -> ValuePool:
    """Raises `NoCapacity` when the operator has not created the pool."""
    pool = ValuePool.objects.select_for_update().filter(kind=kind).first()
    if pool is None:
        raise NoCapacity(f"No {kind} is available: the operator has not created a {kind} pool.", kind=kind)
    return pool


def lock_address_pools(network: Network) -> list[AddressPool]:
    """A network's pools in id order."""
    pools = AddressPool.objects.select_for_update(of=("self",)).select_related("subnet")
    return list(pools.filter(subnet__network=network, subnet__deleted=False).order_by("id"))


def lock_addresses_of(port: Port) -> list[IPAddress]:
    return list(IPAddress.objects.select_for_update(of=("self",)).filter(port=port, deleted=False).order_by("id"))


def lock_port(port_id: int) -> Port | None:
    return Port.objects.select_for_update(of=("self",)).filter(pk=port_id).first()


def skip_locked(rows: QuerySet[IPAddress]) -> QuerySet[IPAddress]:
    """Lock rows, passing over those that another transaction holds."""
    return rows.select_for_update(of=("self",), skip_locked=True) if supports_row_locks() else rows
