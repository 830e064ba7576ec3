"""From a Ganeti job file to event messages, without Ganeti's own modules: plain JSON, unknown and missing keys tolerated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FINAL = frozenset({"success", "error", "canceled"})
STATUSES = FINAL | {"queued", "waiting", "canceling", "running"}
HEARTBEAT = "snf:eventd:heartbeat"
# After these an event carries the instance's configuration as it is now.
SYNC_ON_SUCCESS = frozenset({"OP_INSTANCE_CREATE", "OP_INSTANCE_STARTUP"})
SYNC_ON_FINAL = frozenset({"OP_INSTANCE_SET_PARAMS", "OP_INSTANCE_GROW_DISK"})
type_message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """A message and where it goes. `instance` is set when the current configuration must be attached."""

    routing_key: str
    message: type_message
    instance: str | None = None


def state_of(job: dict[str, Any]) -> list[list[Any]]:
    """What of a job is worth a message: status and whether there is a result, by opcode. Log lines alone are not."""
    return [[op.get("status"), op.get("result") is not None] for op in job.get("ops", [])]


def is_final(job: dict[str, Any]) -> bool:
    return all(op.get("status") in FINAL for op in job.get("ops", []))


def events(job: dict[str, Any], *, cluster: str, prefix: str) -> Iterator[Event]:
    """One event for each opcode that concerns us. A job of several opcodes gives several. Unknown statuses give none."""
    for op in job.get("ops", []):
        operation = str((op.get("input") or {}).get("OP_ID", ""))
        if op.get("status") not in STATUSES:
            continue
        family = operation.split("_")[1] if operation.count("_") >= 2 else ""
        make = _FAMILIES.get(family)
        event = make(job, op, operation, cluster, prefix) if make else None
        if event is not None:
            yield event


def event_time(job: dict[str, Any], op: dict[str, Any]) -> list[int] | None:
    """When the opcode reached its status, by the master's clock, as [seconds, microseconds]."""
    status = op["status"]
    if status == "queued":
        return job.get("received_timestamp")
    key = "start_timestamp" if status in {"waiting", "canceling"} else "exec_timestamp" if status == "running" else "end_timestamp"
    return op.get(key) or job.get("end_timestamp") or job.get("received_timestamp")


def _common(kind: str, job: dict[str, Any], op: dict[str, Any], operation: str, cluster: str) -> type_message:
    log = op.get("log") or []
    return {"type": kind, "event_time": event_time(job, op), "operation": operation, "status": op["status"], "cluster": cluster,
            "logmsg": str(log[-1][3])[:1000] if log and len(log[-1]) > 3 else None, "result": op.get("result"), "jobId": int(job["id"])}


def _instance(job: dict[str, Any], op: dict[str, Any], operation: str, cluster: str, prefix: str) -> Event | None:
    given = op["input"]
    names = given.get("instances") or []
    name = given.get("instance_name") or (names[0] if len(names) == 1 else None)
    if not name:
        return None
    message = _common("ganeti-op-status", job, op, operation, cluster)
    message |= {"instance": name, "tags": given.get("tags") or [], "job_fields": _job_fields(op, operation)}
    status = op["status"]
    sync = (operation in SYNC_ON_SUCCESS and status == "success") or (operation in SYNC_ON_FINAL and status in FINAL)
    return Event(f"ganeti.{prefix}.event.op", message, name if sync else None)


def _job_fields(op: dict[str, Any], operation: str) -> dict[str, Any]:
    given = op["input"]
    if operation == "OP_INSTANCE_CREATE" and op["status"] == "error":
        return {key: value for key, value in given.items() if not key.startswith("osparams")}
    if operation in {"OP_INSTANCE_CREATE", "OP_INSTANCE_SET_PARAMS"}:
        return {key: given.get(key) for key in ("nics", "disks", "hvparams", "beparams")}
    return {}


def _network(job: dict[str, Any], op: dict[str, Any], operation: str, cluster: str, prefix: str) -> Event | None:
    given = op["input"]
    name = given.get("network_name")
    if not name:
        return None
    fields = {"subnet": given.get("network"), "gateway": given.get("gateway"), "add_reserved_ips": given.get("add_reserved_ips"),
              "remove_reserved_ips": given.get("remove_reserved_ips"), "group_name": given.get("group_name")}
    message = _common("ganeti-network-status", job, op, operation, cluster) | {"network": name, "job_fields": fields}
    return Event(f"ganeti.{prefix}.event.network", message)


def _cluster(job: dict[str, Any], op: dict[str, Any], operation: str, cluster: str, prefix: str) -> Event | None:
    if operation != "OP_CLUSTER_SET_PARAMS":
        return None
    return Event("ganeti.event.cluster", _common("ganeti-cluster-status", job, op, operation, cluster))


def _tags(job: dict[str, Any], op: dict[str, Any], operation: str, cluster: str, prefix: str) -> Event | None:
    given = op["input"]
    tags = given.get("tags") or []
    if given.get("kind") == "cluster":
        if operation == "OP_TAGS_SET" and given.get("dry_run") and tags and str(tags[0]).startswith(HEARTBEAT):
            return Event("eventd.heartbeat", {"type": "eventd-heartbeat", "cluster": cluster, "tag": tags[0]})
        return None
    if given.get("kind") != "instance" or op["status"] not in FINAL:
        return None
    message = _common("ganeti-op-status", job, op, operation, cluster)
    message |= {"instance": given.get("name"), "tags": tags, "job_fields": {"dry_run": bool(given.get("dry_run"))}}
    return Event(f"ganeti.{prefix}.event.op", message)


_FAMILIES = {"INSTANCE": _instance, "NETWORK": _network, "CLUSTER": _cluster, "TAGS": _tags}
