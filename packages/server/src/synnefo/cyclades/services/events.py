"""Applying what Ganeti's jobs report: at least once, in any order. Older news never undoes newer, and no event is needed twice.

A message is applied in one transaction under the server's row lock. What must follow outside (telling the ledger, a forced charge) is written as
decided commissions and operations, and done after commit.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.utils import timezone
from prometheus_client import Counter, Gauge

from synnefo.common.db import transactional
from synnefo.common.errors import DependencyUnavailable, InvalidInput
from synnefo.cyclades import ganeti_names
from synnefo.cyclades.models import (
    Backend,
    Flavor,
    Operation,
    OperState,
    Server,
    ServerDiagnostic,
    VolumeStatus,
)
from synnefo.cyclades.ports import FINAL_STATUSES, PENDING_STATUSES, error_of
from synnefo.cyclades.services import (
    backends,
    build_parameters,
    charges,
    commissions,
    network_operations,
    operations,
    ports,
    server_jobs,
)
from synnefo.cyclades.services.network_events import handle_network_event
from synnefo.cyclades.services.nic_sync import sync_nics

log = structlog.get_logger(__name__)
EVENTS = Counter("synnefo_events", "Events by type and what became of them", ["type", "outcome"])
AGE = Gauge("synnefo_event_age_seconds", "Age of the last applied event", ["cluster"])
FINALS_KEPT = 32
MOST_AHEAD = datetime.timedelta(seconds=60)
"""A cluster's clock that is further ahead must not make everything that follows look old."""
MAX_DETAILS = 65536
OPERSTATES = {"OP_INSTANCE_CREATE": OperState.STARTED, "OP_INSTANCE_STARTUP": OperState.STARTED, "OP_INSTANCE_REBOOT": OperState.STARTED,
              "OP_INSTANCE_SHUTDOWN": OperState.STOPPED}
ACTIONS = {"OP_INSTANCE_STARTUP": "START", "OP_INSTANCE_REBOOT": "REBOOT", "OP_INSTANCE_SHUTDOWN": "STOP"}


class Event:
    """An instance message, its shape checked. Raises `InvalidInput`."""

    def __init__(self, message: Mapping[str, Any]) -> None:
        try:
            self.opcode = str(message["operation"])
            self.instance = str(message["instance"])
            self.status = str(message["status"])
            self.cluster = str(message["cluster"])
            self.job_id = int(message["jobId"])
            self.at = parse_time(message["event_time"])
            self.result = message.get("result")
            self.log_message = str(message.get("logmsg") or "")[:1000]
            self.fields: Mapping[str, Any] = message.get("job_fields") or {}
            self.nics = message.get("instance_nics")
            self.disks = message.get("instance_disks")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InvalidInput(f"Malformed event: {error!r}") from error
        if self.status not in FINAL_STATUSES | PENDING_STATUSES:
            raise InvalidInput(f"Unknown job status {self.status!r}")

    @property
    def is_final(self) -> bool:
        return self.status in FINAL_STATUSES

    @property
    def succeeded(self) -> bool:
        return self.status == "success"


def parse_time(value: Any) -> datetime.datetime:
    """[seconds, microseconds], or seconds with a fraction, as an aware time. Raises what `float` and unpacking raise."""
    seconds, microseconds = value if isinstance(value, list | tuple) else divmod(float(value) * 1_000_000, 1_000_000)
    if not isinstance(value, list | tuple):
        seconds, microseconds = divmod(round(float(value) * 1_000_000), 1_000_000)
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC).replace(microsecond=int(microseconds) % 1_000_000)


def handle(message: Mapping[str, Any]) -> None:
    """Apply one message of any type. Raises `InvalidInput` for one that can never be applied, retryable errors for one that may be later."""
    kind = str(message.get("type", ""))
    handler = _HANDLERS.get(kind, _on_image if kind.startswith("image-") else None)
    if handler is None:
        EVENTS.labels("unknown", "ignored").inc()
        log.info("event.unknown_type", type=kind[:100])
        return
    handler(message)
    backends.note_event(str(message.get("cluster", "")))
    EVENTS.labels(kind if kind in _HANDLERS else "progress", "handled").inc()


# Instances --------------------------------------------------------------------------------------------------------


def _on_instance(message: Mapping[str, Any]) -> None:
    event = Event(message)
    server_id = ganeti_names.server_id_of(event.instance)
    if server_id is None or not Server.objects.filter(pk=server_id, deleted=False).exists():
        log.info("event.not_ours", instance=event.instance)
        return
    if event.opcode.startswith("OP_TAGS"):
        return
    # Asked before the transaction, since it calls the cluster: a removal that failed because the instance is gone is done.
    is_gone = event.opcode == "OP_INSTANCE_REMOVE" and event.status in {"error", "canceled"} and _is_gone(event.cluster, server_id)
    network_operations.start(apply(server_id, event, is_gone=is_gone))
    age = timezone.now() - event.at
    AGE.labels(event.cluster).set(age.total_seconds())
    if -age > MOST_AHEAD:
        log.error("event.from_the_future", cluster=event.cluster, ahead_s=-age.total_seconds())


def _is_gone(cluster: str, server_id: int) -> bool:
    backend = Backend.objects.filter(clustername=cluster).first()
    return backend is not None and server_jobs.instance_is_gone(backend, server_id)


@transactional()
def apply(server_id: int, event: Event, *, is_gone: bool = False) -> list[Operation]:
    """Apply an event under the server's lock; returns what must be performed after commit. Repeating it changes nothing."""
    server = Server.objects.select_for_update(of=("self",)).select_related("flavor__volume_type", "backend").get(pk=server_id)
    if server.deleted or server.backend is None or server.backend.clustername != event.cluster:
        return []
    if _is_old(server, event):
        EVENTS.labels("ganeti-op-status", "old").inc()
        _end_late_task(server, event)
        return []
    if event.is_final and operations.is_being_submitted(server):
        # The job ended before the request that submitted it could record its number.
        raise DependencyUnavailable("The job of this server is just being recorded.")
    server.backendjobid, server.backendopcode = event.job_id or server.backendjobid, event.opcode
    server.backendjobstatus, server.backendlogmsg = event.status, event.log_message
    if not event.is_final:
        server.save()
        return []
    pending = _apply_final(server, event, succeeded=event.succeeded or is_gone)
    if event.job_id:
        server.final_jobs = [*server.final_jobs, event.job_id][-FINALS_KEPT:]
        operations.finish(event.job_id, server=server, succeeded=event.succeeded or is_gone)
    server.save()
    log.info("event.applied", server=server.pk, opcode=event.opcode, status=event.status, job=event.job_id, operstate=server.operstate)
    return [operation for operation in pending if operation is not None]


def _is_old(server: Server, event: Event) -> bool:
    """Applied already, or older than what was. Errors do not move the clock, so finished jobs are remembered by number.

    The end of the job that the server waits for is never old, whatever the clocks say; nor is a removal, for nothing comes after it.
    """
    if event.job_id and event.job_id in server.final_jobs:
        return True
    if event.is_final and (event.job_id == server.task_job_id or (event.opcode == "OP_INSTANCE_REMOVE" and event.succeeded)):
        return False
    return event.at <= server.backendtime


def _end_late_task(server: Server, event: Event) -> None:
    """The job's end was applied before anybody could record that the task waits for it. What it changed was charged then, by force."""
    if event.is_final and event.job_id and event.job_id == server.task_job_id and event.job_id in server.final_jobs:
        commissions.decide(server.serial, accept=False)
        _clear_task(server)
        server.save(update_fields=["task", "task_job_id", "serial", "updated_at"])


def _clear_task(server: Server) -> None:
    server.task, server.task_job_id, server.serial = "", None, None


def _apply_final(server: Server, event: Event, *, succeeded: bool) -> list[Operation | None]:
    pending: list[Operation | None] = []
    is_expected = event.job_id == server.task_job_id and server.task_job_id is not None
    is_paid = is_expected and server.serial is not None
    is_used = succeeded
    if event.opcode == "OP_INSTANCE_REMOVE":
        if succeeded:
            pending.append(_on_removed(server, event))
    elif event.opcode == "OP_INSTANCE_CREATE":
        pending.append(_on_created(server, event, succeeded))
    elif succeeded:
        changes = _changes(server, event)
        # When somebody else's job has already brought the change about, it was charged then: ours is given back.
        is_used = bool(changes)
        if not is_paid:
            pending.append(charges.adjustment(server.user_id, changes, f"resource: server {server.pk}, ganeti_job: {event.job_id}"))
        server.operstate = OPERSTATES.get(event.opcode, server.operstate)
        if event.opcode == "OP_INSTANCE_SET_PARAMS":
            server.flavor = _new_flavor(server, event) or server.flavor
    # A build that is tried again has a new task by now.
    if is_expected and not server.deleted and server.task_job_id == event.job_id:
        commissions.decide(server.serial, accept=is_used)
        _clear_task(server)
        if not succeeded:
            _note_failure(server, event)
    if succeeded or event.opcode == "OP_INSTANCE_CREATE":
        # Only what settles something moves the clock, so that a late failure of an earlier job hides no success.
        server.backendtime = max(server.backendtime, min(event.at, timezone.now() + MOST_AHEAD))
    if event.nics is not None and not server.deleted:
        has_failed = is_expected and not succeeded and event.opcode == "OP_INSTANCE_SET_PARAMS"
        sync_nics(server, event.nics, at=event.at, is_connecting=server.task == "CONNECT", has_failed=has_failed)
    return pending


def _changes(server: Server, event: Event) -> charges.type_charges:
    """What the event changes in what the server counts for. The ledger follows by the request's commission, else by a forced one."""
    if event.opcode == "OP_INSTANCE_SET_PARAMS":
        flavor = _new_flavor(server, event)
        return {} if flavor is None else charges.of_resize(server, flavor)
    action = ACTIONS.get(event.opcode)
    return {} if action is None else charges.of_action(server, action)


def _on_created(server: Server, event: Event, succeeded: bool) -> Operation | None:
    if server.operstate != OperState.BUILD:
        return None
    if succeeded:
        server.operstate, server.buildpercentage = OperState.STARTED, 100
        server.launched_at = event.at
        server.volumes.filter(status=VolumeStatus.CREATING).update(status=VolumeStatus.IN_USE)
        build_parameters.forget(server.pk)
        return None
    if _may_retry(server, event):
        return operations.schedule("server.create", backend=server.backend, server=server, task="BUILD",
                                   payload=_first_build(server).payload | {"careful": True})
    server_jobs.fail_build(server, f"The build failed: {error_of(event.result).message or event.log_message}")
    return None


def _first_build(server: Server) -> Operation:
    return Operation.objects.filter(server=server, kind="server.create").order_by("created_at")[0]


def _may_retry(server: Server, event: Event) -> bool:
    """Once, without opportunistic locking, when that was the reason that no node was found."""
    if error_of(event.result).code != "temp_insufficient_resources" or event.job_id != server.task_job_id:
        return False
    return Operation.objects.filter(server=server, kind="server.create").count() == 1


def _on_removed(server: Server, event: Event) -> Operation | None:
    """The instance is gone: addresses go back, volumes with it, and the ledger gets everything the server counted for."""
    volumes = list(server.volumes.filter(deleted=False))
    release = charges.adjustment(server.user_id, charges.of_removal(server, volumes), f"resource: server {server.pk}, ganeti_job: {event.job_id}")
    commissions.decide(server.serial, accept=False)
    ports.release_ports(server)
    server.volumes.filter(deleted=False).update(status=VolumeStatus.DELETED, deleted=True, server=None)
    server.operstate, server.deleted, server.rescue = OperState.DESTROYED, True, False
    _clear_task(server)
    server.terminated_at = event.at
    build_parameters.forget(server.pk)
    log.info("server.removed", server=server.pk, job=event.job_id)
    return release


def _new_flavor(server: Server, event: Event) -> Flavor | None:
    """The flavor with the CPUs and memory that a job set, deleted ones as the last choice. None when they are as before."""
    beparams = event.fields.get("beparams") or {}
    cpu, ram = beparams.get("vcpus") or server.flavor.cpu, beparams.get("maxmem") or server.flavor.ram
    if (cpu, ram) == (server.flavor.cpu, server.flavor.ram):
        return None
    found: Flavor | None = Flavor.objects.filter(cpu=cpu, ram=ram, disk=server.flavor.disk, volume_type=server.flavor.volume_type_id).order_by(
        "deleted", "pk").select_related("volume_type").first()
    if found is None:
        log.warning("server.flavor.unknown", server=server.pk, cpu=cpu, ram=ram)
    return found


def _note_failure(server: Server, event: Event) -> None:
    reason = error_of(event.result).message or event.log_message
    ServerDiagnostic.objects.create(server=server, level="ERROR", source="ganeti", source_date=event.at,
                                    message=_printable(f"{event.opcode} failed: {reason}")[:255], details=_printable(reason)[:MAX_DETAILS])


# Build progress ---------------------------------------------------------------------------------------------------


def _on_image(message: Mapping[str, Any]) -> None:
    server_id = ganeti_names.server_id_of(str(message.get("instance", "")))
    if server_id is None:
        return
    try:
        at = parse_time(message["event_time"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"Malformed progress message: {error!r}") from error
    _apply_progress(server_id, message, at)


@transactional()
def _apply_progress(server_id: int, message: Mapping[str, Any], at: datetime.datetime) -> None:
    server = Server.objects.select_for_update().filter(pk=server_id, deleted=False).first()
    if server is None:
        return
    if message["type"] == "image-copy-progress":
        _apply_copy_progress(server, message, at)
        return
    if ServerDiagnostic.objects.filter(server=server, source_date=at, source=_source(message)).exists():
        return  # delivered twice
    ServerDiagnostic.objects.create(server=server, level=_level(message), source=_source(message), source_date=at,
                                    message=_text(message)[:255], details=_printable(str(message.get("stderr") or ""))[:MAX_DETAILS])
    server.save(update_fields=["updated_at"])


def _apply_copy_progress(server: Server, message: Mapping[str, Any], at: datetime.datetime) -> None:
    try:
        percent = int(float(message["progress"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidInput("Malformed progress") from error
    if percent < 0:
        raise InvalidInput("Negative progress")
    if server.operstate != OperState.BUILD or at <= server.progress_at:
        return
    server.buildpercentage, server.progress_at = min(percent, 100), at
    server.save(update_fields=["buildpercentage", "progress_at", "updated_at"])


def _source(message: Mapping[str, Any]) -> str:
    kind, subtype = str(message["type"]), str(message.get("subtype") or "")
    return f"{kind}-{subtype}"[:100] if subtype.startswith("task-") else kind[:100]


def _level(message: Mapping[str, Any]) -> str:
    kind, subtype = str(message["type"]), str(message.get("subtype") or "")
    if kind == "image-error" or subtype == "error":
        return "ERROR"
    if kind == "image-warning" or subtype == "warning":
        return "WARNING"
    return "INFO" if subtype == "info" else "DEBUG"


def _text(message: Mapping[str, Any]) -> str:
    texts = message.get("messages")
    if isinstance(texts, list) and texts:
        return _printable(" ".join(str(item) for item in texts))
    if message.get("task"):
        return _printable(str(message["task"]))
    return _source(message).replace("-", " ").capitalize()


def _printable(text: str) -> str:
    """Text from nodes and guests without control characters."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


# Clusters ---------------------------------------------------------------------------------------------------------


def _on_cluster(message: Mapping[str, Any]) -> None:
    if message.get("status") == "success":
        backends.refresh_all(Backend.objects.filter(clustername=str(message.get("cluster", "")), offline=False))


_HANDLERS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "ganeti-op-status": _on_instance,
    "ganeti-network-status": handle_network_event,
    "ganeti-cluster-status": _on_cluster,
}
