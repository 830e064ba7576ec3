"""The cluster's objects, their indexes, and their copy on disk.

Everything is looked up in dictionaries, so that tens of thousands of instances cost memory only. Changes are written
through to SQLite object by object (`save`), without waiting for the disk: a simulated cluster may lose its last moment
when the whole machine dies, not when its process does.
"""

from __future__ import annotations

import ipaddress
import json
import random
import sqlite3
import time
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FIRST_VNC_PORT = 11000
BE_DEFAULTS = {"minmem": 128, "maxmem": 128, "vcpus": 1, "auto_balance": True, "always_failover": False, "spindle_use": 1}
HV_DEFAULTS: dict[str, dict[str, Any]] = {
    "kvm": {"acpi": True, "boot_order": "disk", "cdrom_image_path": "", "kernel_path": "", "serial_console": False,
            "vnc_bind_address": "0.0.0.0", "disk_type": "paravirtual", "nic_type": "paravirtual"},  # noqa: S104
    "fake": {},
}


def new_uuid() -> str:
    return str(uuid.uuid4())


@dataclass(slots=True)
class NIC:
    name: str | None
    mac: str
    ip: str | None
    network: str | None
    """Name; shown as the network's uuid too."""
    mode: str
    link: str
    vlan: str = ""
    uuid: str = field(default_factory=new_uuid)


@dataclass(slots=True)
class Disk:
    name: str | None
    size: int
    uuid: str = field(default_factory=new_uuid)
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Instance:
    name: str
    os: str
    hypervisor: str
    disk_template: str
    pnode: str
    beparams: dict[str, Any]
    hvparams: dict[str, Any]
    osparams: dict[str, Any]
    tags: list[str]
    nics: list[NIC]
    disks: list[Disk]
    admin_state: str = "down"
    is_running: bool = False
    network_port: int | None = None
    uuid: str = field(default_factory=new_uuid)
    ctime: float = field(default_factory=time.time)
    mtime: float = field(default_factory=time.time)
    serial_no: int = 1

    @property
    def full_beparams(self) -> dict[str, Any]:
        merged = {**BE_DEFAULTS, **self.beparams}
        return {**merged, "memory": merged["maxmem"]}

    @property
    def full_hvparams(self) -> dict[str, Any]:
        return {**HV_DEFAULTS.get(self.hypervisor, {}), **self.hvparams}

    @property
    def status(self) -> str:
        if self.is_running:
            return "running" if self.admin_state == "up" else "ERROR_up"
        return "ERROR_down" if self.admin_state == "up" else "ADMIN_down"

    def touched(self) -> None:
        self.mtime = time.time()
        self.serial_no += 1


@dataclass(slots=True)
class Network:
    name: str
    network: str
    gateway: str | None
    network6: str | None
    gateway6: str | None
    mac_prefix: str | None
    tags: list[str]
    reserved: list[str] = field(default_factory=list)
    """Addresses that belong to nobody in the cluster: network, broadcast, gateway and what operators added."""
    groups: list[list[str]] = field(default_factory=list)
    """[group, mode, link, vlan]."""
    used: dict[str, str] = field(default_factory=dict)
    """Address -> instance."""
    uuid: str = field(default_factory=new_uuid)
    ctime: float = field(default_factory=time.time)
    mtime: float = field(default_factory=time.time)
    serial_no: int = 1

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(self.network)

    def is_free(self, address: str) -> bool:
        try:
            inside = ipaddress.IPv4Address(address) in self.subnet
        except ValueError:
            return False
        return inside and address not in self.reserved and address not in self.used


@dataclass(slots=True)
class Node:
    name: str
    mtotal: int = 65536 * 64
    dtotal: int = 1024 * 1024 * 64
    ctotal: int = 4096
    group: str = "default"
    offline: bool = False
    drained: bool = False
    is_answering: bool = True
    uuid: str = field(default_factory=new_uuid)


class Cluster:
    """All objects of one cluster, loaded from and written through to `<directory>/state.sqlite3`."""

    def __init__(self, directory: Path, name: str, *, nodes: int = 1) -> None:
        self._db = sqlite3.connect(directory / "state.sqlite3", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS objects(kind TEXT, name TEXT, value TEXT, PRIMARY KEY(kind, name))")
        self.instances: dict[str, Instance] = {}
        self.networks: dict[str, Network] = {}
        self.nodes: dict[str, Node] = {}
        self.macs: dict[str, str] = {}
        self.facts: dict[str, Any] = {}
        self._load()
        self._found(name, nodes)

    def _load(self) -> None:
        for kind, name, value in self._db.execute("SELECT kind, name, value FROM objects"):
            data = json.loads(value)
            if kind == "instance":
                nics, disks = data.pop("nics"), data.pop("disks")
                self._index(Instance(**data, nics=[NIC(**nic) for nic in nics], disks=[Disk(**disk) for disk in disks]))
            elif kind == "network":
                self.networks[name] = Network(**data)
            elif kind == "node":
                self.nodes[name] = Node(**data)
            else:
                self.facts = data

    def _found(self, name: str, nodes: int) -> None:
        """Fill in what a first start needs."""
        if not self.facts:
            self.facts = {"name": name, "uuid": new_uuid(), "group_uuid": new_uuid(), "ctime": time.time(), "tags": [],
                          "serial_no": 1}
            self.save_facts()
        for number in range(1, nodes + 1):
            node = f"node{number}.{self.facts['name']}"
            if node not in self.nodes:
                self.nodes[node] = Node(node)
                self._store("node", node, self.nodes[node])

    def _store(self, kind: str, name: str, value: Any) -> None:
        data = value if isinstance(value, dict) else asdict(value)
        self._db.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", (kind, name, json.dumps(data)))

    def save_facts(self) -> None:
        self._store("facts", "cluster", self.facts)

    def save_node(self, node: Node) -> None:
        self._store("node", node.name, node)

    def save(self, item: Instance | Network) -> None:
        """Write one object through, after it was changed or made."""
        if isinstance(item, Instance):
            self._index(item)
            self._store("instance", item.name, item)
        else:
            self.networks[item.name] = item
            self._store("network", item.name, item)

    def _index(self, instance: Instance) -> None:
        self.instances[instance.name] = instance
        for nic in instance.nics:
            self.macs[nic.mac] = instance.name

    def drop(self, item: Instance | Network) -> None:
        if isinstance(item, Instance):
            del self.instances[item.name]
            for nic in item.nics:
                self.release(nic)
            self._db.execute("DELETE FROM objects WHERE kind='instance' AND name=?", (item.name,))
        else:
            del self.networks[item.name]
            self._db.execute("DELETE FROM objects WHERE kind='network' AND name=?", (item.name,))

    def release(self, nic: NIC) -> None:
        """Give back what a NIC held."""
        self.macs.pop(nic.mac, None)
        network = self.networks.get(nic.network or "")
        if network and nic.ip and network.used.pop(nic.ip, None):
            self.save(network)

    def hold(self, nic: NIC, owner: str) -> None:
        self.macs[nic.mac] = owner
        network = self.networks.get(nic.network or "")
        if network and nic.ip:
            network.used[nic.ip] = owner
            self.save(network)

    @property
    def master(self) -> str:
        return next(iter(self.nodes))

    def new_mac(self, network: Network | None) -> str:
        prefix = (network.mac_prefix if network else None) or "aa:00:00"
        while True:
            mac = prefix + "".join(f":{random.randrange(256):02x}" for _ in range(3))  # noqa: S311 - a simulated card
            if mac not in self.macs:
                return mac

    def free_port(self) -> int:
        """A port number for the display. Numbers come round again: nothing listens behind them."""
        self.facts["next_port"] = FIRST_VNC_PORT + (self.facts.get("next_port", FIRST_VNC_PORT) + 1 - FIRST_VNC_PORT) % 50000
        return int(self.facts["next_port"])

    def memory_used(self, node: str) -> int:
        return sum(i.full_beparams["maxmem"] for i in self.instances.values() if i.pnode == node and i.is_running)

    def disk_used(self, node: str) -> int:
        return sum(disk.size for i in self.instances.values() if i.pnode == node for disk in i.disks)

    def close(self) -> None:
        self._db.close()
