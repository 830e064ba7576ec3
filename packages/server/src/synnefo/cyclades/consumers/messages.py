"""Schemas of the messages between nodes and the dispatcher: the contract of `docs/reference/events.schema.json`.

Node and server share no code, only that file: both sides are tested against it. Unknown keys are tolerated, so that a
newer node may say more; a missing or ill-typed mandatory key makes a message nobody can use.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from synnefo.common.errors import InvalidInput

MAX_LOG_TEXT = 65536
type_status = Literal["queued", "waiting", "canceling", "running", "canceled", "success", "error"]
type_moment = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0, lt=1_000_000)]]
type_count = Annotated[int, Field(ge=0, le=2**63 - 1)]
type_name = Annotated[str, Field(min_length=1, max_length=255)]


class Message(BaseModel):
    """What all messages have."""

    model_config = ConfigDict(extra="allow", strict=False)


class NIC(Message):
    """A NIC of an instance as it is now."""

    name: str | None
    network: str | None = Field(description="Name of the Ganeti network")
    ip: str | None
    mac: str
    mode: str | None = None
    link: str | None = None
    uuid: str | None = None
    firewall: Literal["ENABLED", "DISABLED", "PROTECTED"] | None = None


class Disk(Message):
    """A disk of an instance as it is now."""

    name: str | None
    size: type_count = Field(description="MiB")
    uuid: str | None = None


class HypervisorParameters(Message):
    """The parameters that tell a rescue boot from an ordinary one."""

    boot_order: str | None = None
    cdrom_image_path: str | None = None


class JobMessage(Message):
    """What all messages about an opcode of a job have."""

    event_time: type_moment = Field(description="When the opcode reached its status: [seconds, microseconds] of the "
                                                "cluster master's clock, UTC")
    operation: type_name = Field(description="OP_ID, for example OP_INSTANCE_CREATE")
    status: type_status
    cluster: type_name = Field(description="Name of the cluster, not an address")
    logmsg: str | None = Field(None, max_length=MAX_LOG_TEXT, description="Text of the last log entry")
    result: Any = Field(None, description="Result of the opcode; [class, [message, code]] when it failed")
    jobId: type_count  # noqa: N815 - the name on the wire


class InstanceEvent(JobMessage):
    """An opcode about an instance changed its status. Routing key `ganeti.<prefix>.event.op`."""

    type: Literal["ganeti-op-status"]
    instance: type_name
    tags: list[str] = []
    job_fields: dict[str, Any] = {}
    instance_nics: list[NIC] | None = Field(None, description="Present when the job may have changed them")
    instance_disks: list[Disk] | None = None
    instance_hvparams: HypervisorParameters | None = None


class NetworkEvent(JobMessage):
    """An opcode about a network changed its status. Routing key `ganeti.<prefix>.event.network`."""

    type: Literal["ganeti-network-status"]
    network: type_name
    job_fields: dict[str, Any] = Field({}, description="subnet, gateway, add_reserved_ips, remove_reserved_ips, group_name")


class ClusterEvent(JobMessage):
    """The cluster's parameters were changed. Routing key `ganeti.event.cluster`."""

    type: Literal["ganeti-cluster-status"]


class ProgressEvent(Message):
    """What the image deployment of an instance reports. Routing key `ganeti.<prefix>.event.progress`."""

    type: Literal["image-info", "image-error", "image-copy-progress", "image-helper", "image-warning"]
    event_time: type_moment = Field(description="[seconds, microseconds] of the node's clock, UTC")
    instance: type_name
    timestamp: float | None = None
    progress: float | None = Field(None, description="Percent of the copy; may exceed 100")
    position: int | None = None
    total: int | None = None
    subtype: str | None = Field(None, description="task-start, task-end, warning or error, of image-helper")
    task: str | None = None
    messages: list[str] | None = None
    stderr: str | None = None


class Heartbeat(Message):
    """An event daemon is alive. Routing key `eventd.heartbeat`."""

    type: Literal["eventd-heartbeat"]
    cluster: type_name


type_event = Annotated[
    InstanceEvent | NetworkEvent | ClusterEvent | ProgressEvent | Heartbeat, Field(discriminator="type")
]
ADAPTER: TypeAdapter[Any] = TypeAdapter(type_event)
KNOWN_TYPES = frozenset({
    "ganeti-op-status", "ganeti-network-status", "ganeti-cluster-status", "image-info", "image-error",
    "image-copy-progress", "image-helper", "image-warning", "eventd-heartbeat",
})


def check(message: object) -> dict[str, Any]:
    """The message unchanged when it keeps the schema. Raises `InvalidInput` naming what is wrong."""
    if not isinstance(message, dict):
        raise InvalidInput("The message is not a JSON object.")
    try:
        ADAPTER.validate_python(message)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        text = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in problems[:5])
        raise InvalidInput(f"The message does not keep the schema: {text}") from error
    return message


def parse(body: bytes) -> dict[str, Any]:
    """Bytes from a queue as a checked message. Raises `InvalidInput`."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The message is not JSON.") from error
    return check(message)


def json_schema() -> dict[str, Any]:
    """The text of `docs/reference/events.schema.json`, for its generator and the test that it is current."""
    schema = ADAPTER.json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Synnefo events", **schema}


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"
