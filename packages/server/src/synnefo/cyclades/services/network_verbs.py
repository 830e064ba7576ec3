"""What users and operators do with networks: one call, one commission, one transaction, then Ganeti where needed."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, InvalidInput, StateConflict
from synnefo.common.ids import Serial
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades.models.network_locks import lock_network
from synnefo.cyclades.models.networks import Network
from synnefo.cyclades.models.operations import Operation
from synnefo.cyclades.services import (
    commissions,
    floating_ips,
    network_operations,
    network_policy,
    network_quota,
    networks,
)
from synnefo.cyclades.services.subnets import SubnetSpec

log = structlog.get_logger(__name__)


def create_networks(caller: Caller, specs: Sequence[networks.NetworkSpec]) -> list[Network]:
    """Private networks of a user, all or none, charged in one commission. No Ganeti call.

    Raises `QuotaExceeded`, `InvalidInput`, `Forbidden` (sharing is off), `NoCapacity` (a pool is empty).
    """
    if any(spec.shared_to_project for spec in specs) and not conf.CYCLADES_SHARED_RESOURCES_ENABLED:
        raise Forbidden("Sharing resources with a project is switched off on this cloud.")
    return _charge_and_store(caller.user_id, [(spec, ()) for spec in specs])


def create_for_operator(spec: networks.NetworkSpec, subnet_specs: Sequence[SubnetSpec]) -> Network:
    """A public network, or one for a user (charged to him), created at once in every backend that is online.

    Errors as `create_networks`, and those of `subnets.add_subnet`. A backend that cannot be reached is caught up by
    the worker and by `reconcile-networks`.
    """
    network, = _charge_and_store(spec.user_id, [(spec, subnet_specs)])
    network_operations.create_in_all_backends(network)
    return network


def _charge_and_store(
    user_id: str | None, wanted: Sequence[tuple[networks.NetworkSpec, Sequence[SubnetSpec]]]
) -> list[Network]:
    charges: dict[tuple[str, str], int] = {}
    for spec, _ in wanted:
        if not spec.public and spec.project_id is not None:
            key = (spec.project_id, network_quota.NETWORK)
            charges[key] = charges.get(key, 0) + 1

    @transactional()
    def write(serial: Serial | None) -> list[Network]:
        commissions.record_accepted(serial)
        return [networks.store_network(spec, subnet_specs) for spec, subnet_specs in wanted]

    return network_quota.charged(user_id or "", charges, "network, action: BUILD", write)


@transactional()
def update_network(
    caller: Caller, network_id: int, *, name: str | None = None, description: str | None = None
) -> Network:
    """Raises `NotFound`, `Forbidden` (public networks), `InvalidInput`."""
    return networks.update_network(caller, network_id, name=name, description=description)


def delete_network(caller: Caller, network_id: int) -> None:
    """Delete a private network. What is in clusters goes by jobs; the network is gone when they are done.

    Repeating it while that goes on changes nothing. Raises `NotFound`, `Forbidden`, `StateConflict` (still in use).
    """
    network = network_policy.access_network(caller, network_id)
    if network.public:
        raise Forbidden("A public network can only be deleted by the operator.")
    destroy_network(network.pk)


def destroy_network(network_id: int) -> None:
    """As `delete_network`, without access checks (operators)."""
    network_operations.start(_destroy(network_id))


@transactional()
def _destroy(network_id: int) -> list[Operation]:
    network = lock_network(network_id)
    if network.deleted or network.is_being_destroyed:
        return []
    networks.check_deletable(network)
    networks.mark_for_destruction(network)
    log.info("network.delete.accepted", network=network.pk, user=network.user_id)
    return network_operations.removal(network)


def reassign_network(caller: Caller, network_id: int, project_id: str, shared: bool) -> None:
    """Move to another project of the owner. Raises `NotFound`, `Forbidden`, `InvalidInput`, `QuotaExceeded`."""
    seen = network_policy.access_network(caller, network_id)
    if seen.public:
        raise Forbidden("A public network belongs to no project.")
    floating_ips.check_may_reassign(caller, seen.user_id, shared)
    charges = floating_ips.reassignment(seen.project_id, project_id, network_quota.NETWORK)

    @transactional()
    def write(serial: Serial | None) -> None:
        commissions.record_accepted(serial)
        network = lock_network(network_id)
        if network.project_id != seen.project_id or network.is_being_destroyed:
            raise StateConflict("The network has just changed. Try again.")
        network.project_id, network.shared_to_project = project_id, shared
        network.store("project_id", "shared_to_project")

    network_quota.charged(caller.user_id, charges, f"network {network_id}, action: REASSIGN", write)


@transactional()
def modify_for_operator(
    network_id: int, *, name: str | None = None, drained: bool | None = None, floating_ip_pool: bool | None = None,
    add_reserved: Sequence[str] = (), remove_reserved: Sequence[str] = (),
) -> Network:
    """Change a network, whoever owns it. Raises `NotFound`, `InvalidInput`, `StateConflict` (floating IPs in use)."""
    network = lock_network(network_id)
    if network.deleted:
        raise InvalidInput(f"Network {network_id} is deleted.")
    if name is not None:
        networks.change_network(network, name=name)
    if drained is not None:
        networks.set_drained(network, drained)
    if floating_ip_pool is not None:
        networks.set_floating_ip_pool(network, floating_ip_pool)
    networks.change_reservations(network, add_reserved, remove_reserved)
    return network
