"""What each opcode does to the model, and why it refuses. Texts and codes are those of Ganeti 3.0.2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from synnefo_node.simulator import changes
from synnefo_node.simulator.faults import JobFault
from synnefo_node.simulator.jobs import JobFailed, Opcode
from synnefo_node.simulator.model import HV_DEFAULTS, Cluster, Disk, Instance, Network

type_say = Callable[[str], None]
DISK_TEMPLATES = ("file", "diskless", "ext", "plain", "sharedfile", "drbd", "rbd")
HYPERVISORS = tuple(HV_DEFAULTS)
DRY_RUN_NOTE = " - INFO: dry-run mode requested, not actually executing the operation"
MEBIBYTE_STEP = 4


def unknown(kind: str, name: str) -> JobFailed:
    return JobFailed(f"{kind} '{name}' not known", "unknown_entity")


def rounded(size: int) -> int:
    """Ganeti rounds memory up to a multiple of 4 MiB."""
    return -(-size // MEBIBYTE_STEP) * MEBIBYTE_STEP


def _has_changes(given: dict[str, Any]) -> bool:
    wanted = ("nics", "disks", "beparams", "hvparams", "osparams", "os_name", "offline", "runtime_mem", "disk_template")
    return any(given[key] not in (None, [], {}) for key in wanted)


class Executor:
    """Carries out opcodes, one at a time; raises `JobFailed` with the model unchanged."""

    def __init__(self, cluster: Cluster, operating_systems: dict[str, tuple[str, ...] | None]) -> None:
        self._cluster = cluster
        self._os = operating_systems
        self._verbs: dict[str, Callable[[Opcode, JobFault | None, type_say], Any]] = {
            "OP_INSTANCE_CREATE": self._create, "OP_INSTANCE_REMOVE": self._remove,
            "OP_INSTANCE_STARTUP": self._startup, "OP_INSTANCE_SHUTDOWN": self._shutdown,
            "OP_INSTANCE_REBOOT": self._reboot, "OP_INSTANCE_SET_PARAMS": self._modify,
            "OP_INSTANCE_GROW_DISK": self._grow, "OP_INSTANCE_RENAME": self._rename,
            "OP_TAGS_SET": self._tags, "OP_TAGS_DEL": self._tags,
            "OP_NETWORK_ADD": self._network_add, "OP_NETWORK_REMOVE": self._network_remove,
            "OP_NETWORK_SET_PARAMS": self._network_modify, "OP_NETWORK_CONNECT": self._network_connect,
            "OP_NETWORK_DISCONNECT": self._network_disconnect,
        }

    def __call__(self, op: Opcode, fault: JobFault | None, say: type_say) -> Any:
        return self._verbs[op.input["OP_ID"]](op, fault, say)

    def check_names(self, op: Opcode) -> None:
        """Ganeti looks names up when a job starts, before it waits for locks: what is still being made is not known yet."""
        given = op.input
        if given["OP_ID"] in {"OP_INSTANCE_CREATE", "OP_NETWORK_ADD"}:
            return
        if given.get("instance_name") and (given["OP_ID"] != "OP_INSTANCE_SET_PARAMS" or _has_changes(given)):
            self._instance(op)
        if given.get("network_name"):
            self._network(given["network_name"])
        if given.get("kind"):
            self._tag_owner(given["kind"], given["name"])

    # Instances

    def _instance(self, op: Opcode) -> Instance:
        name = op.input["instance_name"]
        if name not in self._cluster.instances:
            raise unknown("Instance", name)
        instance = self._cluster.instances[name]
        op.input["instance_uuid"] = instance.uuid
        return instance

    def _create(self, op: Opcode, fault: JobFault | None, say: type_say) -> Any:
        given = op.input
        self._check_new(given)
        for side in ("minmem", "maxmem", "memory"):
            if side in given["beparams"]:
                given["beparams"][side] = rounded(given["beparams"][side])
        nics = changes.new_nics(self._cluster, given["nics"])
        node = self._allocate(given)
        given.update(iallocator="hail", pnode=node, pnode_uuid=self._cluster.nodes[node].uuid, osparams_private={})
        say(f" - INFO: Selected nodes for instance {given['instance_name']} via iallocator hail: {node}")
        changes.check_addresses(self._cluster, nics)
        self._check_os(given, node)
        if given["dry_run"]:
            say(DRY_RUN_NOTE)
            return [self._cluster.nodes[node].uuid]
        instance = self._add(given, node, nics)
        if given["disk_template"] != "diskless":
            say("* creating instance disks...")
            say("* running the instance OS create scripts...")
            if fault and fault.action == "fail_os":
                raise JobFailed(f"Could not add os for instance {instance.name} on node {node}: OS create script failed",
                                kind="OpExecError")
        if given["start"]:
            say("* starting instance...")
            instance.admin_state, instance.is_running = "up", True
        self._cluster.save(instance)
        return [node]

    def _check_new(self, given: dict[str, Any]) -> None:
        name, template = given["instance_name"], given["disk_template"]
        given["hypervisor"] = given["hypervisor"] or "kvm"
        if template not in DISK_TEMPLATES:
            raise JobFailed(f"Disk template '{template}' is not enabled in cluster. Enabled disk templates are: "
                            + ",".join(DISK_TEMPLATES))
        if given["hypervisor"] not in HYPERVISORS:
            raise JobFailed(f"Selected hypervisor ({given['hypervisor']}) not enabled in the cluster "
                            f"({','.join(HYPERVISORS)})", "wrong_state")
        if name in self._cluster.instances:
            raise JobFailed(f"Instance '{name}' is already in the cluster", "already_exists")
        changes.check_hvparams(given["hypervisor"], given["hvparams"])

    def _allocate(self, given: dict[str, Any]) -> str:
        memory = given["beparams"].get("maxmem", given["beparams"].get("memory", 128))
        disk = sum(disk.get("size", 0) for disk in given["disks"])
        for node in sorted(self._cluster.nodes.values(), key=lambda node: self._cluster.memory_used(node.name)):
            if node.offline or node.drained or not node.is_answering:
                continue
            if (memory <= node.mtotal - self._cluster.memory_used(node.name)
                    and disk <= node.dtotal - self._cluster.disk_used(node.name)):
                return node.name
        raise JobFailed("Can't compute nodes using iallocator 'hail': Request failed: Group default (preferred): No valid "
                        "allocation solutions, failure reasons: FailMem: 1", "insufficient_resources")

    def _check_os(self, given: dict[str, Any], node: str) -> None:
        failed = f"OS Parameters validation failed on node {node}: "
        name = str(given["os_type"] or "").split("+")[0]
        if name not in self._os:
            raise JobFailed(f"{failed}Directory for OS {name} not found in search path", kind="OpExecError")
        known = self._os[name]
        names = {**given["osparams"], **(given["osparams_secret"] or {})}
        bad = sorted(set(names) - set(known)) if known is not None else []
        if bad:
            raise JobFailed(f"{failed}The following parameters are not supported by the OS {name}: {', '.join(bad)}",
                            kind="OpExecError")

    def _add(self, given: dict[str, Any], node: str, nics: list[Any]) -> Instance:
        disks = [Disk(disk.get("name"), int(disk["size"]), parameters=changes.disk_parameters(disk)) for disk in given["disks"]]
        instance = Instance(
            given["instance_name"], given["os_type"], given["hypervisor"], given["disk_template"], node,
            dict(given["beparams"]), dict(given["hvparams"]), dict(given["osparams"]), list(given["tags"]), nics, disks,
            network_port=self._cluster.free_port() if given["hypervisor"] == "kvm" else None,
        )
        for nic in nics:
            self._cluster.hold(nic, instance.name)
        self._cluster.save(instance)
        return instance

    def _remove(self, op: Opcode, _fault: JobFault | None, _say: type_say) -> None:
        self._cluster.drop(self._instance(op))

    def _set_running(self, instance: Instance, admin_state: str, *, is_running: bool) -> None:
        instance.admin_state, instance.is_running = admin_state, is_running
        instance.touched()
        self._cluster.save(instance)

    def _startup(self, op: Opcode, _fault: JobFault | None, _say: type_say) -> None:
        self._set_running(self._instance(op), "up", is_running=True)

    def _shutdown(self, op: Opcode, _fault: JobFault | None, _say: type_say) -> None:
        op.input["admin_state_source"] = "admin"
        self._set_running(self._instance(op), "down", is_running=False)

    def _reboot(self, op: Opcode, _fault: JobFault | None, _say: type_say) -> None:
        self._set_running(self._instance(op), "up", is_running=True)

    def _modify(self, op: Opcode, _fault: JobFault | None, say: type_say) -> list[list[Any]]:
        given = op.input
        if not _has_changes(given):
            raise JobFailed("No changes submitted", "wrong_input")
        instance = self._instance(op)
        return changes.apply(self._cluster, instance, given, say)

    def _grow(self, op: Opcode, _fault: JobFault | None, _say: type_say) -> None:
        instance = self._instance(op)
        index = op.input["disk"]
        if not 0 <= index < len(instance.disks):
            raise JobFailed(f"Invalid disk index: {index}, there are {len(instance.disks)} disks", "unknown_entity")
        if op.input["amount"] < 0:
            raise JobFailed("Negative disk grow amount", "wrong_input")
        instance.disks[index].size += op.input["amount"]
        instance.touched()
        self._cluster.save(instance)

    def _rename(self, op: Opcode, _fault: JobFault | None, _say: type_say) -> str:
        instance, new_name = self._instance(op), str(op.input["new_name"])
        if instance.admin_state == "up":
            raise JobFailed(f"Instance '{instance.name}' is marked to be up, cannot rename", "wrong_state")
        if new_name in self._cluster.instances:
            raise JobFailed(f"Instance '{new_name}' is already in the cluster", "already_exists")
        self._cluster.drop(instance)
        instance.name = new_name
        for nic in instance.nics:
            self._cluster.hold(nic, new_name)
        self._cluster.save(instance)
        return new_name

    # Tags

    def _tags(self, op: Opcode, _fault: JobFault | None, say: type_say) -> None:
        kind, name, tags = op.input["kind"], op.input["name"], op.input["tags"]
        owner = self._tag_owner(kind, name)
        old: list[str] = owner["tags"] if isinstance(owner, dict) else owner.tags
        is_set = op.input["OP_ID"] == "OP_TAGS_SET"
        missing = sorted(set(tags) - set(old))
        if not is_set and missing:
            raise JobFailed("Tag(s) " + ", ".join(f"'{tag}'" for tag in missing) + " not found", "unknown_entity")
        if op.input["dry_run"]:
            say(DRY_RUN_NOTE)
            return
        new = sorted(set(old) | set(tags) if is_set else set(old) - set(tags))
        if isinstance(owner, dict):
            owner["tags"] = new
            self._cluster.save_facts()
        else:
            owner.tags = new
            self._cluster.save(owner)

    def _tag_owner(self, kind: str, name: str) -> dict[str, Any] | Instance | Network:
        if kind == "cluster":
            return self._cluster.facts
        known = self._cluster.instances if kind == "instance" else self._cluster.networks
        if name not in known:
            raise unknown(kind.title(), name) if kind == "instance" else JobFailed(f"Network '{name}' not found",
                                                                                  "unknown_entity")
        return known[name]

    # Networks

    def _network(self, name: str) -> Network:
        if name not in self._cluster.networks:
            raise JobFailed(f"Network '{name}' not found", "unknown_entity")
        return self._cluster.networks[name]

    def _network_add(self, op: Opcode, _fault: JobFault | None, _say: type_say) -> None:
        given = op.input
        if given["network_name"] in self._cluster.networks:
            present = self._cluster.networks[given["network_name"]]
            raise JobFailed(f"Desired network name '{present.name}' already exists as a network (UUID: {present.uuid})",
                            "already_exists")
        self._cluster.save(changes.new_network(given))

    def _network_remove(self, op: Opcode, _fault: JobFault | None, say: type_say) -> None:
        network = self._network(op.input["network_name"])
        if network.groups:
            groups = ", ".join(row[0] for row in network.groups)
            say(f" - WARNING: Network '{network.name}' is connected to the following node groups: {groups}")
            raise JobFailed("Network still connected", "wrong_state")
        self._cluster.drop(network)

    def _network_modify(self, op: Opcode, _fault: JobFault | None, say: type_say) -> None:
        network = self._network(op.input["network_name"])
        changes.modify_network(network, op.input, say)
        self._cluster.save(network)

    def _group(self, name: str) -> None:
        if name not in {node.group for node in self._cluster.nodes.values()}:
            raise JobFailed(f"Node group '{name}' not found", "unknown_entity")

    def _network_connect(self, op: Opcode, _fault: JobFault | None, say: type_say) -> None:
        given = op.input
        self._group(given["group_name"])
        network = self._network(given["network_name"])
        if any(row[0] == given["group_name"] for row in network.groups):
            say(f" - WARNING: Network '{network.name}' is already mapped to group '{given['group_name']}'")
            return
        network.groups.append([given["group_name"], given["network_mode"] or "bridged", given["network_link"] or "",
                               given["network_vlan"]])
        self._cluster.save(network)

    def _network_disconnect(self, op: Opcode, _fault: JobFault | None, say: type_say) -> None:
        given = op.input
        self._group(given["group_name"])
        network = self._network(given["network_name"])
        if not any(row[0] == given["group_name"] for row in network.groups):
            say(f" - WARNING: Network '{network.name}' is not mapped to group '{given['group_name']}'")
            return
        if network.used:
            say(f" - WARNING: IP addresses from network '{network.name}', which is about to disconnect from node group "
                f"'{given['group_name']}', are in use: " + ", ".join(f"{who}: {ip}" for ip, who in network.used.items()))
            raise JobFailed("Conflicting IP addresses found;  remove/modify the corresponding network interfaces",
                            "wrong_state")
        network.groups = [row for row in network.groups if row[0] != given["group_name"]]
        self._cluster.save(network)
