"""The Ganeti jobs of servers: how each kind of operation is submitted, and what is undone when the cluster refuses."""

from __future__ import annotations

import datetime
from typing import Any

import structlog

from synnefo.common.errors import DependencyUnavailable, DomainError
from synnefo.common.ids import ProjectID, UserID
from synnefo.common.settings import conf
from synnefo.cyclades import ganeti_names
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models import (
    Backend,
    Operation,
    OperationState,
    OperState,
    Server,
    ServerDiagnostic,
    Volume,
    VolumeStatus,
)
from synnefo.cyclades.ports import DiskSpec, GanetiCluster, GanetiNotFound, InstanceChanges, InstanceSpec, NICSpec
from synnefo.cyclades.services import build_parameters, commissions, network_operations, operations, ports

log = structlog.get_logger(__name__)


def _build_timeout() -> datetime.timedelta:
    return datetime.timedelta(seconds=conf.CYCLADES_BUILD_SUBMIT_TIMEOUT)


def instance_spec(server: Server, operation: Operation) -> InstanceSpec:
    """The instance as Ganeti is asked for it. Reads only."""
    backend = server.backend
    assert backend is not None
    volumes = list(server.volumes.filter(deleted=False).select_related("volume_type").prefetch_related("volume_type__specs").order_by("index"))
    defaults = dict(conf.GANETI_CREATEINSTANCE_KWARGS)
    hvparams = dict((defaults.pop("hvparams", None) or {}).get(backend.hypervisor, {}))
    os_name = str(defaults.pop("os", "snf-image+default"))
    url = build_parameters.url_for(server.pk)
    return InstanceSpec(
        name=ganeti_names.instance_name(server.pk), os=os_name, disk_template=volumes[0].volume_type.template, vcpus=server.flavor.cpu,
        memory_mib=server.flavor.ram, disks=[_disk(volume) for volume in volumes],
        nics=[NICSpec(nic["name"], nic["network"], nic.get("ip"), nic.get("mac")) for nic in ports.ganeti_nics(server)],
        os_parameters={key: operation.payload[key] for key in ("img_id", "img_format")},
        # The address is as good as the secrets behind it, so it travels where Ganeti writes nothing down.
        os_secret={"config_url": url} if url else {}, hypervisor=backend.hypervisor, hypervisor_parameters=hvparams,
        wait_for_sync=conf.GANETI_DISKS_WAIT_FOR_SYNC,
        opportunistic_locking=conf.GANETI_USE_OPPORTUNISTIC_LOCKING and not operation.payload.get("careful"), extra=defaults)


def _disk(volume: Volume) -> DiskSpec:
    parameters: dict[str, Any] = {}
    provider = volume.volume_type.provider
    if provider:
        parameters = {"provider": provider, **conf.GANETI_DISK_PROVIDER_KWARGS.get(provider, {})}
    prefix = "GNT-EXTP:"
    parameters |= {spec.key.removeprefix(prefix): spec.value for spec in volume.volume_type.specs.all() if spec.key.startswith(prefix)}
    return DiskSpec(volume.size * 1024, ganeti_names.volume_name(volume.pk), parameters)


def fail_build(server: Server, message: str) -> None:
    """The build will never end: the server, its NICs and volumes are in error. In a transaction, the server locked."""
    server.operstate, server.backendlogmsg = OperState.ERROR, message[:1000]
    server.task, server.task_job_id = "", None
    server.save()
    server.volumes.filter(deleted=False).update(status=VolumeStatus.ERROR)
    ports.fail_ports(server)
    ServerDiagnostic.objects.create(server=server, level="ERROR", source="cyclades", message=message[:255])
    build_parameters.forget(server.pk)


def _locked(operation: Operation) -> Server:
    assert operation.server_id is not None
    return Server.objects.select_for_update().get(pk=operation.server_id)


def _on_build_refused(operation: Operation, error: DomainError) -> None:
    server = _locked(operation)
    if server.operstate == OperState.BUILD and not server.deleted:
        fail_build(server, f"The cluster did not accept the build: {error.public}")


@operations.register("server.create", on_refused=_on_build_refused, give_up_after=_build_timeout)
def _create(operation: Operation, cluster: GanetiCluster) -> list[int]:
    assert operation.server_id is not None
    server = Server.objects.select_related("flavor__volume_type", "backend").get(pk=operation.server_id)
    if server.deleted or server.operstate != OperState.BUILD or server.task == "DESTROY":
        return []
    depends = network_operations.network_dependencies(server.pk)
    return [int(cluster.create_instance(instance_spec(server, operation), reason=operation.reason, depends=depends))]


def _on_action_refused(operation: Operation, error: DomainError) -> None:
    """The task ends as if its job had failed."""
    server = _locked(operation)
    if server.task != operation.task or server.task_job_id is not None:
        return
    commissions.decide(server.serial, accept=False)
    server.task, server.serial = "", None
    server.backendlogmsg = error.public[:1000]
    server.save()
    message = f"{operation.task} was refused by the cluster: {error.public}"
    ServerDiagnostic.objects.create(server=server, level="ERROR", source="cyclades", message=message[:255])


def _name(operation: Operation) -> str:
    assert operation.server_id is not None
    return ganeti_names.instance_name(operation.server_id)


@operations.register("server.start", on_refused=_on_action_refused)
def _start(operation: Operation, cluster: GanetiCluster) -> list[int]:
    return [int(cluster.startup_instance(_name(operation), reason=operation.reason))]


@operations.register("server.shutdown", on_refused=_on_action_refused)
def _shutdown(operation: Operation, cluster: GanetiCluster) -> list[int]:
    return [int(cluster.shutdown_instance(_name(operation), reason=operation.reason, timeout_s=operation.payload.get("timeout_s")))]


@operations.register("server.reboot", on_refused=_on_action_refused)
def _reboot(operation: Operation, cluster: GanetiCluster) -> list[int]:
    return [int(cluster.reboot_instance(_name(operation), reason=operation.reason, timeout_s=operation.payload.get("timeout_s")))]


@operations.register("server.resize", on_refused=_on_action_refused)
def _resize(operation: Operation, cluster: GanetiCluster) -> list[int]:
    memory = operation.payload["memory_mib"]
    changes = InstanceChanges(beparams={"vcpus": operation.payload["vcpus"], "minmem": memory, "maxmem": memory})
    return [int(cluster.modify_instance(_name(operation), changes, reason=operation.reason))]


@operations.register("server.delete", on_refused=_on_action_refused)
def _delete(operation: Operation, cluster: GanetiCluster) -> list[int]:
    """After the build's job, whatever its end: an instance that is being created cannot be removed yet."""
    build = Operation.objects.filter(server=operation.server_id, kind="server.create").order_by("-created_at").first()
    if build is not None and build.state == OperationState.PENDING and build.attempts:
        # Its job may be in the queue, unknown to us: removing first would leave the instance behind. A build that nobody
        # has claimed yet will see that the server is to go.
        raise DependencyUnavailable("The build is just being submitted.")
    depends = list(build.jobs[-1:]) if build is not None and build.state == OperationState.SUBMITTED else []
    return [int(cluster.remove_instance(_name(operation), reason=operation.reason, depends=depends, timeout_s=0))]


@operations.register("quota.adjust", give_up_after=commissions.follow_for)
def _adjust(operation: Operation, _cluster: None) -> list[int]:
    """Make the ledger follow what happened. The ledger knows a repeated request by the operation's id."""
    payload = operation.payload
    lines = {(ProjectID(project), resource): amount for project, resource, amount in payload["charges"]}
    commissions.follow(UserID(payload["user"]), lines, request_id=str(operation.uuid), name=f"client: dispatcher, {payload['name']}")
    return []


def instance_is_gone(backend: Backend, server_id: int) -> bool:
    """Whether the cluster says for certain that it has no such instance. Calls the cluster; raises as it does."""
    try:
        cluster_for(backend).get_instance(ganeti_names.instance_name(server_id))
    except GanetiNotFound:
        return True
    return False
