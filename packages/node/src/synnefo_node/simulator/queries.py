"""Questions about the cluster: the fields of each resource, filters, and the bodies of the plain listings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from synnefo_node.simulator import opcodes
from synnefo_node.simulator.jobs import Job, JobQueue
from synnefo_node.simulator.model import Cluster, Instance, Network, Node

NORMAL, UNKNOWN, NO_DATA, UNAVAILABLE = 0, 1, 2, 3
SOFTWARE_VERSION = "3.0.2"
I_FIELDS = (
    "name", "admin_state", "os", "pnode", "snodes", "disk_template", "nic.ips", "nic.macs", "nic.modes", "nic.uuids",
    "nic.names", "nic.links", "nic.networks", "nic.networks.names", "nic.bridges", "network_port", "disk.sizes",
    "disk.spindles", "disk_usage", "disk.uuids", "disk.names", "beparams", "hvparams", "oper_state", "oper_ram",
    "oper_vcpus", "status", "custom_hvparams", "custom_beparams", "custom_nicparams", "ctime", "mtime", "uuid",
    "serial_no", "tags",
)
N_FIELDS = (
    "name", "offline", "master_candidate", "drained", "dtotal", "dfree", "sptotal", "spfree", "mtotal", "mnode", "mfree",
    "pinst_cnt", "sinst_cnt", "ctotal", "cnos", "cnodes", "csockets", "pip", "sip", "role", "pinst_list", "sinst_list",
    "master_capable", "vm_capable", "ndparams", "group.uuid", "ctime", "mtime", "uuid", "serial_no", "tags",
)
NET_FIELDS = (
    "name", "network", "gateway", "network6", "gateway6", "mac_prefix", "free_count", "reserved_count", "map",
    "group_list", "inst_list", "external_reservations", "ctime", "mtime", "uuid", "serial_no", "tags",
)
J_FIELDS_BULK = ("id", "ops", "status", "summary", "opstatus", "received_ts", "start_ts", "end_ts")
J_FIELDS = (*J_FIELDS_BULK, "oplog", "opresult")


class BadQuery(ValueError):
    """The filter or resource cannot be understood."""


class Absent(Exception):
    """The field is known but has no value here."""


def instance_field(cluster: Cluster, instance: Instance, name: str) -> Any:
    """Raises `Absent`, or `KeyError` for a field that does not exist."""
    group, _, rest = name.partition(".")
    if name.startswith(("be/", "hv/")):
        table = instance.full_beparams if name.startswith("be/") else instance.full_hvparams
        return _or_absent(table, name[3:])
    if group == "nic" and rest:
        return _nic_list(cluster, instance, rest)
    if group == "disk" and rest in _DISK_LISTS:
        return [_DISK_LISTS[rest](disk) for disk in instance.disks]
    return _INSTANCE[name](cluster, instance)


def _or_absent(table: Mapping[str, Any], key: str) -> Any:
    if key not in table:
        raise Absent
    return table[key]


_DISK_LISTS: dict[str, Callable[[Any], Any]] = {
    "names": lambda disk: disk.name, "sizes": lambda disk: disk.size, "uuids": lambda disk: disk.uuid,
    "spindles": lambda disk: None,
}


def _nic_list(cluster: Cluster, instance: Instance, what: str) -> list[Any]:
    if what == "networks":
        return [cluster.networks[nic.network].uuid if nic.network else None for nic in instance.nics]
    if what == "bridges":
        return [nic.link if nic.mode == "bridged" else None for nic in instance.nics]
    attribute = {"names": "name", "ips": "ip", "macs": "mac", "modes": "mode", "links": "link", "uuids": "uuid",
                 "networks.names": "network"}[what]
    return [getattr(nic, attribute) for nic in instance.nics]


def _answering(cluster: Cluster, instance: Instance) -> bool:
    node = cluster.nodes[instance.pnode]
    return node.is_answering and not node.offline


def _status(cluster: Cluster, instance: Instance) -> str:
    if cluster.nodes[instance.pnode].offline:
        return "ERROR_nodeoffline"
    return instance.status if _answering(cluster, instance) else "ERROR_nodedown"


def _live(cluster: Cluster, instance: Instance, value: Any) -> Any:
    if not _answering(cluster, instance):
        raise Absent
    return value


def _port(instance: Instance) -> int:
    if instance.network_port is None:
        raise Absent
    return instance.network_port


def _while_running(cluster: Cluster, instance: Instance, value: Any) -> Any:
    if not _live(cluster, instance, instance.is_running):
        raise Absent
    return value


_INSTANCE: dict[str, Callable[[Cluster, Instance], Any]] = {
    "name": lambda _, i: i.name, "uuid": lambda _, i: i.uuid, "admin_state": lambda _, i: i.admin_state,
    "os": lambda _, i: i.os, "pnode": lambda _, i: i.pnode, "snodes": lambda _, i: [],
    "disk_template": lambda _, i: i.disk_template, "network_port": lambda _, i: _port(i),
    "disk_usage": lambda _, i: sum(disk.size for disk in i.disks), "beparams": lambda _, i: i.full_beparams,
    "hvparams": lambda _, i: i.full_hvparams, "custom_beparams": lambda _, i: i.beparams,
    "custom_hvparams": lambda _, i: i.hvparams,
    "custom_nicparams": lambda _, i: [{"mode": nic.mode, "link": nic.link, "vlan": nic.vlan} for nic in i.nics],
    "oper_state": lambda c, i: _live(c, i, i.is_running),
    "oper_ram": lambda c, i: _while_running(c, i, i.full_beparams["maxmem"]),
    "oper_vcpus": lambda c, i: _while_running(c, i, i.full_beparams["vcpus"]), "status": _status,
    "hypervisor": lambda _, i: i.hypervisor, "ctime": lambda _, i: i.ctime, "mtime": lambda _, i: i.mtime,
    "serial_no": lambda _, i: i.serial_no, "tags": lambda _, i: list(i.tags),
}


def network_field(cluster: Cluster, network: Network, name: str) -> Any:
    return _NETWORK[name](cluster, network)


def _map(network: Network) -> str:
    taken = {*network.reserved, *network.used}
    return "".join("X" if str(address) in taken else "." for address in network.subnet)


_NETWORK: dict[str, Callable[[Cluster, Network], Any]] = {
    "name": lambda _, n: n.name, "network": lambda _, n: n.network, "gateway": lambda _, n: n.gateway,
    "network6": lambda _, n: n.network6, "gateway6": lambda _, n: n.gateway6, "mac_prefix": lambda _, n: n.mac_prefix,
    "free_count": lambda _, n: n.subnet.num_addresses - len({*n.reserved, *n.used}),
    "reserved_count": lambda _, n: len({*n.reserved, *n.used}), "map": lambda _, n: _map(n),
    "group_list": lambda _, n: n.groups,
    "inst_list": lambda c, n: sorted(i.name for i in c.instances.values() if any(nic.network == n.name for nic in i.nics)),
    "external_reservations": lambda _, n: ", ".join(_in_order(n.reserved)), "ctime": lambda _, n: n.ctime,
    "mtime": lambda _, n: n.mtime, "uuid": lambda _, n: n.uuid, "serial_no": lambda _, n: n.serial_no,
    "tags": lambda _, n: list(n.tags),
}


def _in_order(addresses: Sequence[str]) -> list[str]:
    return sorted(addresses, key=lambda text: tuple(map(int, text.split("."))))


def node_field(cluster: Cluster, node: Node, name: str) -> Any:
    if name in _NODE_CONSTANTS:
        return _NODE_CONSTANTS[name]
    if not node.is_answering and name in {"dfree", "dtotal", "mfree", "mtotal", "mnode", "ctotal"}:
        raise Absent
    return _NODE[name](cluster, node)


_NODE_CONSTANTS: dict[str, Any] = {
    "master_candidate": True, "sptotal": None, "spfree": None, "mnode": 128, "sinst_cnt": 0, "sinst_list": [],
    "cnodes": 1, "csockets": 1, "pip": "127.0.0.1", "sip": "127.0.0.1", "master_capable": True, "vm_capable": True,
    "ndparams": {"spindle_count": 1, "ssh_port": 22, "cpu_speed": 1}, "serial_no": 1, "tags": [],
}
_NODE: dict[str, Callable[[Cluster, Node], Any]] = {
    "name": lambda _, n: n.name, "offline": lambda _, n: n.offline, "drained": lambda _, n: n.drained,
    "dtotal": lambda _, n: n.dtotal, "dfree": lambda c, n: n.dtotal - c.disk_used(n.name),
    "mtotal": lambda _, n: n.mtotal, "mfree": lambda c, n: n.mtotal - c.memory_used(n.name),
    "pinst_cnt": lambda c, n: sum(i.pnode == n.name for i in c.instances.values()),
    "pinst_list": lambda c, n: sorted(i.name for i in c.instances.values() if i.pnode == n.name),
    "ctotal": lambda _, n: n.ctotal, "cnos": lambda _, n: n.ctotal,
    "role": lambda c, n: "M" if n.name == c.master else "C", "group.uuid": lambda c, _: c.facts["group_uuid"],
    "ctime": lambda c, _: c.facts["ctime"], "mtime": lambda c, _: c.facts["ctime"], "uuid": lambda _, n: n.uuid,
}


def job_field(job: Job, name: str) -> Any:
    return _JOB[name](job)


_JOB: dict[str, Callable[[Job], Any]] = {
    "id": lambda job: job.id, "ops": lambda job: [opcodes.as_listed(op.input) for op in job.ops],
    "status": lambda job: job.status, "summary": lambda job: job.summary,
    "opstatus": lambda job: [op.status for op in job.ops], "received_ts": lambda job: job.received,
    "start_ts": lambda job: job.start, "end_ts": lambda job: job.end, "oplog": lambda job: [op.log for op in job.ops],
    "opresult": lambda job: [op.result for op in job.ops],
}


def cell(read: Callable[[str], Any], name: str) -> list[Any]:
    """[status, value] of one field."""
    try:
        return [NORMAL, read(name)]
    except KeyError:
        return [UNKNOWN, None]
    except Absent:
        return [UNAVAILABLE, None]


def value_of(read: Callable[[str], Any], name: str) -> Any:
    return cell(read, name)[1]


def query(cluster: Cluster, queue: JobQueue, resource: str, fields: Sequence[str], qfilter: object) -> dict[str, Any]:
    """As `PUT /2/query/<resource>` answers. Raises `BadQuery`."""
    matches(qfilter, _no_fields)  # a filter that makes no sense is refused even when there is nothing to filter
    readers = _readers(cluster, queue, resource)
    rows = [[cell(read, name) for name in fields] for read in readers if matches(qfilter, read)]
    return {"data": rows, "fields": [{"name": name, "title": name, "kind": "other", "doc": name} for name in fields]}


def _no_fields(name: str) -> Any:
    raise Absent


def _readers(cluster: Cluster, queue: JobQueue, resource: str) -> list[Callable[[str], Any]]:
    if resource == "instance":
        return [lambda name, i=item: instance_field(cluster, i, name)  # type: ignore[misc]
                for item in list(cluster.instances.values())]
    if resource == "network":
        return [lambda name, n=item: network_field(cluster, n, name)  # type: ignore[misc]
                for item in list(cluster.networks.values())]
    if resource == "node":
        return [lambda name, n=item: node_field(cluster, n, name)  # type: ignore[misc]
                for item in list(cluster.nodes.values())]
    if resource == "job":
        return [lambda name, j=item: job_field(j, name) for item in queue.listed()]  # type: ignore[misc]
    raise BadQuery(f"Can't query {resource}")


def matches(qfilter: object, read: Callable[[str], Any]) -> bool:
    """Evaluate a filter: ["=", field, value], ["|", F, ...], ... Raises `BadQuery`."""
    if qfilter is None:
        return True
    if not isinstance(qfilter, list) or not qfilter:
        raise BadQuery("a filter is a list")
    operator, *arguments = qfilter
    if operator == "&":
        return all(matches(item, read) for item in arguments)
    if operator == "|":
        return any(matches(item, read) for item in arguments)
    if operator == "!" and len(arguments) == 1:
        return not matches(arguments[0], read)
    if operator == "?" and len(arguments) == 1:
        return bool(value_of(read, arguments[0]))
    if operator in _COMPARISONS and len(arguments) == 2:
        return _compare(_COMPARISONS[operator], value_of(read, arguments[0]), arguments[1])
    raise BadQuery(f"Unknown filter operand '{operator}'")


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    ">": lambda a, b: a > b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b,
    "=~": lambda a, b: re.search(b, a) is not None, "=[]": lambda a, b: b in a,
}


def _compare(test: Callable[[Any, Any], bool], value: Any, wanted: Any) -> bool:
    try:
        return bool(test(value, wanted))
    except (TypeError, re.error):
        return False


def cluster_info(cluster: Cluster) -> dict[str, Any]:
    from synnefo_node.simulator.execution import DISK_TEMPLATES, HYPERVISORS
    from synnefo_node.simulator.model import BE_DEFAULTS, HV_DEFAULTS

    facts = cluster.facts
    return {
        "software_version": SOFTWARE_VERSION, "protocol_version": 3000000, "config_version": 3000000,
        "os_api_version": 20, "export_version": 0, "vcs_version": "simulated", "architecture": ["64bits", "x86_64"],
        "name": facts["name"], "master": cluster.master, "default_hypervisor": "kvm",
        "enabled_hypervisors": list(HYPERVISORS), "hvparams": HV_DEFAULTS, "os_hvp": {},
        "beparams": {"default": BE_DEFAULTS}, "osparams": {}, "ipolicy": _IPOLICY,
        "nicparams": {"default": {"mode": "bridged", "link": "br0", "vlan": ""}}, "ndparams": {}, "diskparams": {},
        "candidate_pool_size": 10, "max_running_jobs": 20, "max_tracked_jobs": 25, "mac_prefix": "aa:00:00",
        "ctime": facts["ctime"], "mtime": facts["ctime"], "uuid": facts["uuid"], "tags": list(facts["tags"]),
        "default_iallocator": "hail", "default_iallocator_params": {"no-capacity-checks": None},
        "enabled_disk_templates": list(DISK_TEMPLATES), "enabled_user_shutdown": False, "primary_ip_version": 4,
        "volume_group_name": None, "drbd_usermode_helper": None, "file_storage_dir": "/srv/ganeti/file-storage",
    }


_BOUND = {"cpu-count": 64, "disk-count": 16, "disk-size": 1048576, "memory-size": 131072, "nic-count": 16, "spindle-use": 64}
_IPOLICY = {
    "minmax": [{"min": {"cpu-count": 1, "disk-count": 0, "disk-size": 4, "memory-size": 4, "nic-count": 0, "spindle-use": 1},
                "max": _BOUND}],
    "std": _BOUND, "disk-templates": ["file", "diskless", "ext"], "vcpu-ratio": 1000.0, "spindle-ratio": 10000.0,
}
