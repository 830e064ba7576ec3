"""Subnets: checking ranges, cutting them into allocation pools, creating and removing them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import structlog
from django.db import IntegrityError, transaction

from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, InvalidInput, NotFound, RequestTooLarge, StateConflict
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades.models.network_locks import lock_network
from synnefo.cyclades.models.networks import NAME_LENGTH, BackendNetwork, IPAddress, Network, Port, Subnet
from synnefo.cyclades.models.pools import AddressPool
from synnefo.cyclades.services import network_policy
from synnefo.cyclades.services.pools import new_address_pool

log = structlog.get_logger(__name__)

MIN_HOST_BITS = 3  # nothing smaller than a /29 holds a gateway and a few guests
MAX_POOLS = 64
AUTO = object()
"""Gateway to be chosen here: the first address of the range."""


@dataclass(frozen=True, slots=True)
class SubnetSpec:
    """A subnet as asked for. `gateway` is an address, None for none, or `AUTO`; `pools` None for the default ones."""

    cidr: str
    ip_version: int = 4
    name: str = ""
    gateway: Any = AUTO
    dhcp: bool = True
    pools: tuple[tuple[str, str], ...] | None = None
    dns_nameservers: tuple[str, ...] = ()
    host_routes: tuple[dict[str, str], ...] = ()
    description: str = ""


class BadRange(StateConflict):
    """The gateway or an allocation pool does not fit the range."""


def create_subnet(caller: Caller, network_id: int, spec: SubnetSpec) -> Subnet:
    """Add a subnet to the caller's own private network.

    Opens a transaction. Raises `NotFound`, `Forbidden`, `InvalidInput`, `RequestTooLarge`, `BadRange`.
    """
    return create_subnets(caller, [(network_id, spec)])[0]


@transactional()
def create_subnets(caller: Caller, wanted: Sequence[tuple[int, SubnetSpec]]) -> list[Subnet]:
    """All or none."""
    return [_create_checked(caller, network_id, spec) for network_id, spec in wanted]


def _create_checked(caller: Caller, network_id: int, spec: SubnetSpec) -> Subnet:
    network = network_policy.access_network(caller, network_id)
    if network.public or network.user_id != caller.user_id:
        raise Forbidden("Only the owner of a private network may add subnets to it.")
    return add_subnet(lock_network(network.pk), spec)


def add_subnet(network: Network, spec: SubnetSpec) -> Subnet:
    """Add a subnet to a locked network. Errors as in `create_subnet`; for operators and as its last step."""
    if network.deleted or network.is_being_destroyed:
        raise InvalidInput(f"Network {network.pk} is being deleted.", field="network_id")
    if BackendNetwork.objects.filter(network=network, deleted=False).exists():
        raise InvalidInput("A server was connected to this network already: its subnets cannot change.", field="network_id")
    if len(spec.name) > NAME_LENGTH:
        raise InvalidInput(f"A name may have {NAME_LENGTH} characters at most.", field="name")
    range_ = checked_range(spec, public=network.public)
    gateway = checked_gateway(range_, spec.gateway)
    address_pools = _address_pools(range_, gateway, spec)
    subnet = Subnet(
        network=network, user_id=network.user_id, public=network.public, name=spec.name, ip_version=range_.version,
        cidr=str(range_), gateway=gateway, dhcp=spec.dhcp, description=spec.description,
        dns_nameservers=list(spec.dns_nameservers), host_routes=list(spec.host_routes),
    )
    _save(subnet, address_pools)
    log.info("subnet.created", subnet=subnet.pk, network=network.pk, cidr=subnet.cidr, user=network.user_id)
    return subnet


def _save(subnet: Subnet, address_pools: list[AddressPool]) -> None:
    try:
        with transaction.atomic():
            subnet.save(force_insert=True)
    except IntegrityError as error:
        raise InvalidInput(f"The network has an IPv{subnet.ip_version} subnet already.", field="ip_version") from error
    for pool in address_pools:
        pool.subnet = subnet
        pool.save(force_insert=True)


def checked_range(spec: SubnetSpec, *, public: bool) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The range of a valid CIDR. Raises `InvalidInput`, and `RequestTooLarge` when an IPv4 range is of a refused size."""
    if spec.ip_version not in {4, 6}:
        raise InvalidInput("ip_version must be 4 or 6.", field="ip_version")
    try:
        range_ = ipaddress.ip_network(spec.cidr.strip(), strict=True)
    except ValueError as error:
        raise InvalidInput(f"Malformed CIDR {spec.cidr[:64]!r}: {error}", field="cidr") from error
    if range_.version != spec.ip_version:
        raise InvalidInput(f"{spec.cidr} is not an IPv{spec.ip_version} range.", field="cidr")
    if range_.version == 6:
        if range_.prefixlen != 64:
            raise InvalidInput("An IPv6 subnet must be a /64.", field="cidr")
        return range_
    shortest = conf.CYCLADES_PUBLIC_MAX_CIDR_BLOCK if public else conf.MAX_CIDR_BLOCK
    longest = 32 - MIN_HOST_BITS
    if not shortest <= range_.prefixlen <= longest:
        raise RequestTooLarge("Unsupported network size.",
                              details=f"The prefix length must be between {shortest} and {longest}.")
    return range_


def checked_gateway(range_: ipaddress.IPv4Network | ipaddress.IPv6Network, gateway: Any) -> str | None:
    """The gateway's address, or None. Raises `InvalidInput` outside the range, `BadRange` on an edge address."""
    if gateway is None:
        return None
    if gateway is AUTO or gateway == "":
        return str(range_.network_address + 1)
    try:
        address = ipaddress.ip_address(str(gateway).strip())
    except ValueError as error:
        raise InvalidInput(f"{str(gateway)[:64]!r} is not an IP address.", field="gateway_ip") from error
    if address.version != range_.version or address not in range_:
        raise InvalidInput(f"Gateway {address} is not in {range_}.", field="gateway_ip")
    if range_.version == 4 and address in {range_.network_address, range_.broadcast_address}:
        raise BadRange(f"Gateway {address} is the network's or the broadcast address.")
    return str(address)


def _address_pools(
    range_: ipaddress.IPv4Network | ipaddress.IPv6Network, gateway: str | None, spec: SubnetSpec
) -> list[AddressPool]:
    if isinstance(range_, ipaddress.IPv6Network):
        if spec.pools:
            raise BadRange("IPv6 subnets have no allocation pools.")
        return []
    runs = _given_runs(range_, gateway, spec.pools) if spec.pools else default_runs(range_, gateway)
    return [new_address_pool(range_, first, last, gateway) for first, last in runs]


def default_runs(range_: ipaddress.IPv4Network, gateway: str | None) -> list[tuple[int, int]]:
    """First and last address (as integers) of the runs left by the edge addresses and the gateway."""
    first, last = int(range_.network_address) + 1, int(range_.broadcast_address) - 1
    if gateway is None:
        return [(first, last)]
    middle = int(ipaddress.IPv4Address(gateway))
    return [(low, high) for low, high in ((first, middle - 1), (middle + 1, last)) if low <= high]


def _given_runs(
    range_: ipaddress.IPv4Network, gateway: str | None, given: Sequence[tuple[str, str]]
) -> list[tuple[int, int]]:
    if len(given) > MAX_POOLS:
        raise InvalidInput(f"A subnet may have {MAX_POOLS} allocation pools at most.", field="allocation_pools")
    runs = sorted((_ipv4_number(start), _ipv4_number(end)) for start, end in given)
    reserved = int(ipaddress.IPv4Address(gateway)) if gateway else None
    previous = -1
    for first, last in runs:
        if first > last:
            raise BadRange("An allocation pool's start is after its end.")
        if first <= int(range_.network_address) or last >= int(range_.broadcast_address):
            raise BadRange("An allocation pool is out of bounds of the subnet.")
        if reserved is not None and first <= reserved <= last:
            raise BadRange("The gateway lies inside an allocation pool.")
        if first <= previous:
            raise BadRange("Allocation pools overlap.")
        previous = last
    return runs


def checked_address(text: object, *, field: str) -> str:
    """The canonical form of an IP address. Raises `InvalidInput`."""
    try:
        return str(ipaddress.ip_address(text.strip())) if isinstance(text, str) else _refuse(field)
    except ValueError:
        return _refuse(field)


def checked_destination(text: object) -> str:
    """The canonical form of a route's destination. Raises `InvalidInput`."""
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False)) if isinstance(text, str) else _refuse("destination")
    except ValueError:
        return _refuse("destination")


def _refuse(field: str) -> NoReturn:
    raise InvalidInput(f"{field} holds something that is not an IP address or range.", field=field)


def _ipv4_number(text: str) -> int:
    try:
        return int(ipaddress.IPv4Address(text))
    except ValueError as error:
        raise InvalidInput(f"{text[:64]!r} is not an IPv4 address.", field="allocation_pools") from error


@transactional()
def create_for_operator(network_id: int, spec: SubnetSpec) -> Subnet:
    """Add a subnet to any network. Errors as `create_subnet`."""
    return add_subnet(lock_network(network_id), spec)


@transactional()
def update_subnet(caller: Caller, subnet_id: int, *, name: str | None = None, description: str | None = None) -> Subnet:
    """Rename or describe. Raises `NotFound`, `Forbidden`, `InvalidInput`."""
    subnet = network_policy.access_subnet(caller, subnet_id)
    _check_owner(caller, subnet)
    return _update(subnet, name, description)


def rename_subnet(subnet: Subnet, name: str) -> Subnet:
    """For operators. Raises `InvalidInput`."""
    return _update(subnet, name, None)


def _update(subnet: Subnet, name: str | None, description: str | None) -> Subnet:
    if name is not None:
        if len(name) > NAME_LENGTH:
            raise InvalidInput(f"A name may have {NAME_LENGTH} characters at most.", field="name")
        subnet.name = name
    if description is not None:
        subnet.description = description
    subnet.store("name", "description")
    return subnet


@transactional()
def delete_subnet(caller: Caller, subnet_id: int) -> None:
    """Remove an unused subnet. Raises `NotFound`, `Forbidden`, `StateConflict`, and `InvalidInput` where switched off."""
    if not conf.CYCLADES_SUBNET_DELETE_ENABLED:
        raise InvalidInput("Subnets are deleted with their network.")
    subnet = network_policy.access_subnet(caller, subnet_id)
    _check_owner(caller, subnet)
    network = lock_network(subnet.network_id)
    if Port.objects.filter(network=network).exists():
        raise StateConflict("Ports use this network. Delete them first.")
    if IPAddress.objects.filter(subnet=subnet, deleted=False).exists():
        raise StateConflict("Addresses of this subnet are in use.")
    if BackendNetwork.objects.filter(network=network, deleted=False).exists():
        raise StateConflict("The network is present in a cluster already. Delete the network instead.")
    drop_subnet(subnet)


def drop_subnet(subnet: Subnet) -> None:
    """Mark deleted and drop its pools. Within the caller's transaction, the network locked."""
    AddressPool.objects.filter(subnet=subnet).delete()
    subnet.deleted = True
    subnet.store("deleted")


def _check_owner(caller: Caller, subnet: Subnet) -> None:
    if subnet.public or subnet.user_id != caller.user_id:
        raise Forbidden("Only the owner of a private network may change its subnets.")


def find_subnet(subnet_id: int) -> Subnet:
    """For operators, deleted ones too. Raises `NotFound`."""
    subnet = Subnet.objects.select_related("network").filter(pk=subnet_id).first()
    if subnet is None:
        raise NotFound(f"There is no subnet {subnet_id}.")
    return subnet
