"""Compares the pools' maps with the objects that use their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import transaction

from synnefo.cyclades import bitmaps
from synnefo.cyclades.models.network_locks import lock_address_pools, lock_network
from synnefo.cyclades.models.networks import IPAddress, Network, Subnet
from synnefo.cyclades.models.pools import Pool, ValuePool

_COLUMNS = {ValuePool.BRIDGE: ("link", "link_is_pooled"), ValuePool.MAC_PREFIX: ("mac_prefix", "mac_prefix_is_pooled")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `is_fixable` says whether rewriting the map mends it."""

    text: str
    is_fixable: bool


def reconcile_pools(*, fix: bool) -> list[Finding]:
    """Check every pool, and with `fix` rewrite the maps that are wrong; outside reservations are left alone.

    Each pool is locked while it is compared. Nothing is ever done about a value that two objects use.
    """
    findings: list[Finding] = []
    for kind in _COLUMNS:
        with transaction.atomic():
            findings += _check_value_pool(kind, fix=fix)
    for network_id in _networks_with_ipv4():
        with transaction.atomic():
            findings += _check_network(network_id, fix=fix)
    return findings


def _networks_with_ipv4() -> list[int]:
    rows = Subnet.objects.filter(deleted=False, ip_version=4, network__deleted=False)
    return list(rows.order_by("network_id").values_list("network_id", flat=True))


def _check_value_pool(kind: str, *, fix: bool) -> Iterator[Finding]:
    pool = ValuePool.objects.select_for_update().filter(kind=kind).first()
    column, is_pooled = _COLUMNS[kind]
    values = list(Network.objects.filter(deleted=False, **{is_pooled: True}).values_list(column, flat=True))
    if pool is None:
        if values:
            yield Finding(f"{kind}: networks use {len(values)} values, but there is no pool", is_fixable=False)
        return
    yield from _compare(f"{kind} pool {pool.pk}", [pool], values, fix=fix)


def _check_network(network_id: int, *, fix: bool) -> Iterator[Finding]:
    network = lock_network(network_id)
    rows = lock_address_pools(network)
    values = IPAddress.objects.filter(network=network, ip_version=4, deleted=False).values_list("address", flat=True)
    yield from _compare(f"network {network_id}", rows, list(values), fix=fix)


def _compare(what: str, rows: Iterable[Pool], values: list[str], *, fix: bool) -> Iterator[Finding]:
    for value, count in sorted(Counter(values).items()):
        if count > 1:
            yield Finding(f"{what}: {value} is used by {count} objects", is_fixable=False)
    homeless = set(values)
    for pool in rows:
        indexes = {value: index for value in homeless if (index := pool.index_of(value)) is not None}
        homeless -= set(indexes)
        yield from _compare_map(what, pool, bitmaps.of_members(indexes.values()), fix=fix)
    for value in sorted(homeless):
        yield Finding(f"{what}: {value} is in use but in no pool", is_fixable=False)


def _compare_map(what: str, pool: Pool, expected: int, *, fix: bool) -> Iterator[Finding]:
    wrong = pool.taken_bits ^ expected
    for index in bitmaps.members_of(wrong):
        is_used = bool(expected >> index & 1)
        shown, should = ("available", "unavailable") if is_used else ("unavailable", "available")
        yield Finding(f"{what}: {pool.value_of(index)} is {shown} but should be {should}", is_fixable=True)
    if wrong and fix:
        pool.taken_bits = expected
        pool.save(update_fields=["taken"])
