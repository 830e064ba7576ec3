"""The Ganeti cluster behind its remote API (RAPI 2, Ganeti 3.0 and later)."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from synnefo.common.errors import OutcomeUnknown
from synnefo.cyclades.adapters import rapi_reading as reading
from synnefo.cyclades.adapters.rapi_transport import PUBLIC_UNKNOWN, Target, Transport
from synnefo.cyclades.ports import (
    Capacity,
    ClusterInfo,
    GanetiNetwork,
    GanetiNotFound,
    GanetiRefused,
    Instance,
    InstanceChanges,
    InstanceSpec,
    InstanceState,
    Job,
    JobID,
    NetworkSpec,
    type_depends,
)

_ALL_ENDS = ["success", "error", "canceled"]
_FACTS_SECONDS = 300.0
_HOTPLUG_IS_DEFAULT = (3, 1, 0)
CREATE_FEATURE = "instance-create-reqv1"


class RapiCluster:
    """Implements `ports.GanetiCluster`; its promises are written there."""

    def __init__(self, target: Target) -> None:
        self._transport = Transport(target)
        self._facts: tuple[float, frozenset[str], tuple[int, int, int]] | None = None
        self._lock = threading.Lock()

    @classmethod
    def shared(cls, target: Target) -> RapiCluster:
        """One object for a cluster in each process, so that the bound on calls under way holds."""
        return _shared(target, os.getpid())

    def close(self) -> None:
        self._transport.close()

    # What is there

    def info(self) -> ClusterInfo:
        return reading.cluster_info(self._transport.read("/2/info"))

    def features(self) -> frozenset[str]:
        return self._known_facts()[0]

    def capacity(self) -> Capacity:
        return reading.capacity(self._transport.read("/2/nodes", query={"bulk": "1"}))

    def node_address(self, name: str) -> str:
        return str(self._transport.read(f"/2/nodes/{name}").get("pip") or name)

    def list_groups(self) -> list[str]:
        return [group["name"] for group in self._transport.read("/2/groups")]

    def list_os(self) -> list[str]:
        return list(self._transport.read("/2/os"))

    def list_instances(self, *, prefix: str = "") -> list[Instance]:
        return [reading.instance(row) for row in self._query("instance", reading.STATIC_FIELDS, _starts_with(prefix))]

    def list_instance_states(self, *, prefix: str = "") -> list[InstanceState]:
        rows = self._query("instance", ("name", *reading.LIVE_FIELDS), _starts_with(prefix))
        return [InstanceState(row["name"], row.get("status") or "", row.get("oper_state")) for row in rows]

    def get_instance(self, name: str, *, live: bool = False) -> Instance:
        fields = (*reading.STATIC_FIELDS, *(reading.LIVE_FIELDS if live else ()))
        # Not "=": Ganeti 3.0 answers a name it does not know with an internal error instead of no rows.
        for row in self._query("instance", fields, ["=~", "name", f"^{re.escape(name)}$"]):
            return reading.instance(row)
        raise GanetiNotFound("There is no such instance in the cluster.", status=404, instance=name)

    def list_networks(self, *, prefix: str = "") -> list[GanetiNetwork]:
        answer = self._transport.read("/2/networks", query={"bulk": "1"})
        return [reading.network(item) for item in answer if item["name"].startswith(prefix)]

    def get_network(self, name: str) -> GanetiNetwork:
        return reading.network(self._transport.read(f"/2/networks/{_part(name)}"))

    # Jobs

    def get_job(self, job_id: int) -> Job | None:
        try:
            answer = self._transport.read(f"/2/jobs/{int(job_id)}")
        except GanetiNotFound:
            return None
        # Ganeti 3.0 answers for a job it never had with every field null.
        return reading.job(answer) if answer.get("status") is not None else None

    def list_jobs(self) -> list[Job]:
        fields = ("id", "status", "summary", "opstatus", "received_ts", "start_ts", "end_ts")
        return [reading.job(row) for row in self._query("job", fields, None)]

    def find_jobs(self, reason: str) -> list[Job]:
        jobs = [reading.job(item) for item in self._transport.read("/2/jobs", query={"bulk": "1"}) if item.get("ops")]
        return sorted((job for job in jobs if job.reason == reason), key=lambda job: job.id)

    def cancel_job(self, job_id: int) -> bool:
        answer = self._transport.write("DELETE", f"/2/jobs/{int(job_id)}")
        return bool(answer[0]) if isinstance(answer, list) and answer else False

    # Submissions

    def create_instance(self, spec: InstanceSpec, *, reason: str, depends: type_depends = ()) -> JobID:
        if CREATE_FEATURE not in self.features():
            raise GanetiRefused("This cluster's Ganeti is too old to create instances.", status=501)
        return self._submit("POST", "/2/instances", reason, depends, _create_body(spec))

    def remove_instance(
        self, name: str, *, reason: str, timeout_s: int | None = None, depends: type_depends = ()
    ) -> JobID:
        return self._submit("DELETE", f"/2/instances/{_part(name)}", reason, depends, _given(shutdown_timeout=timeout_s))

    def startup_instance(self, name: str, *, reason: str, depends: type_depends = ()) -> JobID:
        return self._submit("PUT", f"/2/instances/{_part(name)}/startup", reason, depends)

    def shutdown_instance(
        self, name: str, *, reason: str, timeout_s: int | None = None, depends: type_depends = ()
    ) -> JobID:
        return self._submit("PUT", f"/2/instances/{_part(name)}/shutdown", reason, depends, _given(timeout=timeout_s))

    def reboot_instance(
        self, name: str, *, reason: str, timeout_s: int | None = None, depends: type_depends = ()
    ) -> JobID:
        # Always Ganeti's "hard": its "soft" only resets the guest and would not apply changed parameters.
        return self._submit("POST", f"/2/instances/{_part(name)}/reboot", reason, depends,
                            _given(shutdown_timeout=timeout_s), {"type": "hard"})

    def modify_instance(
        self, name: str, changes: InstanceChanges, *, reason: str, depends: type_depends = ()
    ) -> JobID:
        body = _modify_body(changes, hotplug_key=self._hotplug_key() if changes.nics or changes.disks else "")
        return self._submit("PUT", f"/2/instances/{_part(name)}/modify", reason, depends, body)

    def grow_disk(
        self, name: str, index: int, amount_mib: int, *, reason: str, wait_for_sync: bool = False,
        depends: type_depends = (),
    ) -> JobID:
        return self._submit("POST", f"/2/instances/{_part(name)}/disk/{int(index)}/grow", reason, depends,
                            {"amount": amount_mib, "wait_for_sync": wait_for_sync})

    def rename_instance(self, name: str, new_name: str, *, reason: str, depends: type_depends = ()) -> JobID:
        return self._submit("PUT", f"/2/instances/{_part(name)}/rename", reason, depends,
                            {"new_name": new_name, "ip_check": False, "name_check": False})

    def add_instance_tags(self, name: str, tags: Sequence[str], *, reason: str, dry_run: bool = False) -> JobID:
        return self._tag("PUT", f"/2/instances/{_part(name)}/tags", tags, reason, dry_run=dry_run)

    def remove_instance_tags(self, name: str, tags: Sequence[str], *, reason: str, dry_run: bool = False) -> JobID:
        return self._tag("DELETE", f"/2/instances/{_part(name)}/tags", tags, reason, dry_run=dry_run)

    def add_cluster_tags(self, tags: Sequence[str], *, reason: str, dry_run: bool = False) -> JobID:
        return self._tag("PUT", "/2/tags", tags, reason, dry_run=dry_run)

    def create_network(self, spec: NetworkSpec, *, reason: str, depends: type_depends = ()) -> JobID:
        return self._submit("POST", "/2/networks", reason, depends, _network_body(spec))

    def connect_network(
        self, name: str, group: str, *, mode: str, link: str, reason: str, vlan: str = "",
        conflicts_check: bool = False, depends: type_depends = (),
    ) -> JobID:
        body = {"group_name": group, "network_mode": mode, "network_link": link, "network_vlan": vlan,
                "conflicts_check": conflicts_check}
        return self._submit("PUT", f"/2/networks/{_part(name)}/connect", reason, depends, body)

    def disconnect_network(self, name: str, group: str, *, reason: str, depends: type_depends = ()) -> JobID:
        return self._submit("PUT", f"/2/networks/{_part(name)}/disconnect", reason, depends, {"group_name": group})

    def remove_network(self, name: str, *, reason: str, depends: type_depends = ()) -> JobID:
        return self._submit("DELETE", f"/2/networks/{_part(name)}", reason, depends)

    def modify_network(
        self, name: str, *, reason: str, add_reserved_ips: Sequence[str] = (), remove_reserved_ips: Sequence[str] = (),
        depends: type_depends = (),
    ) -> JobID:
        body = _given(add_reserved_ips=list(add_reserved_ips) or None,
                      remove_reserved_ips=list(remove_reserved_ips) or None)
        return self._submit("PUT", f"/2/networks/{_part(name)}/modify", reason, depends, body)

    # How

    def _submit(
        self, method: str, path: str, reason: str, depends: type_depends, body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> JobID:
        waits = {"depends": [[int(job_id), _ALL_ENDS] for job_id in depends]} if depends else {}
        payload = {**(body or {}), **waits}
        answer = self._transport.write(method, path, query={**(query or {}), "reason": reason}, body=payload or None)
        try:
            return JobID(int(answer))
        except (TypeError, ValueError) as error:
            raise OutcomeUnknown(PUBLIC_UNKNOWN, reason="the answer is not a job number") from error

    def _tag(self, method: str, path: str, tags: Sequence[str], reason: str, *, dry_run: bool) -> JobID:
        query: dict[str, Any] = {"tag": list(tags), **({"dry-run": "1"} if dry_run else {})}
        return self._submit(method, path, reason, (), None, query)

    def _query(self, resource: str, fields: Sequence[str], qfilter: object) -> list[dict[str, Any]]:
        answer = self._transport.ask(f"/2/query/{resource}", {"fields": list(fields), "qfilter": qfilter})
        return [reading.row_of(fields, row) for row in answer["data"]]

    def _known_facts(self) -> tuple[frozenset[str], tuple[int, int, int]]:
        """Features and version, asked again after some minutes: clusters are upgraded."""
        with self._lock:
            if self._facts is None or self._facts[0] < time.monotonic():
                features = frozenset(self._transport.read("/2/features"))
                self._facts = (time.monotonic() + _FACTS_SECONDS, features, self.info().version)
            return self._facts[1], self._facts[2]

    def _hotplug_key(self) -> str:
        return "hotplug" if self._known_facts()[1] >= _HOTPLUG_IS_DEFAULT else "hotplug_if_possible"


@lru_cache(maxsize=64)
def _shared(target: Target, process: int) -> RapiCluster:
    """Keyed by process too: connections must not be used across a fork."""
    return RapiCluster(target)


def _part(name: str) -> str:
    return quote(name, safe="")


def _starts_with(prefix: str) -> list[str] | None:
    return ["=~", "name", "^" + re.escape(prefix)] if prefix else None


def _given(**values: object) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _create_body(spec: InstanceSpec) -> dict[str, Any]:
    body = {
        "__version__": 1, "mode": "create", "ip_check": False, "name_check": False, "name": spec.name, "os": spec.os,
        "disk_template": spec.disk_template, "disks": [disk.body() for disk in spec.disks],
        "nics": [nic.body() for nic in spec.nics], "wait_for_sync": spec.wait_for_sync,
        "opportunistic_locking": spec.opportunistic_locking, "osparams": dict(spec.os_parameters),
        "beparams": {"auto_balance": True, "vcpus": spec.vcpus, "minmem": spec.memory_mib, "maxmem": spec.memory_mib},
    }
    optional = {
        "hypervisor": spec.hypervisor, "hvparams": dict(spec.hypervisor_parameters) or None,
        "osparams_secret": dict(spec.os_secret) or None, "tags": list(spec.tags) or None,
    }
    return {**spec.extra, **body, **_given(**optional)}


def _modify_body(changes: InstanceChanges, *, hotplug_key: str) -> dict[str, Any]:
    body: dict[str, Any] = dict(changes.extra)
    if changes.beparams:
        body["beparams"] = dict(changes.beparams)
    if changes.hvparams:
        body["hvparams"] = dict(changes.hvparams)
    for key, items in (("nics", changes.nics), ("disks", changes.disks)):
        if items:
            body[key] = [[verb, -1 if name is None else name, dict(parameters)] for verb, name, parameters in items]
    if hotplug_key and (changes.hotplug or hotplug_key == "hotplug"):
        body[hotplug_key] = changes.hotplug
    if changes.wait_for_sync is not None:
        body["wait_for_sync"] = changes.wait_for_sync
    return body


def _network_body(spec: NetworkSpec) -> dict[str, Any]:
    optional = _given(gateway=spec.gateway, network6=spec.subnet6, gateway6=spec.gateway6, mac_prefix=spec.mac_prefix,
                      add_reserved_ips=list(spec.reserved_ips) or None)
    return {"network_name": spec.name, "network": spec.subnet, "conflicts_check": spec.conflicts_check,
            "tags": list(spec.tags), **optional}
