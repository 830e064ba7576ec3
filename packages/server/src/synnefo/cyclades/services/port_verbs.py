"""What users and operators do with ports: create, change and delete, attaching to servers and detaching from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, InvalidInput, NotFound, StateConflict
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades.models.network_locks import lock_network, lock_networks, lock_port
from synnefo.cyclades.models.networks import IPAddress, Network, Port, Subnet
from synnefo.cyclades.models.operations import Operation
from synnefo.cyclades.models.servers import Server
from synnefo.cyclades.services import network_operations, network_policy, networks, ports
from synnefo.cyclades.services.server_tasks import access_server_for_nics, lock_server_for_nics

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PortSpec:
    """`server_id` None leaves the port unattached; `address` None lets us choose one (private networks only)."""

    network_id: int
    server_id: int | None = None
    address: str | None = None
    subnet_id: int | None = None
    name: str = ""
    description: str = ""
    profile: str | None = None


def create_ports(caller: Caller, specs: Sequence[PortSpec]) -> list[Port]:
    """Create ports, all or none; those with a server are attached by a job.

    Raises `NotFound`, `Forbidden`, `InvalidInput`, `StateConflict` (drained, address taken, full), and `Busy` or
    `StateConflict` when a server is not in a state to get a NIC.
    """
    created, pending = _create(caller, specs)
    network_operations.start(pending)
    return created


@transactional()
def _create(caller: Caller, specs: Sequence[PortSpec]) -> tuple[list[Port], list[Operation]]:
    wanted = sorted({spec.server_id for spec in specs if spec.server_id is not None})
    servers = {key: access_server_for_nics(caller, key) for key in wanted}
    visible = {spec.network_id: network_policy.access_network(caller, spec.network_id) for spec in specs}
    locked = lock_networks(visible)
    created, pending = [], []
    for spec in specs:
        port = _new_port(caller, locked[spec.network_id], spec)
        created.append(port)
        if spec.server_id is not None:
            pending += attach(port, servers[spec.server_id])
    return created, pending


def _new_port(caller: Caller, network: Network, spec: PortSpec) -> Port:
    if network.is_being_destroyed or network.state != Network.ACTIVE:
        raise StateConflict(f"Network {network.pk} is being deleted.")
    if spec.subnet_id is not None and not Subnet.objects.filter(
            pk=spec.subnet_id, network=network, deleted=False).exists():
        raise InvalidInput(f"Subnet {spec.subnet_id} is not of network {network.pk}.", field="subnet_id")
    if network.public:
        port = _public_port(caller, network, spec)
    else:
        port = ports.new_port_on(network, user_id=caller.user_id, name=spec.name, address=spec.address)
    if spec.description or spec.profile:
        port.description, port.firewall_profile = spec.description, spec.profile
        port.store("description", "firewall_profile")
    return port


def _public_port(caller: Caller, network: Network, spec: PortSpec) -> Port:
    if spec.address is None:
        raise InvalidInput("A port on a public network needs one of your floating IPs in fixed_ips.", field="fixed_ips")
    row = ports.claim_floating_ip(caller, spec.address, network=network)
    return ports.new_port(network, user_id=caller.user_id, name=spec.name, address=row)


def create_for_operator(spec: PortSpec, *, user_id: str | None) -> Port:
    """A port with an ordinary address, on public networks too; its owner is the server's where none is named.

    Errors as `create_ports`.
    """
    port, pending = _create_plain(spec, user_id)
    network_operations.start(pending)
    return port


@transactional()
def _create_plain(spec: PortSpec, user_id: str | None) -> tuple[Port, list[Operation]]:
    server = lock_server_for_nics(spec.server_id) if spec.server_id is not None else None
    owner = user_id or (server.user_id if server is not None else None)
    if owner is None:
        raise InvalidInput("A port needs an owner or a server.", field="user")
    port = ports.new_port_on(lock_network(spec.network_id), user_id=owner, name=spec.name, address=spec.address)
    return port, attach(port, server) if server is not None else []


def attach_floating_ip_for_operator(address_id: int, server_id: int) -> Port:
    """Attach a floating IP to a server as a NIC of its own. Raises `NotFound`, `StateConflict` and as `create_ports`."""
    port, pending = _attach_floating_ip(address_id, server_id)
    network_operations.start(pending)
    return port


@transactional()
def _attach_floating_ip(address_id: int, server_id: int) -> tuple[Port, list[Operation]]:
    server = lock_server_for_nics(server_id)
    seen = IPAddress.objects.filter(pk=address_id, floating_ip=True, deleted=False).first()
    if seen is None:
        raise NotFound(f"There is no floating IP {address_id}.")
    network = lock_network(seen.network_id)
    port = ports.new_port(network, user_id=server.user_id, address=ports.lock_free_floating_ip(address_id))
    return port, attach(port, server)


def attach(port: Port, server: Server) -> list[Operation]:
    """Bind a port to a locked server and write down the job that adds its NIC. Within the caller's transaction."""
    if server.ports.count() >= conf.GANETI_MAX_NICS_PER_INSTANCE:
        raise InvalidInput(f"A server may have {conf.GANETI_MAX_NICS_PER_INSTANCE} NICs at most.", field="device_id")
    last = server.ports.order_by("-index").values_list("index", flat=True).first()
    ports.bind_port(port, server, index=0 if last is None else last + 1)
    return network_operations.attachment(port, server)


def update_port(
    caller: Caller, port_id: int, *, name: str | None = None, description: str | None = None,
    profile: tuple[str | None] | None = None, device: tuple[int | None] | None = None,
    fixed_ips: frozenset[str] | None = None,
) -> Port:
    """Change name, description and security group; `device` (server_id,) attaches a port that is on no server.

    Raises `NotFound`, `InvalidInput` (addresses cannot change, an attached port cannot be parted this way) and what
    attaching raises.
    """
    port, pending = _update(caller, port_id, name, description, profile, device, fixed_ips)
    network_operations.start(pending)
    return port


@transactional()
def _update(
    caller: Caller, port_id: int, name: str | None, description: str | None, profile: tuple[str | None] | None,
    device: tuple[int | None] | None, fixed_ips: frozenset[str] | None,
) -> tuple[Port, list[Operation]]:
    seen = network_policy.access_port(caller, port_id)
    target = device[0] if device is not None else None
    server = access_server_for_nics(caller, target) if target is not None and seen.server_id is None else None
    port = _locked_port(port_id)
    _check_unchanged(port, device, fixed_ips)
    if name is not None:
        networks.check_name(name)
        port.name = name
    if description is not None:
        port.description = description
    if profile is not None and port.server_id is None:
        port.firewall_profile = profile[0]
    port.store("name", "description", "firewall_profile")
    pending = attach(port, server) if server is not None else []
    return port, pending


def _check_unchanged(port: Port, device: tuple[int | None] | None, fixed_ips: frozenset[str] | None) -> None:
    current = frozenset(port.addresses.filter(deleted=False).values_list("address", flat=True))
    if fixed_ips is not None and fixed_ips != current:
        raise InvalidInput("The addresses of a port cannot change.", field="fixed_ips")
    if device is None or port.server_id is None:
        return
    if device[0] is None:
        raise InvalidInput("Delete the port to take it off its server.", field="device_id")
    if device[0] != port.server_id:
        raise StateConflict(f"Port {port.pk} is on server {port.server_id}.")


def _locked_port(port_id: int) -> Port:
    port = lock_port(port_id)
    if port is None:
        raise NotFound(f"Port {port_id} was not found.")
    return port


def delete_port(caller: Caller, port_id: int) -> None:
    """Remove an unattached port at once, an attached one by a job. Repeating it while the job runs changes nothing.

    Raises `NotFound`, `Forbidden` (public address that is no floating IP), and as `create_ports` for the server.
    """
    port = network_policy.access_port(caller, port_id)
    if port.public and not port.addresses.filter(floating_ip=True, deleted=False).exists():
        raise Forbidden("This port belongs to the server as long as the server exists.")
    network_operations.start(_remove(port_id))


def remove_port(port_id: int) -> None:
    """As `delete_port`, without access checks (operators)."""
    network_operations.start(_remove(port_id))


@transactional()
def _remove(port_id: int) -> list[Operation]:
    seen = Port.objects.select_related("server").filter(pk=port_id).first()
    if seen is None:
        raise NotFound(f"Port {port_id} was not found.")
    if seen.detaching and seen.server is not None and seen.server.task == "DISCONNECT":
        return []
    is_on_server = seen.server is not None and not seen.server.deleted
    server = lock_server_for_nics(seen.server_id) if is_on_server and seen.server_id is not None else None
    lock_network(seen.network_id)
    port = _locked_port(port_id)
    if server is None:
        if port.server_id != seen.server_id:
            raise StateConflict(f"Port {port_id} has just been attached to a server. Try again.")
        ports.remove_port(port)
        return []
    return detach(port, server)


def detach(port: Port, server: Server) -> list[Operation]:
    """Write down the job that removes a port's NIC from a locked server. Within the caller's transaction."""
    port.detaching = True
    port.store("detaching")
    log.info("port.detach.accepted", port=port.pk, server=server.pk)
    return network_operations.detachment(port, server)


def detach_floating_ip(caller: Caller, row: IPAddress) -> None:
    """Take a floating IP off its server by removing the port it is on; the address stays reserved."""
    if row.port_id is not None:
        delete_port(caller, row.port_id)


