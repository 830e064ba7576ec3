"""Servers in the database against instances in Ganeti: report what differs, and repair it with events that say what was seen.

Read in this order: the time T, our servers, the instances, then single jobs. A repair applies the observation as an event with time T and no job,
under the server's lock, through the same code as real events; anything newer than T wins.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db.models import Prefetch
from django.utils import timezone

from synnefo.common.errors import DomainError
from synnefo.common.settings import conf
from synnefo.cyclades import ganeti_names
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models import Backend, Operation, OperationState, OperState, Port, Server
from synnefo.cyclades.ports import GanetiCluster, GanetiNotFound, Instance, Job
from synnefo.cyclades.reconcilers import networks
from synnefo.cyclades.services import events, network_operations, operations

log = structlog.get_logger(__name__)
BUILD_GRACE = datetime.timedelta(minutes=10)
MOST_ORPHANS_SHARE, FEWEST_ORPHANS = 0.10, 5
"""A wrong database must not wipe a cluster: more orphans than this are removed only when an operator insists."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `kind`: stale, orphan, operstate, flavor, nics, task. `apply` is the observation that repairs it."""

    kind: str
    backend: Backend
    server_id: int
    text: str
    observation: dict[str, Any] | None = None
    job: Job | None = None


def observe(backend: Backend) -> Iterator[Finding]:
    """What differs in one online backend. Calls the cluster; raises as it does."""
    at = timezone.now()
    rows = Server.objects.filter(backend=backend, deleted=False).select_related("flavor__volume_type").prefetch_related(
        Prefetch("ports", Port.objects.filter(state=Port.ACTIVE)))
    servers = {server.pk: server for server in rows}
    cluster = cluster_for(backend)
    instances: dict[int, Instance] = {}
    for instance in cluster.list_instances(prefix=conf.BACKEND_PREFIX_ID):
        server_id = ganeti_names.server_id_of(instance.name)
        if server_id is not None:
            instances[server_id] = instance
    states = {ganeti_names.server_id_of(item.name): item.is_running for item in cluster.list_instance_states(prefix=conf.BACKEND_PREFIX_ID)}
    for server_id, server in servers.items():
        found = instances.get(server_id)
        if found is None:
            yield from _missing(backend, cluster, server, at)
        else:
            yield from _unsynced(backend, cluster, server, found, states.get(server_id), at)
    yield from _orphans(backend, set(instances) - set(servers))


def _observation(backend: Backend, server_id: int, opcode: str, status: str, at: datetime.datetime, text: str, **more: Any) -> dict[str, Any]:
    return {"type": "ganeti-op-status", "operation": opcode, "instance": ganeti_names.instance_name(server_id), "status": status,
            "cluster": backend.clustername, "jobId": 0, "event_time": [int(at.timestamp()), at.microsecond], "logmsg": f"reconciled: {text}",
            "result": None, "job_fields": {}, **more}


def _missing(backend: Backend, cluster: GanetiCluster, server: Server, at: datetime.datetime) -> Iterator[Finding]:
    """In our database only."""
    if Operation.objects.filter(server=server, state=OperationState.PENDING).exists():
        return
    if server.operstate == OperState.BUILD:
        job = cluster.get_job(server.backendjobid) if server.backendjobid else None
        if (job is not None and not job.is_final) or (server.backendjobid is None and at - server.created_at < BUILD_GRACE):
            return
        if job is None or job.status != "success":
            text = "the build's job failed or is unknown"
            yield Finding("stale", backend, server.pk, text, _observation(backend, server.pk, "OP_INSTANCE_CREATE", "error", at, text), job)
            return
    elif server.operstate == OperState.ERROR and server.task != "DESTROY":
        return
    text = "the instance does not exist in the cluster"
    yield Finding("stale", backend, server.pk, text, _observation(backend, server.pk, "OP_INSTANCE_REMOVE", "success", at, text))


def _unsynced(backend: Backend, cluster: GanetiCluster, server: Server, instance: Instance, is_running: bool | None,
              at: datetime.datetime) -> Iterator[Finding]:
    """In both, but different. A server with a pending task changes right now: its job decides."""
    if server.task:
        job = cluster.get_job(server.task_job_id) if server.task_job_id else None
        if server.task_job_id and (job is None or job.is_final):
            yield Finding("task", backend, server.pk, f"the job of {server.task} has ended", None, job)
        return
    if server.operstate == OperState.BUILD:
        yield from _built(backend, cluster, server, at)
        return
    if is_running is not None and server.operstate in {OperState.STARTED, OperState.STOPPED}:
        wanted = OperState.STARTED if is_running else OperState.STOPPED
        if server.operstate != wanted:
            opcode = "OP_INSTANCE_STARTUP" if is_running else "OP_INSTANCE_SHUTDOWN"
            text = f"operstate {server.operstate}, but the instance is {'running' if is_running else 'stopped'}"
            yield Finding("operstate", backend, server.pk, text, _observation(backend, server.pk, opcode, "success", at, text))
    if (server.flavor.cpu, server.flavor.ram) != (instance.vcpus, instance.max_memory_mib):
        text = f"flavor {server.flavor.name}, but the instance has {instance.vcpus} CPUs and {instance.max_memory_mib} MiB"
        fields = {"beparams": {"vcpus": instance.vcpus, "maxmem": instance.max_memory_mib}}
        yield Finding("flavor", backend, server.pk, text,
                      _observation(backend, server.pk, "OP_INSTANCE_SET_PARAMS", "success", at, text, job_fields=fields))
    ours = {ganeti_names.nic_name(port.pk) for port in server.ports.all()}
    theirs = {nic.name for nic in instance.nics if nic.name}
    if ours != theirs and server.operstate != OperState.ERROR:
        text = f"ports {sorted(ours)}, but the instance has {sorted(theirs)}"
        yield Finding("nics", backend, server.pk, text, _observation(backend, server.pk, "OP_INSTANCE_SET_PARAMS", "success", at, text,
                                                                    instance_nics=nics_of(instance)))


def _built(backend: Backend, cluster: GanetiCluster, server: Server, at: datetime.datetime) -> Iterator[Finding]:
    """The instance exists and nothing is under way, so its build has ended. Whether it runs is for the next round."""
    job = cluster.get_job(server.backendjobid) if server.backendjobid else None
    if job is not None and job.is_final and (job.ended_at is None or job.ended_at < at):
        text = f"the build's job ended with {job.status}"
        yield Finding("operstate", backend, server.pk, text, _observation(backend, server.pk, "OP_INSTANCE_CREATE", job.status, at, text))


def nics_of(instance: Instance) -> list[dict[str, Any]]:
    """The instance's NICs as an event carries them."""
    return [{"name": nic.name, "network": nic.network, "ip": nic.ip, "mac": nic.mac, "mode": nic.mode, "link": nic.link, "uuid": nic.uuid}
            for nic in instance.nics]


def _orphans(backend: Backend, server_ids: set[int]) -> Iterator[Finding]:
    """In Ganeti only. An id that this database never gave out belongs to somebody else; one that is alive here came after our first look."""
    rows = dict(Server.objects.filter(pk__in=server_ids).values_list("pk", "deleted"))
    known = {server_id for server_id, is_deleted in rows.items() if is_deleted}
    deleting = set(Operation.objects.filter(server__in=known, kind="server.delete", state__in=(OperationState.PENDING, OperationState.SUBMITTED))
                   .values_list("server", flat=True))
    for server_id in sorted(server_ids - deleting):
        if server_id in known:
            yield Finding("orphan", backend, server_id, "the instance of a deleted server still exists")
        elif server_id not in rows:
            log.warning("reconcile.foreign_instance", backend=backend.pk, instance=ganeti_names.instance_name(server_id))


def observe_all(backends: Iterable[Backend]) -> tuple[list[Finding], dict[str, str]]:
    """What differs in several backends, and why those that are left out could not be asked, by cluster name."""
    findings, failures = [], {}
    for backend in backends:
        try:
            findings += list(observe(backend))
        except DomainError as error:
            failures[backend.clustername] = error.public
            log.warning("reconcile.backend_failed", backend=backend.pk, reason=error.public)
    return findings, failures


def repair(findings: Sequence[Finding], *, force: bool = False) -> list[Finding]:
    """Repair what can be; one that fails does not stop the others. Returns what was left alone.

    `force` removes any number of orphans.
    """
    left = []
    orphans = Counter(item.backend.pk for item in findings if item.kind == "orphan")
    for item in findings:
        if item.kind == "orphan" and not force and not _is_plausible(item.backend, orphans[item.backend.pk]):
            left.append(item)
            continue
        try:
            _repair(item)
        except DomainError as error:
            left.append(item)
            log.warning("reconcile.repair_failed", kind=item.kind, server=item.server_id, reason=error.public)
        else:
            log.info("reconcile.repaired", kind=item.kind, server=item.server_id, text=item.text)
    return left


def _repair(item: Finding) -> None:
    if item.kind == "orphan":
        _remove_orphan(item)
    elif item.kind == "task":
        _finish_task(item)
    elif item.observation is not None:
        network_operations.start(events.apply(item.server_id, events.Event(item.observation)))


def _is_plausible(backend: Backend, orphans: int) -> bool:
    return orphans <= max(FEWEST_ORPHANS, MOST_ORPHANS_SHARE * max(1, backend.pinst_cnt))


def _remove_orphan(item: Finding) -> None:
    cluster = cluster_for(item.backend)
    cluster.remove_instance(ganeti_names.instance_name(item.server_id), reason=f"snf:orphan-{item.server_id}", timeout_s=0)


def _finish_task(item: Finding) -> None:
    """The task's job has ended and no event told us."""
    server = Server.objects.select_related("backend").get(pk=item.server_id)
    if server.task_job_id is None or server.backend is None:
        return
    follow_job(server, server.task_job_id, item.job)


def follow_job(server: Server, job_id: int, job: Job | None) -> None:
    """Apply the end of a server's job as it stands in the cluster, as if its event had just come. A job that is unknown has failed."""
    backend = server.backend
    assert backend is not None
    if job is not None and not job.is_final:
        return
    opcode = job.ops[-1].op_id if job is not None and job.ops else _opcode_of(server)
    at = job.ended_at if job is not None and job.ended_at else timezone.now()
    message = _observation(backend, server.pk, opcode, job.status if job is not None else "error", at, "seen in the job queue")
    message |= {"jobId": job_id, "result": job.ops[-1].result if job is not None and job.ops else None}
    if job is not None and job.ops:
        message["job_fields"] = {"beparams": job.ops[-1].input.get("beparams") or {}}
    try:
        instance = cluster_for(backend).get_instance(ganeti_names.instance_name(server.pk))
        message["instance_nics"] = nics_of(instance)
    except GanetiNotFound:
        pass
    is_gone = opcode == "OP_INSTANCE_REMOVE" and "instance_nics" not in message
    network_operations.start(events.apply(server.pk, events.Event(message), is_gone=is_gone))


_OPCODES = {"BUILD": "OP_INSTANCE_CREATE", "START": "OP_INSTANCE_STARTUP", "STOP": "OP_INSTANCE_SHUTDOWN", "REBOOT": "OP_INSTANCE_REBOOT",
            "DESTROY": "OP_INSTANCE_REMOVE"}


def _opcode_of(server: Server) -> str:
    return _OPCODES.get(server.task, "OP_INSTANCE_SET_PARAMS")


def _follow_network(operation: Operation) -> bool:
    has_ended = networks.follow(operation)
    changes = {"state": OperationState.DONE} if has_ended else {"updated_at": timezone.now()}
    Operation.objects.filter(pk=operation.pk, state=OperationState.SUBMITTED).update(**changes)
    return has_ended


def follow_overdue(*, older_than: datetime.timedelta) -> int:
    """Look at the jobs of operations of which no event came. Returns how many ended meanwhile."""
    ended = 0
    for operation in operations.overdue(older_than=older_than):
        if operation.backend is None or not operation.jobs:
            Operation.objects.filter(pk=operation.pk).update(state=OperationState.DONE)
            continue
        try:
            if operation.server is None:
                ended += _follow_network(operation)
                continue
            job = cluster_for(operation.backend).get_job(operation.jobs[-1])
            if job is not None and not job.is_final:
                Operation.objects.filter(pk=operation.pk).update(updated_at=timezone.now())
                continue
            if not operation.server.deleted:
                follow_job(operation.server, operation.jobs[-1], job)
            succeeded = job is not None and job.status == "success"
            Operation.objects.filter(pk=operation.pk, state=OperationState.SUBMITTED).update(
                state=OperationState.DONE if succeeded else OperationState.FAILED)
            ended += 1
        except DomainError as error:
            # Behind those that can be asked about, so that one dead cluster holds up nobody else.
            Operation.objects.filter(pk=operation.pk).update(updated_at=timezone.now())
            log.warning("operation.follow.failed", operation=str(operation.uuid), reason=error.public)
    return ended
