"""The operations that make Ganeti follow what was decided about networks and NICs.

They are written with the rows that call for them and performed after commit, at once or by the worker. Kinds:
`network.create` (create and connect in one backend), `network.remove`, `network.release_quota`, `port.attach` and
`port.detach`. Every step may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import structlog
from django.db.models import Q
from django.utils import timezone

from synnefo.common.db import transactional
from synnefo.common.errors import DependencyUnavailable, DomainError
from synnefo.common.ids import ProjectID, UserID
from synnefo.cyclades import ganeti_names, macs
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.network_locks import lock_network, lock_networks
from synnefo.cyclades.models.networks import BackendNetwork, Network, Port
from synnefo.cyclades.models.operations import Operation
from synnefo.cyclades.models.servers import Server
from synnefo.cyclades.ports import GanetiCluster, GanetiNotFound, GanetiRefused, InstanceChanges
from synnefo.cyclades.services import commissions, network_jobs, network_quota, networks, operations, ports

log = structlog.get_logger(__name__)

CREATE, REMOVE, RELEASE = "network.create", "network.remove", "network.release_quota"
ATTACH, DETACH = "port.attach", "port.detach"
CREATION_TIMEOUT = timedelta(hours=1)
"""After this long without news the jobs of a creation are not waited for any more: it is asked for again."""


def start(pending: Iterable[Operation]) -> None:
    """Perform operations whose rows are committed; what cannot be done now is left to the worker."""
    for operation in pending:
        operations.perform(operation)


# Networks in backends ---------------------------------------------------------------------------------------------------
def ensure_networks_active(server: Server) -> list[Operation]:
    """Operations that bring the networks of a server's ports into its backend, where they are not there yet.

    Within the caller's transaction; perform them before the job that needs the networks.
    """
    if server.backend is None:
        return []
    wanted = lock_networks(server.ports.values_list("network_id", flat=True))
    return [operation for network in wanted.values() for operation in ensure_active(server.backend, network)]


def ensure_active(backend: Backend, network: Network) -> list[Operation]:
    """As `ensure_networks_active` for one network, whose row is locked. Nothing while its creation is under way."""
    row, _ = BackendNetwork.objects.get_or_create(
        network=network, backend=backend, defaults={"mac_prefix": macs.backend_prefix(network.mac_prefix, backend.index)})
    if row.state == BackendNetwork.ACTIVE or _is_under_way(row):
        return []
    row.state, row.deleted, row.creation_asked_at, row.creation_jobs = BackendNetwork.PENDING, False, timezone.now(), []
    row.save()
    return [operations.schedule(CREATE, backend=backend, payload={"backend_network": row.pk})]


def _is_under_way(row: BackendNetwork) -> bool:
    asked_at = row.creation_asked_at
    fresh = asked_at is not None and timezone.now() - asked_at < CREATION_TIMEOUT
    return row.state == BackendNetwork.PENDING and fresh


def network_dependencies(server_id: int) -> list[int]:
    """Jobs that a job with NICs of this server has to wait for, whatever their outcome. Reads only.

    Raises `DependencyUnavailable` while the creation of one of its networks has not been submitted: try again then.
    """
    ports_ = Port.objects.filter(server=server_id)
    backend_id = Server.objects.values_list("backend_id", flat=True).get(pk=server_id)
    rows = BackendNetwork.objects.filter(
        backend_id=backend_id, network__in=ports_.values("network_id"), state=BackendNetwork.PENDING)
    jobs: set[int] = set()
    for row in rows:
        if not row.creation_jobs:
            raise DependencyUnavailable("The network is not in the cluster yet.", network=row.network_id)
        jobs.update(row.creation_jobs)
    return sorted(jobs)


def create_in_all_backends(network: Network) -> None:
    """Create a network in every backend that is online; waits for nothing."""
    start(_create_everywhere(network.pk, list(Backend.objects.filter(offline=False).order_by("id"))))


def create_public_networks_in(backend: Backend) -> None:
    """Bring the public networks into a new backend."""
    for network_id in Network.objects.filter(public=True, deleted=False).order_by("id").values_list("id", flat=True):
        start(_create_everywhere(network_id, [backend]))


@transactional()
def _create_everywhere(network_id: int, backends: Sequence[Backend]) -> list[Operation]:
    network = lock_network(network_id)
    if network.deleted or network.is_being_destroyed:
        return []
    return [operation for backend in backends for operation in ensure_active(backend, network)]


def removal(network: Network) -> list[Operation]:
    """Operations that remove a network from the backends; without any it is gone at once. The network is locked."""
    rows = network.backend_networks.exclude(state=BackendNetwork.DELETED).select_related("backend").order_by("backend_id")
    pending = [
        operations.schedule(REMOVE, backend=row.backend, payload={"backend_network": row.pk, "network": network.pk})
        for row in rows
    ]
    return pending or (quota_release(network) if networks.recompute_state(network) else [])


def quota_release(network: Network) -> list[Operation]:
    """The operation that ends the charge for a private network that is gone. Within its last transaction."""
    if network.public or network.user_id is None or network.project_id is None:
        return []
    payload = {"network": network.pk, "user": network.user_id, "project": network.project_id}
    return [operations.schedule(RELEASE, payload=payload)]


def is_gone(backend: Backend, network_id: int) -> bool:
    """Whether the cluster says for certain that it lacks the network. Calls the cluster."""
    try:
        cluster_for(backend).get_network(ganeti_names.network_name(network_id))
    except GanetiNotFound:
        return True
    except DomainError:
        return False
    return False


@operations.register(CREATE, resumes_itself=True)
def _create(operation: Operation, cluster: GanetiCluster) -> list[int]:
    row = BackendNetwork.objects.select_related("network", "backend").filter(pk=operation.payload["backend_network"]).first()
    if row is None or row.network.deleted or row.network.is_being_destroyed or row.state == BackendNetwork.ACTIVE:
        return []
    try:
        jobs = network_jobs.create_and_connect(cluster, row, reason=operation.reason, is_repeated=operation.attempts > 1)
    except GanetiRefused as error:
        if error.retryable:
            raise
        _note_refused(row, error)
        return []
    BackendNetwork.objects.filter(pk=row.pk).update(
        creation_jobs=jobs, job_id=jobs[-1], opcode=network_jobs.CONNECT, job_status="queued")
    log.info("network.create.submitted", network=row.network_id, backend=row.backend_id, jobs=jobs)
    return jobs


def _note_refused(row: BackendNetwork, error: GanetiRefused) -> None:
    """Jobs that need the network are not held back: they fail where everybody can see it."""
    log.error("network.create.refused", network=row.network_id, backend=row.backend_id, reason=error.public)
    BackendNetwork.objects.filter(pk=row.pk).update(
        state=BackendNetwork.ERROR, opcode=network_jobs.ADD, job_status="error", log_message=error.public)


@operations.register(REMOVE, resumes_itself=True)
def _remove(operation: Operation, cluster: GanetiCluster) -> list[int]:
    network_id, row_id = operation.payload["network"], operation.payload["backend_network"]
    jobs = network_jobs.disconnect_and_remove(
        cluster, network_id, reason=operation.reason, is_repeated=operation.attempts > 1)
    if not jobs:
        start(_note_absent(network_id, row_id))
        return []
    BackendNetwork.objects.filter(pk=row_id).update(
        job_id=jobs[-1], opcode=network_jobs.REMOVE, job_status="queued")
    log.info("network.remove.submitted", network=network_id, jobs=jobs)
    return jobs


@transactional()
def _note_absent(network_id: int, row_id: int) -> list[Operation]:
    """The cluster never had the network, or has it no more."""
    network = lock_network(network_id)
    BackendNetwork.objects.filter(pk=row_id).update(state=BackendNetwork.DELETED, deleted=True)
    return quota_release(network) if networks.recompute_state(network) else []


@operations.register(RELEASE, give_up_after=commissions.follow_for)
def _release(operation: Operation, cluster: GanetiCluster | None) -> list[int]:
    """One network is released once: the ledger knows the request by its operation."""
    payload = operation.payload
    charges = {(ProjectID(payload["project"]), network_quota.NETWORK): -1}
    commissions.follow(UserID(payload["user"]), charges, request_id=str(operation.uuid),
                       name=f"client: api, resource: network {payload['network']}, action: DESTROY")
    return []


# NICs -------------------------------------------------------------------------------------------------------------------
def attachment(port: Port, server: Server) -> list[Operation]:
    """The operations that add a port's NIC to its locked server, its network first."""
    if server.backend is None:
        return []
    network = ensure_active(server.backend, lock_network(port.network_id))
    return [*network, operations.schedule(
        ATTACH, backend=server.backend, server=server, task="CONNECT", payload={"port": port.pk})]


def detachment(port: Port, server: Server) -> list[Operation]:
    """The operation that removes a port's NIC from its locked server."""
    return [operations.schedule(
        DETACH, backend=server.backend, server=server, task="DISCONNECT", payload={"port": port.pk})]


def _undo_attachment(operation: Operation, error: DomainError) -> None:
    """The cluster will never add the NIC: the port goes, its address is free again. The server is locked."""
    _end_task(operation)
    port = _port_of(operation)
    if port is not None and port.state == Port.BUILD:
        lock_network(port.network_id)
        ports.remove_port(port, reason=f"not attached: {error.public}")


def _undo_detachment(operation: Operation, error: DomainError) -> None:
    """The cluster will not remove the NIC: the port stays as it is. The server is locked."""
    _end_task(operation)
    Port.objects.filter(pk=operation.payload["port"]).update(detaching=False)


def _end_task(operation: Operation) -> None:
    if operation.server_id is not None:
        Server.objects.filter(pk=operation.server_id, task=operation.task, task_job_id=None).update(task="")


@operations.register(ATTACH, on_refused=_undo_attachment)
def _attach(operation: Operation, cluster: GanetiCluster) -> list[int]:
    port = _port_of(operation)
    if port is None or port.server_id is None:
        return []
    nic = ports.ganeti_nic(port)
    changes = InstanceChanges(nics=[("add", None, nic)], hotplug=operations.uses_hotplug())
    name = ganeti_names.instance_name(port.server_id)
    depends = network_dependencies(port.server_id)
    return [int(cluster.modify_instance(name, changes, reason=operation.reason, depends=depends))]


@operations.register(DETACH, on_refused=_undo_detachment)
def _detach(operation: Operation, cluster: GanetiCluster) -> list[int]:
    port = _port_of(operation)
    if port is None or port.server_id is None:
        return []
    changes = InstanceChanges(nics=[("remove", ganeti_names.nic_name(port.pk), {})], hotplug=operations.uses_hotplug())
    return [int(cluster.modify_instance(ganeti_names.instance_name(port.server_id), changes, reason=operation.reason))]


def _port_of(operation: Operation) -> Port | None:
    """The port of a NIC operation, if it still is on that server."""
    rows = Port.objects.filter(pk=operation.payload["port"], server=operation.server)
    return rows.select_related("network").prefetch_related("addresses").first()


def mark_missing(rows: Iterable[BackendNetwork]) -> None:
    """Rows whose network vanished from its cluster: the next `ensure_active` creates it again."""
    keys = [row.pk for row in rows]
    BackendNetwork.objects.filter(Q(pk__in=keys)).update(state=BackendNetwork.ERROR, creation_asked_at=None)
