"""Compares the networks of the database with those of the clusters: one bulk question for each backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from synnefo.common.db import transactional
from synnefo.common.errors import DomainError
from synnefo.common.settings import conf
from synnefo.cyclades import bitmaps, ganeti_names, macs
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.network_locks import lock_network
from synnefo.cyclades.models.networks import BackendNetwork, Network
from synnefo.cyclades.models.operations import Operation
from synnefo.cyclades.models.pools import AddressPool
from synnefo.cyclades.ports import GanetiCluster, GanetiNetwork, Job
from synnefo.cyclades.services import network_events, network_jobs, network_operations, networks

log = structlog.get_logger(__name__)

SETTLING = timedelta(seconds=60)
"""Jobs asked for this recently are not judged: they may just be running."""
REASON = "snf:reconcile-networks"


@dataclass
class Report:
    """`found` and `fixed` are lines for people; `unreachable` names backends that gave no full answer."""

    found: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One backend's answer."""

    backend: Backend
    cluster: GanetiCluster
    groups: frozenset[str]
    networks: dict[int, GanetiNetwork]


def reconcile_networks(*, fix: bool) -> Report:
    """Compare every network with every backend that is online, and with `fix` make them agree.

    Calls the clusters; opens a short transaction for each correction. A backend that fails does not stop the others,
    and what it did not answer is never taken for missing.
    """
    report = Report()
    for backend in Backend.objects.filter(offline=False).order_by("id"):
        try:
            seen = _look(backend)
            for line in _check_backend(seen, report, fix=fix):
                report.found.append(line)
        except DomainError as error:
            log.warning("reconcile.networks.backend_failed", backend=backend.pk, reason=error.public)
            report.unreachable.append(f"{backend.clustername}: {error.public}")
    _check_states(report, fix=fix)
    return report


def _look(backend: Backend) -> _Seen:
    cluster = cluster_for(backend)
    found = {
        network_id: network for network in cluster.list_networks(prefix=f"{conf.BACKEND_PREFIX_ID}net-")
        if (network_id := ganeti_names.network_id_of(network.name)) is not None
    }
    return _Seen(backend, cluster, frozenset(cluster.list_groups()), found)


def _check_backend(seen: _Seen, report: Report, *, fix: bool) -> Iterator[str]:
    rows = {
        row.network_id: row for row in
        BackendNetwork.objects.filter(backend=seen.backend, network__deleted=False).select_related("network", "backend")
    }
    live = {network.pk: network for network in Network.objects.filter(deleted=False).order_by("id")}
    for network_id, network in live.items():
        yield from _check_network(seen, network, rows.get(network_id), report, fix=fix)
    for network_id in sorted(set(seen.networks) - set(live)):
        yield from _orphan(seen, network_id, report, fix=fix)


def _check_network(
    seen: _Seen, network: Network, row: BackendNetwork | None, report: Report, *, fix: bool
) -> Iterator[str]:
    where = f"network {network.pk} on {seen.backend.clustername}"
    there = seen.networks.get(network.pk)
    if row is not None and _is_settling(row):
        return
    if there is None:
        if row is not None and not row.deleted:
            yield from _absent(seen, network, row, where, report, fix=fix)
        return
    if row is None:
        yield f"{where}: is in the cluster, the database does not know"
        row = _adopt(seen, network) if fix else None
        _fixed(report, fix, f"{where}: noted in the database")
    yield from _disconnected(seen, row, there, where, report, fix=fix)
    missing = seen.groups - {group[0] for group in there.groups}
    if row is not None and not missing and row.state != BackendNetwork.ACTIVE:
        yield f"{where}: exists and is connected, the database says {row.state}"
        if fix:
            network_events.apply_observed(network.pk, seen.backend, network_jobs.CONNECT, at=timezone.now())
        _fixed(report, fix, f"{where}: marked ACTIVE")
    yield from _reservations(network, there, where, report, fix=fix)


def _is_settling(row: BackendNetwork) -> bool:
    return row.state == BackendNetwork.PENDING and timezone.now() - row.updated_at < SETTLING


def _fixed(report: Report, fix: bool, text: str) -> None:
    if fix:
        report.fixed.append(text)


def _absent(
    seen: _Seen, network: Network, row: BackendNetwork, where: str, report: Report, *, fix: bool
) -> Iterator[str]:
    if network.is_being_destroyed:
        yield f"{where}: is gone, the database waits for its removal"
        if fix:
            network_events.apply_observed(network.pk, seen.backend, network_jobs.REMOVE, at=timezone.now())
        _fixed(report, fix, f"{where}: removal noted")
        return
    yield f"{where}: is missing in the cluster"
    if fix:
        network_operations.mark_missing([row])
        network_operations.start(_again(network.pk, seen.backend))
    _fixed(report, fix, f"{where}: creation submitted")


@transactional()
def _again(network_id: int, backend: Backend) -> list[Operation]:
    return network_operations.ensure_active(backend, lock_network(network_id))


@transactional()
def _adopt(seen: _Seen, network: Network) -> BackendNetwork:
    lock_network(network.pk)
    prefix = macs.backend_prefix(network.mac_prefix, seen.backend.index)
    row, _ = BackendNetwork.objects.get_or_create(
        network=network, backend=seen.backend, defaults={"mac_prefix": prefix})
    return row


def _disconnected(
    seen: _Seen, row: BackendNetwork | None, there: GanetiNetwork, where: str, report: Report, *, fix: bool
) -> Iterator[str]:
    missing = sorted(seen.groups - {group[0] for group in there.groups})
    if not missing or (row is not None and row.network.is_being_destroyed):
        return
    yield f"{where}: is not connected to {', '.join(missing)}"
    if fix and row is not None:
        network_jobs.connect(seen.cluster, row, missing, reason=REASON)
        _fixed(report, fix, f"{where}: connection to {', '.join(missing)} submitted")


def _reservations(
    network: Network, there: GanetiNetwork, where: str, report: Report, *, fix: bool
) -> Iterator[str]:
    """Addresses somebody reserved in Ganeti must not be given out here."""
    unknown = _unreserved(network, there.external_reservations)
    if not unknown:
        return
    yield f"{where}: {', '.join(unknown)} reserved in the cluster only"
    if fix:
        with transaction.atomic():
            network_events.reserve_outside(lock_network(network.pk), unknown)
    _fixed(report, fix, f"{where}: {', '.join(unknown)} reserved")


def _unreserved(network: Network, reserved: Sequence[str]) -> list[str]:
    rows = list(AddressPool.objects.select_related("subnet").filter(subnet__network=network, subnet__deleted=False))
    known = {pool.value_of(index) for pool in rows for index in bitmaps.members_of(pool.reserved_bits)}
    ours = [value for value in reserved if any(pool.index_of(value) is not None for pool in rows)]
    return [value for value in ours if value not in known]


def _orphan(seen: _Seen, network_id: int, report: Report, *, fix: bool) -> Iterator[str]:
    name = ganeti_names.network_name(network_id)
    where = f"network {name} on {seen.backend.clustername}"
    if not Network.objects.filter(pk=network_id).exists():
        yield f"{where}: carries our prefix but was never ours; left alone"
        return
    yield f"{where}: is deleted here but still in the cluster"
    if fix:
        network_jobs.disconnect_and_remove(seen.cluster, network_id, reason=REASON, is_repeated=False)
    _fixed(report, fix, f"{where}: removal submitted")


def follow(operation: Operation) -> bool:
    """Apply the ends of a network operation's jobs as they stand in the cluster, as if their events had just come.

    Calls the cluster. True when all of them have ended (or are not known any more).
    """
    if operation.backend is None or "backend_network" not in operation.payload:
        return True
    row = BackendNetwork.objects.filter(pk=operation.payload["backend_network"]).first()
    if row is None:
        return True
    cluster = cluster_for(operation.backend)
    jobs = [job for job_id in operation.jobs if (job := cluster.get_job(job_id)) is not None]
    if not all(job.is_final for job in jobs):
        return False
    for job in jobs:
        network_events.handle_network_event(_as_message(row.network_id, operation.backend, job))
    return True


def _as_message(network_id: int, backend: Backend, job: Job) -> dict[str, Any]:
    ended_at = job.ended_at or timezone.now()
    return {
        "operation": job.ops[0].op_id if job.ops else "", "network": ganeti_names.network_name(network_id),
        "status": job.status, "cluster": backend.clustername, "jobId": int(job.id),
        "logmsg": job.error.message if job.error else "", "job_fields": {},
        "event_time": [int(ended_at.timestamp()), ended_at.microsecond],
    }


def _check_states(report: Report, *, fix: bool) -> None:
    waiting = Network.objects.filter(deleted=False).exclude(state=Network.ACTIVE, action=Network.CREATE).order_by("id")
    for network_id in waiting.values_list("id", flat=True):
        if fix:
            network_operations.start(_recompute(network_id))


@transactional()
def _recompute(network_id: int) -> list[Operation]:
    network = lock_network(network_id)
    return network_operations.quota_release(network) if networks.recompute_state(network) else []
