"""Ganeti's answers as the types of the port. Tolerant: keys may be missing, values null, versions differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from synnefo.cyclades.ports import (
    Capacity,
    ClusterInfo,
    GanetiNetwork,
    Instance,
    InstanceDisk,
    InstanceNIC,
    Job,
    JobID,
    OpcodeStatus,
)

STATIC_FIELDS = (
    "name", "uuid", "pnode", "os", "disk_template", "be/vcpus", "be/maxmem", "admin_state", "network_port", "tags",
    "nic.names", "nic.networks.names", "nic.ips", "nic.macs", "nic.modes", "nic.links", "nic.uuids",
    "disk.names", "disk.sizes", "disk.uuids", "hv/boot_order", "hv/cdrom_image_path", "ctime", "mtime",
)
LIVE_FIELDS = ("status", "oper_state")
_NORMAL = 0
_USER_REASON = "gnt:user"


def row_of(fields: Sequence[str], row: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """One row of a query: [[status, value], ...]. Values that are not available are None."""
    return {name: cell[1] if cell[0] == _NORMAL else None for name, cell in zip(fields, row, strict=True)}


def instance(row: Mapping[str, Any]) -> Instance:
    return Instance(
        name=row["name"], uuid=row.get("uuid") or "", primary_node=row.get("pnode") or "", os=row.get("os") or "",
        disk_template=row.get("disk_template") or "", vcpus=_int(row.get("be/vcpus")),
        max_memory_mib=_int(row.get("be/maxmem")), admin_state=row.get("admin_state") or "",
        network_port=row.get("network_port"), tags=tuple(row.get("tags") or ()),
        nics=tuple(_nics(row)), disks=tuple(_disks(row)), boot_order=row.get("hv/boot_order") or "",
        cdrom_image_path=row.get("hv/cdrom_image_path") or "", created_at=moment(row.get("ctime")),
        modified_at=moment(row.get("mtime")), status=row.get("status"), is_running=row.get("oper_state"),
    )


def _nics(row: Mapping[str, Any]) -> Iterable[InstanceNIC]:
    keys = ("nic.names", "nic.networks.names", "nic.ips", "nic.macs", "nic.modes", "nic.links", "nic.uuids")
    for name, network, ip, mac, mode, link, uuid in zip(*(row.get(key) or () for key in keys), strict=False):
        yield InstanceNIC(name=name, network=network, ip=ip, mac=mac or "", mode=mode, link=link, uuid=uuid or "")


def _disks(row: Mapping[str, Any]) -> Iterable[InstanceDisk]:
    keys = ("disk.names", "disk.sizes", "disk.uuids")
    for name, size, uuid in zip(*(row.get(key) or () for key in keys), strict=False):
        yield InstanceDisk(name=name, size_mib=_int(size), uuid=uuid or "")


def network(answer: Mapping[str, Any]) -> GanetiNetwork:
    reservations = answer.get("external_reservations") or ""
    return GanetiNetwork(
        name=answer["name"], uuid=answer.get("uuid") or "", subnet=answer.get("network") or "",
        gateway=answer.get("gateway"), subnet6=answer.get("network6"), gateway6=answer.get("gateway6"),
        mac_prefix=answer.get("mac_prefix"), tags=tuple(answer.get("tags") or ()),
        groups=tuple(_group(row) for row in answer.get("group_list") or ()),
        instances=tuple(answer.get("inst_list") or ()), free_count=_int(answer.get("free_count")),
        reserved_count=_int(answer.get("reserved_count")),
        external_reservations=tuple(ip.strip() for ip in reservations.split(",") if ip.strip()),
    )


def _group(row: Sequence[Any]) -> tuple[str, str, str, str]:
    name, mode, link, vlan = [*map(str, row), "", "", ""][:4]
    return name, mode, link, vlan


def cluster_info(answer: Mapping[str, Any]) -> ClusterInfo:
    return ClusterInfo(
        name=answer.get("name") or "", version=version_of(answer.get("software_version") or ""),
        enabled_hypervisors=tuple(answer.get("enabled_hypervisors") or ()),
        enabled_disk_templates=tuple(answer.get("enabled_disk_templates") or ()),
        default_hypervisor=answer.get("default_hypervisor") or "",
        default_allocator=answer.get("default_iallocator") or "", master=answer.get("master") or "", raw=answer,
    )


def version_of(text: str) -> tuple[int, int, int]:
    """3.0.2 or 3.1.0~rc1 as numbers; what is missing counts as 0."""
    numbers = [int(number) for number in re.findall(r"\d+", text)[:3]]
    major, minor, revision = [*numbers, 0, 0, 0][:3]
    return major, minor, revision


def capacity(nodes: Iterable[Mapping[str, Any]]) -> Capacity:
    """Only nodes that can take an instance count. A node that does not answer has null figures."""
    usable = [n for n in nodes if not n.get("offline") and not n.get("drained") and n.get("vm_capable", True)]

    def total(key: str) -> int:
        return sum(_int(node.get(key)) for node in usable)

    return Capacity(mem_free_mib=total("mfree"), mem_total_mib=total("mtotal"), disk_free_mib=total("dfree"),
                    disk_total_mib=total("dtotal"), instances=total("pinst_cnt"), cpus=total("ctotal"))


def job(answer: Mapping[str, Any]) -> Job:
    inputs = answer.get("ops") or ()
    statuses = answer.get("opstatus") or [None] * len(inputs)
    results = answer.get("opresult") or [None] * len(inputs)
    ops = tuple(
        OpcodeStatus(op_id=given.get("OP_ID") or "", status=status or answer.get("status") or "", result=result,
                     target=_target(given), input=given)
        for given, status, result in zip(inputs, statuses, results, strict=False)
    )
    return Job(id=JobID(int(answer["id"])), status=answer.get("status") or "", summary=tuple(answer.get("summary") or ()),
               ops=ops, reason=reason_of(inputs), received_at=moment(answer.get("received_ts")),
               started_at=moment(answer.get("start_ts")), ended_at=moment(answer.get("end_ts")))


def reason_of(inputs: Iterable[Mapping[str, Any]]) -> str | None:
    """The text that the submitter gave: the reason trail is [[source, text, nanoseconds], ...]."""
    for given in inputs:
        for entry in given.get("reason") or ():
            if isinstance(entry, list | tuple) and len(entry) > 1 and entry[0] == _USER_REASON:
                return str(entry[1])
    return None


def _target(given: Mapping[str, Any]) -> str | None:
    return given.get("instance_name") or given.get("network_name")


def moment(value: object) -> datetime | None:
    """Ganeti's times: float seconds, or [seconds, microseconds]."""
    if isinstance(value, list | tuple) and len(value) == 2:
        return datetime.fromtimestamp(int(value[0]), UTC).replace(microsecond=int(value[1]) % 1_000_000)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return None


def _int(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0
