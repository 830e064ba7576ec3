"""Taking values from pools and giving them back, and the operator's commands on pools.

Every change happens under a row lock on the pool, in the same transaction as the object that uses the value. Functions
that take a `pool` require it locked (see `models.network_locks`) and save it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from django.db import IntegrityError, transaction

from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, InvalidInput, NoCapacity, NotFound, StateConflict
from synnefo.cyclades import bitmaps, macs
from synnefo.cyclades.models.network_locks import lock_value_pool
from synnefo.cyclades.models.pools import AddressPool, Pool, ValuePool

MAX_POOL_SIZE = 1 << 20


class PoolEmpty(NoCapacity):
    """No value is free."""


class ValueNotInPool(InvalidInput):
    """The pool has no such value."""


class ValueTaken(StateConflict):
    """The value is in use or reserved."""


def take_lowest(pool: Pool) -> str:
    """Take the lowest free value. Raises `PoolEmpty`."""
    index = bitmaps.lowest_absent(pool.taken_bits | pool.reserved_bits, pool.size)
    if index is None:
        raise PoolEmpty("No free value is left in the pool. The operator has to enlarge it.", pool=pool.pk)
    _mark_taken(pool, index)
    return pool.value_of(index)


def take(pool: Pool, value: str) -> str:
    """Take this very value. Raises `ValueNotInPool`, `ValueTaken`."""
    index = _index(pool, value)
    if (pool.taken_bits | pool.reserved_bits) >> index & 1:
        raise ValueTaken(f"{value} is in use or reserved.")
    _mark_taken(pool, index)
    return value


def put(pool: Pool, value: str) -> None:
    """Give a taken value back; an outside reservation of it stays. Repeating is safe."""
    index = _index(pool, value)
    pool.taken_bits &= ~(1 << index)
    pool.save(update_fields=["taken"])


def reserve(pool: Pool, values: Iterable[str]) -> None:
    """Keep values for somebody outside, whether or not they are in use here."""
    pool.reserved_bits |= bitmaps.of_members(_index(pool, value) for value in values)
    pool.save(update_fields=["reserved"])


def unreserve(pool: Pool, values: Iterable[str]) -> None:
    """End outside reservations; values in use here stay in use."""
    pool.reserved_bits &= ~bitmaps.of_members(_index(pool, value) for value in values)
    pool.save(update_fields=["reserved"])


def is_available(pool: Pool, value: str) -> bool:
    return not (pool.taken_bits | pool.reserved_bits) >> _index(pool, value) & 1


def is_reserved(pool: Pool, value: str) -> bool:
    return bool(pool.reserved_bits >> _index(pool, value) & 1)


def resize(pool: Pool, size: int) -> None:
    """Extend with free values, or cut from the end. Raises `StateConflict` when a cut value is in use."""
    check_size(size)
    if pool.taken_bits >> size:
        raise StateConflict("A value that would be cut off is in use.", pool=pool.pk)
    pool.size = size
    pool.reserved_bits &= bitmaps.full(size)
    pool.save(update_fields=["size", "taken", "reserved"])


def check_size(size: int) -> None:
    if not 0 <= size <= MAX_POOL_SIZE:
        raise InvalidInput(f"A pool's size is between 0 and {MAX_POOL_SIZE}.", field="size")


@transactional()
def create_value_pool(kind: str, *, size: int, base: str | None = None, offset: int = 0) -> ValuePool:
    """Create the one pool of this kind. Raises `InvalidInput`, `AlreadyExists`."""
    check_size(size)
    pool = ValuePool(kind=kind, size=size, base=_checked_base(kind, base, size), offset=offset)
    pool.reserved_bits = _unusable_prefixes(pool) if kind == ValuePool.MAC_PREFIX else 0
    try:
        with transaction.atomic():
            pool.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyExists(f"There is a {kind} pool already. Change it with pool-modify.") from error
    return pool


def find_value_pool(kind: str, pool_id: int) -> ValuePool:
    """Raises `NotFound`."""
    pool = ValuePool.objects.filter(kind=kind, pk=pool_id).first()
    if pool is None:
        raise NotFound(f"There is no {kind} pool {pool_id}.")
    return pool


@transactional()
def modify_value_pool(
    kind: str, pool_id: int, *, size: int | None = None, base: str | None = None, offset: int | None = None,
    add_reserved: Iterable[str] = (), remove_reserved: Iterable[str] = (),
) -> ValuePool:
    """Raises `NotFound`, `InvalidInput`, and `StateConflict` when values in use would change or vanish."""
    find_value_pool(kind, pool_id)
    pool = lock_value_pool(kind)
    if size is not None:
        _resize_value_pool(pool, size)
    if base is not None and base != pool.base:
        _rebase(pool, base)
    if offset is not None:
        pool.offset = offset
    reserve(pool, add_reserved)
    unreserve(pool, remove_reserved)
    pool.save()
    return pool


def _resize_value_pool(pool: ValuePool, size: int) -> None:
    old_size = pool.size
    _checked_base(pool.kind, pool.base, size)
    resize(pool, size)
    if pool.kind == ValuePool.MAC_PREFIX and size > old_size:
        pool.reserved_bits |= _unusable_prefixes(pool) & ~bitmaps.full(old_size)


def _rebase(pool: ValuePool, base: str) -> None:
    if pool.taken_bits:
        raise StateConflict("The base cannot change while values are in use.", pool=pool.pk)
    pool.base = _checked_base(pool.kind, base, pool.size)
    if pool.kind == ValuePool.MAC_PREFIX:
        pool.reserved_bits = _unusable_prefixes(pool)


@transactional()
def remove_value_pool(kind: str, pool_id: int) -> None:
    """Raises `NotFound`, and `StateConflict` while values are in use."""
    find_value_pool(kind, pool_id)
    pool = lock_value_pool(kind)
    if pool.taken_bits:
        raise StateConflict("The pool's values are in use.", pool=pool.pk)
    pool.delete()


def new_address_pool(subnet_cidr: ipaddress.IPv4Network, first: int, last: int, gateway: str | None) -> AddressPool:
    """An unsaved pool over the addresses first..last (as integers), edge and gateway addresses reserved."""
    network = int(subnet_cidr.network_address)
    pool = AddressPool(offset=first - network, size=last - first + 1)
    kept = {network, int(subnet_cidr.broadcast_address)} | ({int(ipaddress.IPv4Address(gateway))} if gateway else set())
    pool.reserved_bits = bitmaps.of_members(value - first for value in kept if first <= value <= last)
    return pool


def _index(pool: Pool, value: str) -> int:
    index = pool.index_of(value)
    if index is None:
        raise ValueNotInPool(f"{value} is not in the pool.")
    return index


def _mark_taken(pool: Pool, index: int) -> None:
    pool.taken_bits |= 1 << index
    pool.save(update_fields=["taken"])


def _checked_base(kind: str, base: str | None, size: int) -> str:
    if kind == ValuePool.BRIDGE:
        if not base:
            raise InvalidInput("A bridge pool needs a base, for example prv.", field="base")
        if len(f"{base}{size}") > macs.MAX_LINK_LENGTH:
            raise InvalidInput(f"Bridge names may have {macs.MAX_LINK_LENGTH} characters at most.", field="base")
        return base
    prefix = macs.checked_prefix(base or "aa:00:0", any_kind=True)
    if macs.prefix_number(prefix) + size > 1 << 20:
        raise InvalidInput("The pool would run past the last MAC prefix, ff:ff:f.", field="size")
    return prefix


def _unusable_prefixes(pool: ValuePool) -> int:
    """The first prefix (shared by networks without their own) and those that are not unicast and locally administered."""
    base = macs.prefix_number(pool.base)
    bad = (index for index in range(pool.size) if (base + index >> 12) & 0x03 != 0x02)
    return bitmaps.of_members(bad) | (1 if pool.size else 0)
