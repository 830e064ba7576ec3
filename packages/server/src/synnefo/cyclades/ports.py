"""What cyclades needs from outside its process: a Ganeti cluster and the bus its events travel on.

`GanetiCluster` is implemented by `adapters.rapi` and proven against real Ganeti and the simulated cluster by one
contract suite. Get one with `synnefo.cyclades.adapters.cluster_for(backend)`.

Every method is one or more calls over the network: never use it inside a database transaction. A call ends in one of
three ways. Done: it returns. Refused: `GanetiRefused` or a subclass, `DependencyUnavailable` (also its subclass
`BackendOffline`); nothing has changed. Unknown: `OutcomeUnknown`; look the job up with `find_jobs(reason)` before
submitting again. Submissions return the number of the job that was queued: Ganeti judges most input only when the job
runs, so that an unknown instance, a taken name or lack of room make a job that ends in error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NewType, Protocol

from synnefo.common.errors import DependencyUnavailable, DomainError

JobID = NewType("JobID", int)
type_json = Mapping[str, Any]
type_depends = Sequence[int]
"""Jobs to wait for. The dependent job runs after all of them ended, whatever their outcome: then it fails visibly
instead of hanging."""

FINAL_STATUSES: Final = frozenset({"success", "error", "canceled"})
PENDING_STATUSES: Final = frozenset({"queued", "waiting", "canceling", "running"})


class GanetiRefused(DomainError):
    """The cluster answered that it will not do this; nothing has changed. `status` is the HTTP status of the answer."""

    def __init__(self, public: str, *, status: int = 400, explain: str = "", **context: Any) -> None:
        super().__init__(public, status=status, explain=explain, **context)
        self.status = status
        self.explain = explain


class GanetiNotFound(GanetiRefused):
    """There is no such instance, network, group or path."""


class GanetiLoginRefused(GanetiRefused):
    """The stored user or password is wrong, or the user may not write. An operator must act."""


class GanetiQueueFull(GanetiRefused):
    """The job queue is full or drained: the same submission may be accepted later."""

    retryable = True


class BackendOffline(DependencyUnavailable):
    """An operator has marked the backend offline: no call is attempted."""


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    name: str
    version: tuple[int, int, int]
    """Of the software, e.g. (3, 0, 2)."""
    enabled_hypervisors: tuple[str, ...]
    enabled_disk_templates: tuple[str, ...]
    default_hypervisor: str
    default_allocator: str
    master: str
    raw: type_json
    """The whole answer, for checks and displays."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Room in one cluster, summed over its online, undrained, vm-capable nodes. Sizes in MiB."""

    mem_free_mib: int
    mem_total_mib: int
    disk_free_mib: int
    disk_total_mib: int
    instances: int
    cpus: int


@dataclass(frozen=True, slots=True)
class InstanceNIC:
    name: str | None
    network: str | None
    """Name of the Ganeti network."""
    ip: str | None
    mac: str
    mode: str | None
    link: str | None
    uuid: str


@dataclass(frozen=True, slots=True)
class InstanceDisk:
    name: str | None
    size_mib: int
    uuid: str


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance. `status` and `is_running` are None unless they were asked for (`live=True`)."""

    name: str
    uuid: str
    primary_node: str
    os: str
    disk_template: str
    vcpus: int
    max_memory_mib: int
    admin_state: str
    """up, down or offline: what Ganeti wants, not what is."""
    network_port: int | None
    tags: tuple[str, ...]
    nics: tuple[InstanceNIC, ...]
    disks: tuple[InstanceDisk, ...]
    boot_order: str
    cdrom_image_path: str
    created_at: datetime | None
    modified_at: datetime | None
    status: str | None = None
    """running, ADMIN_down, ERROR_up, ERROR_down, ERROR_nodeoffline ..."""
    is_running: bool | None = None
    """None when its node did not answer."""
    console: type_json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InstanceState:
    """The little that a state sync compares."""

    name: str
    status: str
    is_running: bool | None
    """None when its node did not answer."""


@dataclass(frozen=True, slots=True)
class GanetiNetwork:
    name: str
    uuid: str
    subnet: str
    gateway: str | None
    subnet6: str | None
    gateway6: str | None
    mac_prefix: str | None
    tags: tuple[str, ...]
    groups: tuple[tuple[str, str, str, str], ...]
    """(group, mode, link, vlan) of each connected node group."""
    instances: tuple[str, ...]
    free_count: int
    reserved_count: int
    external_reservations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpcodeStatus:
    op_id: str
    """E.g. OP_INSTANCE_CREATE."""
    status: str
    result: Any
    """By opcode on success; [class, [message, code?]] on error; text when canceled. Untrusted: see `error_of`."""
    target: str | None
    """Name of the instance or network the opcode is about."""
    input: type_json = field(default_factory=dict)
    """The opcode as it was queued; secrets are nulled by Ganeti."""


@dataclass(frozen=True, slots=True)
class Job:
    id: JobID
    status: str
    """queued, waiting, canceling, running, canceled, success or error."""
    summary: tuple[str, ...]
    """E.g. INSTANCE_CREATE(snf-42)."""
    ops: tuple[OpcodeStatus, ...]
    reason: str | None
    """What `reason` the submission gave."""
    received_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def is_final(self) -> bool:
        return self.status in FINAL_STATUSES

    @property
    def error(self) -> JobError | None:
        """Why the job failed; None unless its status is error or canceled."""
        for op in self.ops:
            if op.status in {"error", "canceled"}:
                return error_of(op.result)
        return None


@dataclass(frozen=True, slots=True)
class JobError:
    """`code` is Ganeti's reason code: insufficient_resources, temp_insufficient_resources, unknown_entity,
    already_exists, resource_not_unique, wrong_input, or "" when it gave none."""

    kind: str
    message: str
    code: str = ""


def error_of(result: object) -> JobError:
    """Read an opcode result that means failure. Never raises: the text comes from outside and may be anything."""
    if isinstance(result, list | tuple) and result and isinstance(result[0], str):
        arguments = result[1] if len(result) > 1 and isinstance(result[1], list | tuple) else []
        message = _text(arguments[0]) if arguments else ""
        code = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], str) else ""
        return JobError(result[0], message, code)
    return JobError("", _text(result))


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class DiskSpec:
    size_mib: int
    name: str
    parameters: type_json = field(default_factory=dict)
    """`provider`, `origin`, ... of the ext template: strings or integers, never booleans."""

    def body(self) -> dict[str, Any]:
        return {**self.parameters, "size": self.size_mib, "name": self.name}


@dataclass(frozen=True, slots=True)
class NICSpec:
    name: str
    network: str
    """Name of the Ganeti network."""
    ip: str | None = None
    mac: str | None = None
    """None: Ganeti generates one from the network's prefix."""

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"name": self.name, "network": self.network, "ip": self.ip}
        return {**body, "mac": self.mac} if self.mac else body


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """A new instance. `os_secret` reaches the OS scripts but is never written down by Ganeti; put nothing secret in
    `os_parameters`: job files keep those for ever."""

    name: str
    os: str
    disk_template: str
    vcpus: int
    memory_mib: int
    disks: Sequence[DiskSpec] = ()
    nics: Sequence[NICSpec] = ()
    os_parameters: Mapping[str, str] = field(default_factory=dict)
    os_secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    hypervisor: str | None = None
    hypervisor_parameters: type_json = field(default_factory=dict)
    tags: Sequence[str] = ()
    wait_for_sync: bool = False
    opportunistic_locking: bool = True
    extra: type_json = field(default_factory=dict)
    """More keys of the create request (GANETI_CREATEINSTANCE_KWARGS); the fields above win."""


@dataclass(frozen=True, slots=True)
class InstanceChanges:
    """One modify job. NIC and disk changes are (verb, name, parameters): ("add", None, NICSpec.body()),
    ("remove", "snf-nic-9", {}), ("modify", "snf-nic-9", {"ip": ...}), ("detach", "snf-vol-5", {})."""

    beparams: type_json = field(default_factory=dict)
    """vcpus, minmem, maxmem (MiB)."""
    hvparams: type_json = field(default_factory=dict)
    nics: Sequence[tuple[str, str | None, type_json]] = ()
    disks: Sequence[tuple[str, str | None, type_json]] = ()
    hotplug: bool = False
    """Change the running guest too where the hypervisor can."""
    wait_for_sync: bool | None = None
    """Only for disks added to a started instance."""
    extra: type_json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    name: str
    subnet: str
    """IPv4, mandatory: networks without IPv4 pass a dummy one."""
    gateway: str | None = None
    subnet6: str | None = None
    gateway6: str | None = None
    mac_prefix: str | None = None
    """Three octets."""
    tags: Sequence[str] = ()
    conflicts_check: bool = False
    reserved_ips: Sequence[str] = ()


class GanetiCluster(Protocol):
    """One Ganeti cluster. Safe to use from several threads. See the module for how calls end."""

    # What is there -------------------------------------------------------------------------------------------------
    def info(self) -> ClusterInfo: ...

    def features(self) -> frozenset[str]:
        """E.g. instance-create-reqv1. Asked once in a few minutes."""

    def capacity(self) -> Capacity: ...

    def node_address(self, name: str) -> str:
        """The primary address of a node, where consoles of its instances listen. Raises `GanetiNotFound`."""

    def list_groups(self) -> list[str]: ...

    def list_os(self) -> list[str]: ...

    def list_instances(self, *, prefix: str = "") -> list[Instance]:
        """Every instance whose name starts with `prefix`, without live data: tens of milliseconds even for hundreds."""

    def list_instance_states(self, *, prefix: str = "") -> list[InstanceState]:
        """Name and live state; costs the cluster one call to each node."""

    def get_instance(self, name: str, *, live: bool = False) -> Instance:
        """Raises `GanetiNotFound`."""

    def list_networks(self, *, prefix: str = "") -> list[GanetiNetwork]: ...

    def get_network(self, name: str) -> GanetiNetwork:
        """Raises `GanetiNotFound`."""

    # Jobs ----------------------------------------------------------------------------------------------------------
    def get_job(self, job_id: int) -> Job | None:
        """None when the cluster knows no such job. Archived jobs are found."""

    def list_jobs(self) -> list[Job]:
        """Jobs not yet archived, without their input (`ops[].input` is empty)."""

    def find_jobs(self, reason: str) -> list[Job]:
        """Jobs not yet archived that were submitted with exactly this reason, oldest first."""

    def cancel_job(self, job_id: int) -> bool:
        """Whether it was canceled: only a job that does not run yet can be."""

    # Submissions: each returns the job's id and takes `reason` (the correlation id) and jobs to wait for ---------------
    def create_instance(self, spec: InstanceSpec, *, reason: str, depends: type_depends = ()) -> JobID: ...

    def remove_instance(
        self, name: str, *, reason: str, timeout_s: int | None = None, depends: type_depends = ()
    ) -> JobID:
        """Stop and delete. An unknown instance gives a job that fails with `unknown_entity`."""

    def startup_instance(self, name: str, *, reason: str, depends: type_depends = ()) -> JobID: ...

    def shutdown_instance(
        self, name: str, *, reason: str, timeout_s: int | None = None, depends: type_depends = ()
    ) -> JobID:
        """`timeout_s` for the guest to stop by itself: 0 cuts the power, None is the cluster's default (120)."""

    def reboot_instance(
        self, name: str, *, reason: str, timeout_s: int | None = None, depends: type_depends = ()
    ) -> JobID:
        """Stop and start; `timeout_s` as in `shutdown_instance`."""

    def modify_instance(
        self, name: str, changes: InstanceChanges, *, reason: str, depends: type_depends = ()
    ) -> JobID: ...

    def grow_disk(
        self, name: str, index: int, amount_mib: int, *, reason: str, wait_for_sync: bool = False,
        depends: type_depends = (),
    ) -> JobID: ...

    def rename_instance(self, name: str, new_name: str, *, reason: str, depends: type_depends = ()) -> JobID: ...

    def add_instance_tags(self, name: str, tags: Sequence[str], *, reason: str, dry_run: bool = False) -> JobID: ...

    def remove_instance_tags(self, name: str, tags: Sequence[str], *, reason: str, dry_run: bool = False) -> JobID: ...

    def add_cluster_tags(self, tags: Sequence[str], *, reason: str, dry_run: bool = False) -> JobID: ...

    def create_network(self, spec: NetworkSpec, *, reason: str, depends: type_depends = ()) -> JobID: ...

    def connect_network(
        self, name: str, group: str, *, mode: str, link: str, reason: str, vlan: str = "",
        conflicts_check: bool = False, depends: type_depends = (),
    ) -> JobID:
        """`mode` is bridged or routed."""

    def disconnect_network(self, name: str, group: str, *, reason: str, depends: type_depends = ()) -> JobID:
        """The job fails while an instance still has a NIC there."""

    def remove_network(self, name: str, *, reason: str, depends: type_depends = ()) -> JobID: ...

    def modify_network(
        self, name: str, *, reason: str, add_reserved_ips: Sequence[str] = (), remove_reserved_ips: Sequence[str] = (),
        depends: type_depends = (),
    ) -> JobID: ...


type_handle = Callable[[dict[str, Any]], None]
"""Called with one message. Raising `InvalidInput` drops it, a retryable error has it delivered again later, any other
error moves it to the dead letters."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message as it lies in a queue. `error` and `attempts` are known of dead ones only."""

    id: str
    queue: str
    routing_key: str
    body: bytes
    error: str = ""
    attempts: int = 0
    was_retried: bool = False
    """It has been dead before, and an operator sent it round again."""


class EventBus(Protocol):
    """Where events of Ganeti nodes arrive. At least once, in no promised order."""

    def consume(self, handlers: Mapping[str, type_handle], should_stop: Callable[[], bool]) -> None:
        """Deliver messages to `handlers[queue]` one after another until `should_stop()`. Never raises for a dead broker:
        reconnects for ever."""

    def publish(self, routing_key: str, message: type_json) -> None:
        """Returns when the bus has taken responsibility. Raises `DependencyUnavailable`, `OutcomeUnknown`."""

    def heartbeats(self, ask: Callable[[], set[str]], *, seconds: float) -> set[str]:
        """Listen, then call `ask`, which makes the event daemons of some clusters send a heartbeat and returns the clusters'
        names; returns those that were heard from in time."""

    def depths(self) -> dict[str, int]:
        """Messages waiting, by queue; dead letters under `<queue>-dl`."""

    def read(self, queue: str) -> Iterator[DeadLetter]:
        """Every message of a queue, dead-letter queues included; all stay there."""

    def remove(self, queue: str, decide: Callable[[DeadLetter], bool]) -> int:
        """Delete the messages of a queue that `decide` says yes to; returns how many."""

    def revive(self, letter: DeadLetter) -> None:
        """Send a dead letter to where it came from, then remove it. A crash in between leaves both."""

    def close(self) -> None: ...
