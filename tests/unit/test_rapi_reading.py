"""Ganeti's answers, odd ones included, become the port's types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synnefo.cyclades.adapters import rapi_reading as reading
from synnefo.cyclades.adapters.rapi import _create_body, _modify_body
from synnefo.cyclades.ports import DiskSpec, InstanceChanges, InstanceSpec, JobError, NICSpec, error_of

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3) |
                    st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)


@pytest.mark.parametrize(("result", "expected"), [
    (["OpPrereqError", ["no room", "insufficient_resources"]], JobError("OpPrereqError", "no room", "insufficient_resources")),
    (["OpExecError", ["script failed"]], JobError("OpExecError", "script failed")),
    (["OpExecError", []], JobError("OpExecError", "")),
    ("Job canceled by request", JobError("", "Job canceled by request")),
    (None, JobError("", "")),
    (["OpPrereqError", [["a"], 5]], JobError("OpPrereqError", "['a']")),
])
def test_errors_of_opcodes(result: Any, expected: JobError) -> None:
    assert error_of(result) == expected


@given(JSON)
def test_any_result_is_readable_as_an_error(result: Any) -> None:
    error = error_of(result)
    assert isinstance(error.kind, str)
    assert isinstance(error.message, str)
    assert isinstance(error.code, str)


@pytest.mark.parametrize(("value", "expected"), [
    ([1795474147, 500643], datetime(2026, 11, 23, 22, 49, 7, 500643, tzinfo=UTC)),
    (1795474147.25, datetime(2026, 11, 23, 22, 49, 7, 250000, tzinfo=UTC)),
    (None, None), ([], None), ("soon", None),
])
def test_moments(value: Any, expected: datetime | None) -> None:
    assert reading.moment(value) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ("3.0.2", (3, 0, 2)), ("3.1.0~rc1", (3, 1, 0)), ("3.1", (3, 1, 0)), ("", (0, 0, 0)), ("2.16.2-3", (2, 16, 2)),
])
def test_versions(text: str, expected: tuple[int, int, int]) -> None:
    assert reading.version_of(text) == expected


def test_reason_is_the_users_and_not_the_librarys() -> None:
    trail = [["gnt:library:rlib2:instances", "", 1], ["gnt:user", "snf:abc", 2]]
    assert reading.reason_of([{"reason": None}, {"reason": trail}]) == "snf:abc"
    assert reading.reason_of([{"reason": trail[:1]}]) is None


def test_room_counts_only_nodes_that_can_take_an_instance() -> None:
    node = {"mfree": 10, "mtotal": 20, "dfree": 30, "dtotal": 40, "pinst_cnt": 1, "ctotal": 2}
    nodes = [node, {**node, "offline": True}, {**node, "drained": True}, {**node, "vm_capable": False}, {**node, "mfree": None}]
    room = reading.capacity(nodes)
    assert (room.mem_free_mib, room.mem_total_mib, room.disk_free_mib, room.disk_total_mib, room.instances, room.cpus) == (
        10, 40, 60, 80, 2, 4)


def test_create_request() -> None:
    spec = InstanceSpec(
        "snf-1", "snf-image+default", "ext", 2, 512, disks=[DiskSpec(2048, "snf-vol-1", {"provider": "archipelago"})],
        nics=[NICSpec("snf-nic-1", "snf-net-1", None), NICSpec("snf-nic-2", "snf-net-1", "10.0.0.2", "aa:00:10:00:00:01")],
        os_parameters={"img_format": "diskdump"}, os_secret={"config_url": "s"}, hypervisor="kvm", tags=["t"],
        extra={"hvparams": {"serial_console": False}, "name": "overridden"})
    assert _create_body(spec) == {
        "__version__": 1, "mode": "create", "name": "snf-1", "os": "snf-image+default", "disk_template": "ext",
        "disks": [{"provider": "archipelago", "size": 2048, "name": "snf-vol-1"}],
        "nics": [{"name": "snf-nic-1", "network": "snf-net-1", "ip": None},
                 {"name": "snf-nic-2", "network": "snf-net-1", "ip": "10.0.0.2", "mac": "aa:00:10:00:00:01"}],
        "beparams": {"auto_balance": True, "vcpus": 2, "minmem": 512, "maxmem": 512}, "osparams": {"img_format": "diskdump"},
        "osparams_secret": {"config_url": "s"}, "hypervisor": "kvm", "hvparams": {"serial_console": False}, "tags": ["t"],
        "ip_check": False, "name_check": False, "wait_for_sync": False, "opportunistic_locking": True}


@pytest.mark.parametrize(("key", "hotplug", "expected"), [
    ("hotplug_if_possible", True, {"hotplug_if_possible": True}), ("hotplug_if_possible", False, {}),
    ("hotplug", True, {"hotplug": True}), ("hotplug", False, {"hotplug": False}), ("", True, {}),
])
def test_hotplug_is_asked_for_by_version(key: str, hotplug: bool, expected: dict[str, bool]) -> None:
    """From 3.1 on it is the default and must be switched off; before it had to be asked for."""
    changes = InstanceChanges(nics=[("remove", "snf-nic-9", {})], hotplug=hotplug)
    assert _modify_body(changes, hotplug_key=key) == {"nics": [["remove", "snf-nic-9", {}]], **expected}
