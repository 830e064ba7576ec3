"""The engine that does outside the process what a transaction decided.

`schedule` writes an operation row in the transaction. `perform` runs it after commit: it claims the row, calls the registered function with the
cluster, and records the Ganeti jobs. The function may be run again after a crash or an unknown outcome; before that its jobs are looked up by
their reason, so that nothing is submitted twice. `finish` is called when the last job has ended. Whoever finds a due row performs it: the request
that wrote it, or a worker.

A function registered with `@register(kind)` gets (operation, cluster) and returns the ids of the jobs it submitted, in order; none means that
nothing is left to do. `cluster` is None for operations without a backend. It raises: a retryable error or `OutcomeUnknown` to be run again;
`GanetiRefused` when the cluster will never do it. `on_refused` then undoes what waits for the operation.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone
from prometheus_client import Counter

from synnefo.common.db import transactional
from synnefo.common.errors import DependencyUnavailable, DomainError, OutcomeUnknown
from synnefo.common.settings import conf
from synnefo.cyclades.adapters import cluster_for, patience
from synnefo.cyclades.models import Backend, Operation, OperationState, Server
from synnefo.cyclades.ports import BackendOffline, GanetiCluster

log = structlog.get_logger(__name__)
OPERATIONS = Counter("synnefo_operations", "Attempts at operations by kind and outcome", ["kind", "outcome"])
CLAIM = datetime.timedelta(seconds=90)
"""Longer than any attempt takes: afterwards another process may assume that the first one died."""
UNKNOWN_PAUSE = datetime.timedelta(seconds=5)
"""A submission whose answer was lost shows up in the job queue within this time, or not at all."""
FIRST_PAUSE, LONGEST_PAUSE = datetime.timedelta(seconds=2), datetime.timedelta(minutes=5)
type_perform = Callable[[Operation, GanetiCluster], list[int]]
type_refused = Callable[[Operation, DomainError], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of operation is done and undone."""

    name: str
    perform: Callable[[Operation, Any], list[int]]
    resumes_itself: bool
    """Finds its own earlier jobs; otherwise any job with the operation's reason is taken for the whole."""
    on_refused: type_refused | None
    give_up_after: Callable[[], datetime.timedelta] | None
    """Age at which a passing failure counts as a refusal."""


KINDS: dict[str, Kind] = {}


def register(
    kind: str, *, resumes_itself: bool = False, on_refused: type_refused | None = None,
    give_up_after: Callable[[], datetime.timedelta] | None = None,
) -> Callable[[Callable[[Operation, Any], list[int]]], Callable[[Operation, Any], list[int]]]:
    """Register the function that performs a kind."""

    def decorate(function: Callable[[Operation, Any], list[int]]) -> Callable[[Operation, Any], list[int]]:
        KINDS[kind] = Kind(kind, function, resumes_itself, on_refused, give_up_after)
        return function

    return decorate


def schedule(kind: str, *, backend: Backend | None = None, server: Server | None = None, task: str = "",
             payload: Mapping[str, Any] | None = None) -> Operation:
    """Write the intent, in the caller's transaction. With a `task` the server (locked) shows it as under way."""
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    # The writer performs it itself right after commit; until then no worker should take it.
    operation = Operation.objects.create(kind=kind, backend=backend, server=server, task=task, payload=dict(payload or {}),
                                         request_id=request_id[:64], next_attempt_at=timezone.now() + FIRST_PAUSE)
    if server is not None and task:
        server.task, server.task_job_id, server.action = task, None, task
        server.save(update_fields=["task", "task_job_id", "action", "serial", "updated_at"])
    return operation


def uses_hotplug() -> bool:
    return bool(conf.GANETI_USE_HOTPLUG)


def perform(operation: Operation, *, wait_s: float | None = None) -> Operation:
    """Try an operation once, now. Never raises: what could not be done stays for the worker. Not inside a transaction.

    The cluster gets `wait_s` seconds to answer, CYCLADES_SUBMIT_WAIT_SECONDS when none are given.
    """
    with patience(conf.CYCLADES_SUBMIT_WAIT_SECONDS if wait_s is None else wait_s):
        return _perform(operation)


def _perform(operation: Operation) -> Operation:
    claimed = _claim(operation.pk)
    if claimed is None:
        return operation
    kind = KINDS[claimed.kind]
    try:
        jobs = _jobs_of(claimed, kind)
    except OutcomeUnknown as error:
        _postpone(claimed, error, UNKNOWN_PAUSE, "unknown")
    except DomainError as error:
        if error.retryable and not _is_too_old(claimed, kind):
            _postpone(claimed, error, _pause(claimed.attempts), "postponed")
        else:
            _refuse(claimed, kind, error)
    except Exception as error:
        log.exception("operation.crashed", operation=str(claimed.uuid), kind=claimed.kind)
        _postpone(claimed, error, _pause(claimed.attempts), "crashed")
    else:
        _record_jobs(claimed, jobs)
    return claimed


def _claim(key: Any, now: datetime.datetime | None = None) -> Operation | None:
    """Take the row for a while, or None when another process has it or it is done."""
    with transaction.atomic(durable=True):
        found = Operation.objects.select_for_update().filter(pk=key, state=OperationState.PENDING).first()
        if found is None or (found.attempts and found.next_attempt_at > (now or timezone.now())):
            return None
        found.attempts += 1
        found.next_attempt_at = timezone.now() + CLAIM
        found.save(update_fields=["attempts", "next_attempt_at", "updated_at"])
    return found


def _jobs_of(operation: Operation, kind: Kind) -> list[int]:
    if operation.backend is None:
        return kind.perform(operation, None)
    cluster = cluster_for(operation.backend)
    if operation.attempts > 1 and not kind.resumes_itself:
        earlier = cluster.find_jobs(operation.reason)
        if earlier:
            return [int(job.id) for job in earlier]
    return kind.perform(operation, cluster)


def _pause(attempts: int) -> datetime.timedelta:
    pause: datetime.timedelta = FIRST_PAUSE * (1 << min(attempts, 10))
    return min(LONGEST_PAUSE, pause)


def _is_too_old(operation: Operation, kind: Kind) -> bool:
    return kind.give_up_after is not None and timezone.now() - operation.created_at > kind.give_up_after()


@transactional()
def _record_jobs(operation: Operation, jobs: list[int]) -> None:
    """The jobs are in the queue: the server's task waits for the last one."""
    server = Server.objects.select_for_update().filter(pk=operation.server_id).first() if operation.server_id else None
    row = Operation.objects.select_for_update().get(pk=operation.pk)
    if row.state != OperationState.PENDING:
        return
    row.jobs, row.last_error = jobs, ""
    row.state = OperationState.SUBMITTED if jobs else OperationState.DONE
    row.next_attempt_at = timezone.now()
    row.save()
    operation.state, operation.jobs = row.state, row.jobs
    if server is not None and row.task and server.task == row.task and server.task_job_id is None:
        _note_task(server, jobs)
    OPERATIONS.labels(row.kind, "submitted" if jobs else "done").inc()
    log.info("operation.submitted", operation=str(row.uuid), kind=row.kind, server=row.server_id, jobs=jobs)


def _note_task(server: Server, jobs: list[int]) -> None:
    """The server waits for the last job; without any there is nothing to wait for."""
    if jobs:
        server.task_job_id = server.backendjobid = jobs[-1]
        server.backendjobstatus = "queued"
    else:
        server.task = ""
    server.save(update_fields=["task", "task_job_id", "backendjobid", "backendjobstatus", "updated_at"])


def _postpone(operation: Operation, error: Exception, pause: datetime.timedelta, outcome: str) -> None:
    text = error.public if isinstance(error, DomainError) else type(error).__name__
    if isinstance(error, BackendOffline):
        pause = LONGEST_PAUSE
    Operation.objects.filter(pk=operation.pk, state=OperationState.PENDING).update(
        next_attempt_at=timezone.now() + pause, last_error=text[:1000])
    OPERATIONS.labels(operation.kind, outcome).inc()
    log.warning("operation.postponed", operation=str(operation.uuid), kind=operation.kind, outcome=outcome, reason=text,
                pause_s=pause.total_seconds())


@transactional()
def _refuse(operation: Operation, kind: Kind, error: DomainError) -> None:
    """The cluster will not do it: undo what waits for it."""
    if operation.server_id:
        Server.objects.select_for_update().filter(pk=operation.server_id).first()
    row = Operation.objects.select_for_update().get(pk=operation.pk)
    if row.state != OperationState.PENDING:
        return
    row.state, row.last_error = OperationState.FAILED, error.public[:1000]
    row.save()
    if kind.on_refused is not None:
        kind.on_refused(row, error)
    operation.state = row.state
    OPERATIONS.labels(row.kind, "refused").inc()
    log.warning("operation.refused", operation=str(row.uuid), kind=row.kind, server=row.server_id, reason=error.public)


def finish(job_id: int, *, server: Server, succeeded: bool) -> None:
    """A job has ended: the operation of the server (locked) whose last job it is has ended too. Repeatable."""
    for row in Operation.objects.select_for_update().filter(server=server, state=OperationState.SUBMITTED):
        if row.jobs and row.jobs[-1] == job_id:
            row.state = OperationState.DONE if succeeded else OperationState.FAILED
            row.save(update_fields=["state", "updated_at"])


def is_being_submitted(server: Server) -> bool:
    """Whether a process is, right now, between submitting the server's task and recording its job."""
    if not server.task or server.task_job_id is not None:
        return False
    return Operation.objects.filter(server=server, state=OperationState.PENDING, task=server.task, attempts__gt=0,
                                    next_attempt_at__gt=timezone.now()).exists()


def perform_due(*, limit: int = 20) -> int:
    """Perform operations that are due. Returns how many were tried."""
    due = Operation.objects.filter(state=OperationState.PENDING, next_attempt_at__lte=timezone.now()).order_by("next_attempt_at")
    keys = list(due.values_list("pk", flat=True)[:limit])
    for key in keys:
        perform(Operation(pk=key), wait_s=CLAIM.total_seconds() / 2)
    return len(keys)


def overdue(*, older_than: datetime.timedelta, limit: int = 50) -> list[Operation]:
    """Submitted operations of which nothing was heard for a while: their jobs are worth a look."""
    rows = Operation.objects.filter(state=OperationState.SUBMITTED, updated_at__lt=timezone.now() - older_than)
    return list(rows.select_related("backend", "server").order_by("updated_at")[:limit])


def forget_finished(*, older_than: datetime.timedelta) -> int:
    """Drop operations that ended long ago. Returns how many."""
    ended = Operation.objects.filter(state__in=(OperationState.DONE, OperationState.FAILED), updated_at__lt=timezone.now() - older_than)
    return ended.delete()[0]


def require_online(backend: Backend | None) -> Backend:
    """The backend, if it may be called. Raises `DependencyUnavailable`."""
    if backend is None or backend.offline:
        raise DependencyUnavailable("The server cannot be managed now: its cluster is offline. Try again later.")
    return backend
