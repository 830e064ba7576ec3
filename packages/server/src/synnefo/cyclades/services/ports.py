"""Ports: making them, binding them to servers, releasing them.

All functions run inside the caller's transaction. The verbs of the network API are in `services.port_verbs`, what a new
server is connected to in `services.server_networks`, and following Ganeti's view of the NICs in `services.nic_sync`.
"""

from __future__ import annotations

from typing import Any

import structlog
from django.db import IntegrityError, transaction

from synnefo.common.errors import DependencyUnavailable, InvalidInput, NotFound, StateConflict
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades import ganeti_names, macs
from synnefo.cyclades.models.network_locks import lock_networks
from synnefo.cyclades.models.networks import NAME_LENGTH, IPAddress, Network, Port, Subnet
from synnefo.cyclades.models.servers import Server
from synnefo.cyclades.services import addresses, network_policy

log = structlog.get_logger(__name__)

DEVICE_OWNER = "vm"
MAC_ATTEMPTS = 10


class MACGenerationFailure(DependencyUnavailable):
    """No free MAC address was found in a few attempts."""


def new_port(network: Network, *, user_id: str, name: str = "", address: IPAddress | None = None) -> Port:
    """A port on a locked network, carrying this address (already stored, on no port) or none. Raises `InvalidInput`."""
    if len(name) > NAME_LENGTH:
        raise InvalidInput(f"A name may have {NAME_LENGTH} characters at most.", field="name")
    port = Port(name=name, user_id=user_id, network=network, public=network.public)
    port.save(force_insert=True)
    if address is not None:
        address.port = port
        address.store("port")
    log.info("port.created", port=port.pk, network=network.pk, address=address.address if address else None, user=user_id)
    return port


def new_port_on(network: Network, *, user_id: str, name: str = "", address: str | None = None) -> Port:
    """A port on a locked network with the given or the lowest free address of its IPv4 subnet, where it has one.

    Raises `StateConflict` (drained, being deleted, taken, full) and `InvalidInput` (no such address here).
    """
    addresses.check_usable(network)
    _check_port_count(network)
    if address is None and not Subnet.objects.filter(network=network, ip_version=4, deleted=False).exists():
        return new_port(network, user_id=user_id, name=name)
    row = addresses.allocate_ipv4(network, user_id=user_id, address=address)
    return new_port(network, user_id=user_id, name=name, address=row)


def _check_port_count(network: Network) -> None:
    if not network.public and Port.objects.filter(network=network).count() >= conf.CYCLADES_MAX_PORTS_PER_NETWORK:
        raise StateConflict(f"A network may have {conf.CYCLADES_MAX_PORTS_PER_NETWORK} ports at most.")


def claim_floating_ip(caller: Caller, address: str, *, network: Network) -> IPAddress:
    """Lock the caller's floating IP for use on this network, drained or not.

    Raises `NotFound`, and `StateConflict` when it belongs to another network or is on a port. The same address may
    exist in several pools: the one on this network is meant where there is one.
    """
    rows = list(network_policy.visible_floating_ips(caller).filter(address=address))
    if not rows:
        raise NotFound(f"You have no floating IP {address}.")
    here = next((row for row in rows if row.network_id == network.pk), None)
    if here is None:
        raise StateConflict(f"Floating IP {address} belongs to another network.")
    if network.is_being_destroyed:
        raise StateConflict(f"Network {network.pk} is being deleted.")
    return lock_free_floating_ip(here.pk)


def lock_free_floating_ip(address_id: int) -> IPAddress:
    """Raises `NotFound` when it went meanwhile and `StateConflict` when it is on a port."""
    row = IPAddress.objects.select_for_update(of=("self",)).select_related("network").filter(
        pk=address_id, deleted=False).first()
    if row is None:
        raise NotFound(f"Floating IP {address_id} was not found.")
    if row.port_id is not None:
        raise StateConflict(f"Floating IP {row.address} is in use by port {row.port_id}.")
    return row


def bind_port(port: Port, server: Server, *, index: int) -> None:
    """Give a port to a server: it waits in BUILD for its NIC. Chooses the MAC, notes public addresses in the history."""
    port.server = server
    port.index = index
    port.state = Port.BUILD
    port.device_owner = DEVICE_OWNER
    port.store("server", "index", "state", "device_owner")
    if conf.CYCLADES_ASSIGN_MAC and port.mac is None and server.backend is not None:
        _assign_mac(port, macs.backend_prefix(port.network.mac_prefix, server.backend.index))
    addresses.note_association(port, list(port.addresses.filter(deleted=False).select_related("network")))
    addresses.add_ipv6(port)


def _assign_mac(port: Port, prefix: str) -> None:
    for _ in range(MAC_ATTEMPTS):
        mac = macs.random_mac(prefix)
        try:
            with transaction.atomic():
                Port.objects.filter(pk=port.pk).update(mac=mac)
        except IntegrityError:
            continue
        port.mac = mac
        return
    raise MACGenerationFailure("No free MAC address was found. Try again.", prefix=prefix)


def ganeti_nics(server: Server) -> list[dict[str, Any]]:
    """The `nics` of an instance's create job, in index order: name, network, ip (null without IPv4) and mac if chosen."""
    rows = server.ports.order_by("index", "id").prefetch_related("addresses")
    return [ganeti_nic(port) for port in rows]


def ganeti_nic(port: Port) -> dict[str, Any]:
    ipv4 = next((row.address for row in port.addresses.all() if row.ip_version == 4 and not row.deleted), None)
    nic: dict[str, Any] = {
        "name": ganeti_names.nic_name(port.pk), "network": ganeti_names.network_name(port.network_id), "ip": ipv4,
    }
    return nic | ({"mac": port.mac} if port.mac else {})


def fail_ports(server: Server) -> None:
    """The server could not be built. Ports that wait show ERROR and keep their addresses: the instance may exist."""
    for port in server.ports.filter(state=Port.BUILD).order_by("id"):
        port.state = Port.ERROR
        port.store("state")


def release_ports(server: Server, *, reason: str = "server removed") -> None:
    """The instance is gone: detach floating IPs, free other addresses, remove the ports. Repeating finds nothing."""
    lock_networks(server.ports.values_list("network_id", flat=True))
    for port in Port.objects.select_for_update(of=("self",)).select_related("network").filter(server=server).order_by("id"):
        remove_port(port, reason=reason)


def remove_port(port: Port, *, reason: str = "port removed") -> None:
    """Remove a port's row and part it from its addresses. The network's row is locked."""
    addresses.release_of_port(port, reason=reason)
    log.info("port.removed", port=port.pk, network=port.network_id, server=port.server_id, reason=reason)
    port.delete()
