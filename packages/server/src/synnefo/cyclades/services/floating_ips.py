"""Floating IPs: public addresses a user keeps across servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, InvalidInput, NotFound, StateConflict
from synnefo.common.ids import Serial
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades.models.network_locks import lock_network
from synnefo.cyclades.models.networks import IPAddress, Network, Port
from synnefo.cyclades.services import addresses, commissions, network_policy, network_quota, port_verbs

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FloatingIPSpec:
    """`network_id` None: any pool with a free address, or with this one. `port_id`: attach it to that port's server."""

    project_id: str
    network_id: int | None = None
    address: str | None = None
    shared_to_project: bool = False
    description: str = ""
    port_id: int | None = None


def create_floating_ips(caller: Caller, specs: Sequence[FloatingIPSpec]) -> list[IPAddress]:
    """Reserve addresses, all or none, charged in one commission.

    Raises `NotFound` (network), `StateConflict` (not a pool, drained, taken, nothing free), `InvalidInput`,
    `QuotaExceeded`, `Forbidden` (sharing is off).
    """
    if any(spec.shared_to_project for spec in specs) and not conf.CYCLADES_SHARED_RESOURCES_ENABLED:
        raise Forbidden("Sharing resources with a project is switched off on this cloud.")
    charges: dict[tuple[str, str], int] = {}
    for spec in specs:
        key = (spec.project_id, network_quota.FLOATING_IP)
        charges[key] = charges.get(key, 0) + 1

    @transactional()
    def write(serial: Serial | None) -> list[IPAddress]:
        commissions.record_accepted(serial)
        return [_reserve(caller, spec) for spec in specs]

    rows = network_quota.charged(caller.user_id, charges, "floating_ip, action: BUILD", write)
    for row, spec in zip(rows, specs, strict=True):
        if spec.port_id is not None:
            associate_floating_ip(caller, row.pk, spec.port_id)
    return rows


def _reserve(caller: Caller, spec: FloatingIPSpec) -> IPAddress:
    if spec.network_id is None:
        row = addresses.allocate_public_ipv4(
            user_id=caller.user_id, project_id=spec.project_id, shared=spec.shared_to_project, floating_ip=True,
            address=spec.address)
    else:
        network = lock_network(network_policy.access_network(caller, spec.network_id).pk)
        _check_is_pool(network)
        row = addresses.allocate_ipv4(
            network, user_id=caller.user_id, project_id=spec.project_id, shared=spec.shared_to_project, floating_ip=True,
            address=spec.address)
    if spec.description:
        row.description = spec.description
        row.store("description")
    log.info("floating_ip.created", floating_ip=row.pk, address=row.address, user=row.user_id, project=row.project_id)
    return row


def _check_is_pool(network: Network) -> None:
    if not network.floating_ip_pool:
        raise StateConflict(f"Network {network.pk} is not a pool of floating IPs.")


def find_floating_ip(address_id: int) -> IPAddress:
    """For operators, released ones too. Raises `NotFound`."""
    row = IPAddress.objects.select_related("network", "port").filter(pk=address_id, floating_ip=True).first()
    if row is None:
        raise NotFound(f"There is no floating IP {address_id}. Try: snf-manage floating-ip-list")
    return row


def delete_floating_ip(caller: Caller, address_id: int) -> None:
    """Release a floating IP that is on no port. Raises `NotFound`, `StateConflict`."""
    remove_floating_ip(network_policy.access_floating_ip(caller, address_id))


def remove_floating_ip(seen: IPAddress) -> None:
    """As `delete_floating_ip`, for a row read without a lock (also by operators)."""
    _check_free(seen)
    charges = {(seen.project_id, network_quota.FLOATING_IP): -1} if seen.project_id else {}

    @transactional()
    def write(serial: Serial | None) -> None:
        commissions.record_accepted(serial)
        lock_network(seen.network_id)  # before the address: the order that port creation uses
        row = _locked(seen.pk)
        _check_free(row)
        if row.project_id != seen.project_id:
            raise StateConflict("The floating IP has just moved to another project. Try again.")
        addresses.release_address(row, keep_row=True)
        log.info("floating_ip.deleted", floating_ip=row.pk, address=row.address, user=row.user_id, project=row.project_id)

    network_quota.charged(seen.user_id, charges, f"floating_ip {seen.pk}, action: DESTROY", write, force=True)


def _check_free(row: IPAddress) -> None:
    if row.port_id is not None:
        server_id = row.port.server_id if row.port is not None else None
        where = f"server {server_id}" if server_id else f"port {row.port_id}"
        raise StateConflict(f"Floating IP {row.address} is in use by {where}. Detach it first.")


def _locked(address_id: int) -> IPAddress:
    row = IPAddress.objects.select_for_update(of=("self",)).select_related("network").filter(
        pk=address_id, floating_ip=True, deleted=False).first()
    if row is None:
        raise NotFound(f"Floating IP {address_id} was not found.")
    return row


def reassign_floating_ip(caller: Caller, address_id: int, project_id: str, shared: bool) -> None:
    """Move to another project of the owner. Raises `NotFound`, `Forbidden`, `InvalidInput`, `QuotaExceeded`."""
    seen = network_policy.access_floating_ip(caller, address_id)
    check_may_reassign(caller, seen.user_id, shared)
    charges = reassignment(seen.project_id, project_id, network_quota.FLOATING_IP)

    @transactional()
    def write(serial: Serial | None) -> None:
        commissions.record_accepted(serial)
        row = _locked(address_id)
        if row.project_id != seen.project_id:
            raise StateConflict("The floating IP has just moved to another project. Try again.")
        row.project_id, row.shared_to_project = project_id, shared
        row.store("project_id", "shared_to_project")

    network_quota.charged(seen.user_id, charges, f"floating_ip {address_id}, action: REASSIGN", write)


def check_may_reassign(caller: Caller, owner_id: str | None, shared: bool) -> None:
    """Raises `Forbidden` for others than the owner, and for sharing where that is off."""
    if owner_id != caller.user_id:
        raise Forbidden("Only the owner may move it to another project.")
    if shared and not conf.CYCLADES_SHARED_RESOURCES_ENABLED:
        raise Forbidden("Sharing resources with a project is switched off on this cloud.")


def reassignment(old: str | None, new: str, resource: str) -> dict[tuple[str, str], int]:
    """The charges of a move; none when the project stays."""
    if old is None:
        raise InvalidInput("It belongs to no project.")
    return {} if old == new else {(old, resource): -1, (new, resource): 1}


@transactional()
def describe_floating_ip(caller: Caller, address_id: int, description: str) -> None:
    """Raises `NotFound`."""
    row = _locked(network_policy.access_floating_ip(caller, address_id).pk)
    row.description = description
    row.store("description")


def associate_floating_ip(caller: Caller, address_id: int, port_id: int | None) -> None:
    """Put the address on the server that has this port, as a NIC of its own; None takes it off its server.

    Naming the port it is on changes nothing. Raises `NotFound`, `StateConflict` (on another port, or the port has no
    server) and what attaching and detaching a port raise.
    """
    row = network_policy.access_floating_ip(caller, address_id)
    if port_id is None:
        if row.port_id is not None:
            port_verbs.detach_floating_ip(caller, row)
        return
    if row.port_id == port_id:
        return
    port = _visible_port(caller, port_id)
    if port.server_id is None:
        raise StateConflict(f"Port {port_id} is on no server.")
    if row.port_id is not None:
        raise StateConflict(f"Floating IP {row.address} is in use by port {row.port_id}.")
    port_verbs.create_ports(caller, [port_verbs.PortSpec(
        network_id=row.network_id, server_id=port.server_id, address=row.address)])


def _visible_port(caller: Caller, port_id: int) -> Port:
    return network_policy.access_port(caller, port_id)
