"""Which networks a new server is connected to: what its request asks for, and what the operator's settings add.

Parsing is pure; `create_ports_for_server` runs inside the transaction that creates the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from django.db import transaction

from synnefo.common.errors import Forbidden, InvalidInput, NoCapacity, NotFound, StateConflict
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades.models.network_locks import lock_network, lock_networks, lock_port, skip_locked
from synnefo.cyclades.models.networks import IPAddress, Network, Port, Subnet
from synnefo.cyclades.models.servers import Server
from synnefo.cyclades.services import addresses, network_policy, ports

log = structlog.get_logger(__name__)

ANY_PUBLIC, ANY_PUBLIC_IPV4, ANY_PUBLIC_IPV6 = "SNF:ANY_PUBLIC", "SNF:ANY_PUBLIC_IPV4", "SNF:ANY_PUBLIC_IPV6"
MAX_MEMBERS = 64


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """One member of a request's `networks`: an existing port, or a network with perhaps an address on it."""

    port_id: int | None = None
    network_id: int | None = None
    fixed_ip: str | Literal[False] | None = False
    """False when the key was absent, None when it was given as null."""


def parse_requested_networks(raw: object) -> list[NetworkRequest] | None:
    """A request's `networks`; None stands for "the operator's default networks". Raises `InvalidInput`."""
    if raw is None or raw == "auto":
        return None
    if raw == "none":
        return []
    if not isinstance(raw, list) or len(raw) > MAX_MEMBERS:
        raise InvalidInput(f"networks must be a list of at most {MAX_MEMBERS} members.", field="networks")
    return [_parsed_member(member) for member in raw]


def _parsed_member(member: Any) -> NetworkRequest:
    if not isinstance(member, dict):
        raise InvalidInput("Each member of networks must be an object.", field="networks")
    if member.get("port") is not None:
        return NetworkRequest(port_id=network_policy.parsed_id(member["port"], "port"))
    if member.get("uuid") is None:
        raise InvalidInput("Each member of networks needs a uuid or a port.", field="networks")
    network_id = network_policy.parsed_id(member["uuid"], "network")
    fixed_ip = member.get("fixed_ip", False)
    if fixed_ip not in (False, None):
        fixed_ip = addresses.checked_ipv4(fixed_ip, field="fixed_ip")
    return NetworkRequest(network_id=network_id, fixed_ip=fixed_ip)


def create_ports_for_server(
    server: Server, *, caller: Caller, requested: list[NetworkRequest] | None
) -> list[Port]:
    """Connect a new server to the forced networks and then to the requested (None: the default) ones.

    Runs in the caller's transaction; the server's row is saved and names its backend. Raises `InvalidInput` (too many
    NICs, bad address), `NotFound`, `Forbidden`, `StateConflict`, and `NoCapacity` when a forced network fails.
    """
    wanted = len(conf.CYCLADES_FORCED_SERVER_NETWORKS) + len(
        conf.CYCLADES_DEFAULT_SERVER_NETWORKS if requested is None else requested)
    if wanted > conf.GANETI_MAX_NICS_PER_INSTANCE:
        raise InvalidInput(f"A server may have {conf.GANETI_MAX_NICS_PER_INSTANCE} NICs at most.", field="networks")
    # Taken at once and in order, so that two requests naming the same networks in another order do not deadlock.
    lock_networks(request.network_id for request in requested or () if request.network_id is not None)
    created = [_forced_port(server, caller, member) for member in conf.CYCLADES_FORCED_SERVER_NETWORKS]
    if requested is None:
        created += [_default_port(server, caller, member) for member in conf.CYCLADES_DEFAULT_SERVER_NETWORKS]
    else:
        created += [_requested_port(server, caller, request) for request in requested]
    for index, port in enumerate(created):
        ports.bind_port(port, server, index=index)
    return created


def _forced_port(server: Server, caller: Caller, member: Any) -> Port:
    try:
        return _first_that_works(member, lambda choice: _connect_forced(server, choice))
    except (StateConflict, NotFound, InvalidInput) as error:
        log.warning("server.networks.forced_failed", server=server.pk, member=str(member), reason=error.public)
        raise NoCapacity("No network could be found for the server. Try again later.") from error


def _default_port(server: Server, caller: Caller, member: Any) -> Port:
    try:
        return _first_that_works(member, lambda choice: _connect_default(server, caller, choice))
    except (NotFound, InvalidInput, Forbidden) as error:
        raise StateConflict(f"The default networks cannot be used: {error.public}") from error


def _first_that_works(member: Any, connect: Callable[[Any], Port]) -> Port:
    """Try a group's members in turn, each in a savepoint so that a half-made allocation leaves nothing."""
    choices = list(_expanded(member if isinstance(member, list | tuple) else [member]))
    failure = StateConflict("No network is configured.")
    for choice in choices:
        try:
            with transaction.atomic():
                return connect(choice)
        except StateConflict as error:
            failure = error
    if len(choices) == 1:
        raise failure
    raise StateConflict("None of the networks to choose from has a free address.") from failure


def _expanded(choices: Iterable[Any]) -> Iterable[Any]:
    for choice in choices:
        if choice == ANY_PUBLIC:
            yield from (ANY_PUBLIC_IPV4, ANY_PUBLIC_IPV6)
        else:
            yield choice


def _connect_forced(server: Server, choice: Any) -> Port:
    if choice == ANY_PUBLIC_IPV4:
        row = addresses.allocate_public_ipv4(user_id=server.user_id)
        return ports.new_port(row.network, user_id=server.user_id, address=row)
    if choice == ANY_PUBLIC_IPV6:
        return ports.new_port(_public_ipv6_network(), user_id=server.user_id)
    network = lock_network(network_policy.parsed_id(choice, "network"))
    return ports.new_port_on(network, user_id=server.user_id)


def _connect_default(server: Server, caller: Caller, choice: Any) -> Port:
    if choice == ANY_PUBLIC_IPV4:
        return _with_free_floating_ip(server, network=None)
    if choice == ANY_PUBLIC_IPV6:
        return ports.new_port(_public_ipv6_network(), user_id=server.user_id)
    return _requested_port(server, caller, NetworkRequest(network_id=network_policy.parsed_id(choice, "network")))


def _requested_port(server: Server, caller: Caller, request: NetworkRequest) -> Port:
    if request.port_id is not None:
        return _existing_port(caller, request.port_id)
    assert request.network_id is not None
    network = lock_network(network_policy.access_network(caller, request.network_id).pk)
    if network.public:
        return _public_port(server, caller, network, request.fixed_ip)
    address = request.fixed_ip or None
    return ports.new_port_on(network, user_id=caller.user_id, address=address)


def _existing_port(caller: Caller, port_id: int) -> Port:
    network_policy.access_port(caller, port_id)
    port = lock_port(port_id)
    if port is None:
        raise NotFound(f"Port {port_id} was not found.")
    if port.server_id is not None:
        raise StateConflict(f"Port {port_id} is in use.")
    return port


def _public_port(server: Server, caller: Caller, network: Network, fixed_ip: str | Literal[False] | None) -> Port:
    if not Subnet.objects.filter(network=network, ip_version=4, deleted=False).exists():
        raise Forbidden("You may not connect to this public network.")
    if fixed_ip is None:
        raise InvalidInput("A public network needs one of your floating IPs as fixed_ip.", field="fixed_ip")
    if fixed_ip is False:
        return _with_free_floating_ip(server, network=network)
    return ports.new_port(network, user_id=caller.user_id,
                          address=ports.claim_floating_ip(caller, fixed_ip, network=network))


def _with_free_floating_ip(server: Server, *, network: Network | None) -> Port:
    """A port with one of the user's own floating IPs that is on no port. Parallel requests get different ones."""
    rows = IPAddress.objects.filter(user_id=server.user_id, floating_ip=True, deleted=False, port=None, ip_version=4)
    rows = rows.filter(network=network) if network is not None else rows
    row = skip_locked(rows).select_related("network").order_by("id").first()
    if row is None:
        raise StateConflict("You have no free floating IP. Create one first, then create the server.")
    return ports.new_port(row.network, user_id=server.user_id, address=row)


def _public_ipv6_network() -> Network:
    candidates = addresses.public_candidates(floating_ip=False, ip_version=6)
    if not candidates:
        raise StateConflict("No public IPv6 network is available.")
    network = lock_network(candidates[0])
    addresses.check_usable(network)
    return network
