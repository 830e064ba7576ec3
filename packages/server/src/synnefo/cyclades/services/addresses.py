"""Giving out IP addresses and taking them back.

The functions here run inside the caller's transaction. Those that take a `network` need its row locked; pools are
locked here, in id order, and addresses after them.
"""

from __future__ import annotations

import ipaddress

import structlog
from django.db import IntegrityError, transaction

from synnefo.common.errors import InvalidInput, StateConflict
from synnefo.cyclades import macs
from synnefo.cyclades.models.network_locks import lock_address_pools, lock_addresses_of, lock_network
from synnefo.cyclades.models.networks import IPAddress, IPHistory, Network, Port, Subnet
from synnefo.cyclades.models.pools import AddressPool
from synnefo.cyclades.services import ip_history, pools

log = structlog.get_logger(__name__)


class AddressesExhausted(StateConflict):
    """Every pool of the network, or of all public networks, is full."""


class NoIPv4Subnet(InvalidInput):
    """The network has no IPv4 subnet."""


def checked_ipv4(text: object, *, field: str) -> str:
    """The canonical form of an IPv4 address. Raises `InvalidInput`."""
    if not isinstance(text, str):
        raise InvalidInput(f"{field} must be an IPv4 address.", field=field)
    try:
        return str(ipaddress.IPv4Address(text.strip()))
    except ValueError as error:
        raise InvalidInput(f"{text[:64]!r} is not an IPv4 address.", field=field) from error


def check_usable(network: Network) -> None:
    """Raises `StateConflict` when nothing new may be put on the network."""
    if network.is_being_destroyed or network.deleted:
        raise StateConflict(f"Network {network.pk} is being deleted.")
    if network.state != Network.ACTIVE:
        raise StateConflict(f"Network {network.pk} is not active.")
    if network.drained:
        raise StateConflict(f"Network {network.pk} is drained: it gives out no new addresses.")


def allocate_ipv4(
    network: Network, *, user_id: str, address: str | None = None, project_id: str | None = None,
    floating_ip: bool = False, shared: bool = False,
) -> IPAddress:
    """Take the named address, or the lowest free one, and store it without a port.

    Raises `StateConflict` (drained, being deleted, taken), `AddressesExhausted`, `NoIPv4Subnet`, `InvalidInput` (no
    pool of the network holds the address).
    """
    check_usable(network)
    candidates = lock_address_pools(network)
    if not candidates:
        raise NoIPv4Subnet(f"Network {network.pk} has no IPv4 addresses to give.")
    row = IPAddress(
        network=network, subnet=candidates[0].subnet, user_id=user_id, project_id=project_id, ip_version=4,
        floating_ip=floating_ip, shared_to_project=shared,
    )
    if address is not None:
        row.address = pools.take(_pool_holding(candidates, address), address)
        return _stored(row)
    return _lowest(candidates, row)


def allocate_public_ipv4(
    *, user_id: str, project_id: str | None = None, floating_ip: bool = False, address: str | None = None,
    shared: bool = False,
) -> IPAddress:
    """An address of the first public network with a free one; with `floating_ip`, of floating IP pools only.

    With `address`, of the network that holds it. Locks one network after the other in id order. Raises
    `AddressesExhausted`, and for a given address `StateConflict` or `InvalidInput`.
    """
    refusal: StateConflict | InvalidInput | None = None
    for network_id in public_candidates(floating_ip=floating_ip):
        network = lock_network(network_id)
        try:
            return allocate_ipv4(network, user_id=user_id, address=address, project_id=project_id,
                                 floating_ip=floating_ip, shared=shared)
        except (StateConflict, InvalidInput) as error:
            refusal = error if refusal is None or isinstance(error, StateConflict) else refusal
    if address is not None and refusal is not None:
        raise refusal
    log.error("address.public.exhausted", reason="all full" if refusal else "no networks", floating_ip=floating_ip)
    raise AddressesExhausted("No public IPv4 address is free at the moment.")


def public_candidates(*, floating_ip: bool, ip_version: int = 4) -> list[int]:
    """Ids of public networks new addresses may come from. IPv6 means networks with IPv6 only."""
    rows = Network.objects.filter(public=True, deleted=False, drained=False, state=Network.ACTIVE)
    rows = rows.exclude(action=Network.DESTROY).filter(
        subnets__in=Subnet.objects.filter(deleted=False, ip_version=ip_version))
    if floating_ip:
        rows = rows.filter(floating_ip_pool=True)
    if ip_version == 6:
        rows = rows.exclude(subnets__in=Subnet.objects.filter(deleted=False, ip_version=4))
    return list(rows.order_by("id").values_list("id", flat=True))


def add_ipv6(port: Port) -> None:
    """Store the IPv6 address that follows from the port's MAC, replacing one that no longer does. Repeatable."""
    subnet = Subnet.objects.filter(network_id=port.network_id, ip_version=6, deleted=False).first()
    if subnet is None or port.mac is None:
        return
    wanted = macs.eui64_address(subnet.cidr, port.mac)
    current = IPAddress.objects.filter(port=port, ip_version=6, deleted=False).first()
    if current is not None and current.address == wanted:
        return
    if current is not None:
        _release(current, port, reason="the MAC address of the NIC changed")
    row = IPAddress(network=port.network, subnet=subnet, user_id=port.user_id, address=wanted, ip_version=6, port=port)
    row.save()
    note_association(port, [row])


def note_association(port: Port, rows: list[IPAddress], *, reason: str = "") -> None:
    """History rows for addresses that came to a server with this port."""
    if port.server_id is None:
        return
    for row in rows:
        ip_history.record(row, port.server_id, IPHistory.ASSOCIATE, reason=reason)


def release_of_port(port: Port, *, reason: str = "") -> None:
    """Part a port from its addresses: floating IPs stay with their user, the others return to their pool.

    Needs the network's row locked. Repeating is safe.
    """
    if not IPAddress.objects.filter(port=port, deleted=False).exists():
        return
    lock_address_pools(port.network)
    for row in lock_addresses_of(port):
        _release(row, port, reason=reason)


def release_address(row: IPAddress, *, keep_row: bool = False) -> None:
    """Return an address to its pool; the row goes, or stays marked deleted. Needs the network's row locked."""
    if row.ip_version == 4:
        _return_to_pool(row)
    if keep_row:
        row.deleted = True
        row.port = None
        row.store("deleted", "port")
    else:
        row.delete()


def replace_ipv4(port: Port, address: str | None) -> None:
    """Follow Ganeti: the port's IPv4 address becomes `address`. Needs the network's row locked; logs an error.

    An address that cannot be taken (in use here, or in no pool) is logged and left alone.
    """
    current = IPAddress.objects.filter(port=port, ip_version=4, deleted=False).first()
    if (current.address if current else None) == address:
        return
    log.error("port.address.changed_outside", port=port.pk, address=address, was=current.address if current else None)
    if current is not None:
        lock_address_pools(port.network)
        _release(current, port, reason="the address was changed in the cluster")
    if address is not None:
        _follow_address(port, address)


def _follow_address(port: Port, address: str) -> None:
    candidates = lock_address_pools(port.network)
    try:
        pool = _pool_holding(candidates, address)
        row = _stored(IPAddress(network=port.network, subnet=pool.subnet, user_id=port.user_id, ip_version=4, port=port,
                                address=pools.take(pool, address)))
    except (StateConflict, InvalidInput) as error:
        log.warning("port.address.not_followed", port=port.pk, address=address, reason=error.public)
        return
    note_association(port, [row], reason="the address was changed in the cluster")


def _lowest(candidates: list[AddressPool], row: IPAddress) -> IPAddress:
    for pool in candidates:
        # A value whose row exists although the map calls it free (drift) is marked by the attempt and passed over.
        while pool.count_free:
            row.address = pools.take_lowest(pool)
            row.subnet = pool.subnet
            try:
                return _stored(row)
            except pools.ValueTaken:
                continue
    raise AddressesExhausted(f"Network {row.network_id} has no free address.")


def _stored(row: IPAddress) -> IPAddress:
    row.pk = None
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        log.warning("address.pool.drift", address=row.address, network=row.network_id)
        raise pools.ValueTaken(f"{row.address} is in use or reserved.") from error
    return row


def _pool_holding(candidates: list[AddressPool], address: str) -> AddressPool:
    for pool in candidates:
        if pool.index_of(address) is not None:
            return pool
    raise InvalidInput(f"{address} is in no allocation pool of the network.", field="ip_address")


def _release(row: IPAddress, port: Port, *, reason: str) -> None:
    if port.server_id is not None:
        ip_history.record(row, port.server_id, IPHistory.DISASSOCIATE, reason=reason)
    if row.floating_ip:
        row.port = None
        row.store("port")
        return
    release_address(row)


def _return_to_pool(row: IPAddress) -> None:
    for pool in lock_address_pools(row.network):
        if pool.subnet_id == row.subnet_id and pool.index_of(row.address) is not None:
            pools.put(pool, row.address)
            return
    log.error("address.no_pool", address=row.address, subnet=row.subnet_id)
