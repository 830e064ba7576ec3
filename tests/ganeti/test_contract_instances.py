"""A machine's life, on both clusters."""

from __future__ import annotations

import pytest

from synnefo.cyclades.ports import DiskSpec, GanetiNotFound, InstanceChanges, NICSpec
from tests.support.ganeti_cluster import ClusterUnderTest, new_name, reason


def test_life_of_an_instance(cluster: ClusterUnderTest) -> None:
    name, network = new_name("vm"), cluster.network(21)
    nic = NICSpec(name + "-nic", network, "10.21.0.5", "aa:00:10:21:00:05")
    job = cluster.succeeded(cluster.rapi.create_instance(cluster.spec(name, nics=[nic], tags=["a:b"]), reason=reason()))
    assert job.summary == (f"INSTANCE_CREATE({name})",)
    assert job.ops[0].target == name
    there = cluster.rapi.get_instance(name, live=True)
    assert (there.vcpus, there.max_memory_mib, there.tags, there.status, there.is_running) == (1, 32, ("a:b",), "running", True)
    assert [(n.name, n.network, n.ip, n.mac, n.mode, n.link) for n in there.nics] == [
        (nic.name, network, nic.ip, nic.mac, "bridged", "prv0")]
    assert there.primary_node == cluster.rapi.info().master
    assert there.created_at is not None

    cluster.succeeded(cluster.rapi.shutdown_instance(name, reason=reason(), timeout_s=0))
    assert cluster.rapi.get_instance(name, live=True).status == "ADMIN_down"
    cluster.succeeded(cluster.rapi.shutdown_instance(name, reason=reason(), timeout_s=0))  # again: no error
    resized = InstanceChanges(beparams={"vcpus": 2, "minmem": 64, "maxmem": 64})
    cluster.succeeded(cluster.rapi.modify_instance(name, resized, reason=reason()))
    cluster.succeeded(cluster.rapi.startup_instance(name, reason=reason()))
    cluster.succeeded(cluster.rapi.reboot_instance(name, reason=reason(), timeout_s=0))
    after = cluster.rapi.get_instance(name, live=True)
    assert (after.vcpus, after.max_memory_mib, after.status) == (2, 64, "running")

    cluster.succeeded(cluster.rapi.remove_instance(name, reason=reason(), timeout_s=0))
    with pytest.raises(GanetiNotFound):
        cluster.rapi.get_instance(name)
    assert cluster.rapi.get_network(network).instances == ()


def test_nics_come_and_go(cluster: ClusterUnderTest) -> None:
    name, network = new_name("vm"), cluster.network(22)
    cluster.succeeded(cluster.rapi.create_instance(cluster.spec(name), reason=reason()))
    added = InstanceChanges(nics=[("add", None, NICSpec("ct-nic-a", network, "10.22.0.9").body())], hotplug=True)
    cluster.succeeded(cluster.rapi.modify_instance(name, added, reason=reason()))
    (nic,) = cluster.rapi.get_instance(name).nics
    assert (nic.name, nic.ip) == ("ct-nic-a", "10.22.0.9")
    assert nic.mac.startswith("aa:00:10:")
    changed = InstanceChanges(nics=[("modify", "ct-nic-a", {"ip": "10.22.0.10"})])
    cluster.succeeded(cluster.rapi.modify_instance(name, changed, reason=reason()))
    assert cluster.rapi.get_instance(name).nics[0].ip == "10.22.0.10"
    assert cluster.rapi.get_network(network).instances == (name,)
    absent = cluster.ended(cluster.rapi.modify_instance(name, InstanceChanges(nics=[("remove", "ct-none", {})]), reason=reason()))
    assert absent.error is not None
    assert absent.error.code == "unknown_entity"
    cluster.succeeded(cluster.rapi.modify_instance(name, InstanceChanges(nics=[("remove", "ct-nic-a", {})]), reason=reason()))
    assert cluster.rapi.get_instance(name).nics == ()


def test_disks_come_grow_and_go(cluster: ClusterUnderTest) -> None:
    name = new_name("vm")
    spec = cluster.spec(name, disk_template="file", disks=[DiskSpec(16, "ct-vol-1")], hypervisor="kvm", extra={"start": False})
    cluster.succeeded(cluster.rapi.create_instance(spec, reason=reason()))
    added = InstanceChanges(disks=[("add", None, DiskSpec(8, "ct-vol-2").body())])
    cluster.succeeded(cluster.rapi.modify_instance(name, added, reason=reason()))
    cluster.succeeded(cluster.rapi.grow_disk(name, 1, 4, reason=reason()))
    there = cluster.rapi.get_instance(name)
    assert [(d.name, d.size_mib) for d in there.disks] == [("ct-vol-1", 16), ("ct-vol-2", 12)]
    assert there.network_port is not None
    assert there.boot_order == "disk"
    cluster.succeeded(cluster.rapi.modify_instance(name, InstanceChanges(disks=[("remove", "ct-vol-2", {})]), reason=reason()))
    assert [d.name for d in cluster.rapi.get_instance(name).disks] == ["ct-vol-1"]


def test_failed_image_copy_leaves_a_stopped_instance(cluster: ClusterUnderTest) -> None:
    """So that an ERROR server needs a real removal."""
    name = new_name("vm")
    if cluster.simulated:
        cluster.simulated.control(jobs=[{"action": "fail_os", "match": name}])
    spec = cluster.spec(name, disk_template="file", disks=[DiskSpec(16, "ct-vol-3")], hypervisor="kvm",
                        os_parameters={"img_id": "broken"})
    job = cluster.ended(cluster.rapi.create_instance(spec, reason=reason()))
    assert job.status == "error"
    assert job.error is not None
    assert (job.error.kind, job.error.code) == ("OpExecError", "")
    assert cluster.rapi.get_instance(name, live=True).is_running is False


def test_secrets_are_written_nowhere(cluster: ClusterUnderTest) -> None:
    name, secret = new_name("vm"), "https://one-time/c0ffee"
    job = cluster.succeeded(cluster.rapi.create_instance(cluster.spec(name, os_secret={"config_url": secret}), reason=reason()))
    assert job.ops[0].input["osparams_secret"] == {"config_url": None}
    assert secret not in (cluster.queue_directory / f"job-{job.id}").read_text()
    assert secret not in cluster.raw("GET", f"/2/instances/{name}").text


def test_tags(cluster: ClusterUnderTest) -> None:
    name = new_name("vm")
    cluster.succeeded(cluster.rapi.create_instance(cluster.spec(name), reason=reason()))
    cluster.succeeded(cluster.rapi.add_instance_tags(name, ["cyclades:user:a", "b"], reason=reason()))
    cluster.succeeded(cluster.rapi.add_instance_tags(name, ["dry"], reason=reason(), dry_run=True))
    cluster.succeeded(cluster.rapi.remove_instance_tags(name, ["b"], reason=reason()))
    assert cluster.rapi.get_instance(name).tags == ("cyclades:user:a",)
    missing = cluster.ended(cluster.rapi.remove_instance_tags(name, ["zz"], reason=reason()))
    assert missing.error is not None
    assert missing.error.code == "unknown_entity"
    before = cluster.rapi.info().raw["tags"]
    cluster.succeeded(cluster.rapi.add_cluster_tags(["snf:eventd:heartbeat:1"], reason=reason(), dry_run=True))
    assert cluster.rapi.info().raw["tags"] == before


def test_rename_needs_a_stopped_instance(cluster: ClusterUnderTest) -> None:
    name, other = new_name("vm"), new_name("vm")
    cluster.succeeded(cluster.rapi.create_instance(cluster.spec(name), reason=reason()))
    running = cluster.ended(cluster.rapi.rename_instance(name, other, reason=reason()))
    assert running.error is not None
    assert running.error.code == "wrong_state"
    cluster.succeeded(cluster.rapi.shutdown_instance(name, reason=reason(), timeout_s=0))
    cluster.succeeded(cluster.rapi.rename_instance(name, other, reason=reason()))
    assert [i.name for i in cluster.rapi.list_instances(prefix=name)] == []
    assert cluster.rapi.get_instance(other).name == other


@pytest.mark.parametrize(("change", "kind", "code"), [
    ({"os": "absent+default"}, "OpExecError", ""),
    ({"os_parameters": {"no_such_parameter": "1"}}, "OpExecError", ""),
    ({"memory_mib": 90_000_000}, "OpPrereqError", "insufficient_resources"),
    ({"nics": [NICSpec("n", "ct-no-such-network")]}, "OpPrereqError", "unknown_entity"),
])
def test_impossible_instances(cluster: ClusterUnderTest, change: dict[str, object], kind: str, code: str) -> None:
    name = new_name("vm")
    job = cluster.ended(cluster.rapi.create_instance(cluster.spec(name, **change), reason=reason()))
    assert job.status == "error"
    assert job.error is not None
    assert (job.error.kind, job.error.code) == (kind, code)
    assert cluster.rapi.list_instances(prefix=name) == []


def test_names_addresses_and_macs_are_unique(cluster: ClusterUnderTest) -> None:
    name, network = new_name("vm"), cluster.network(23)
    nic = NICSpec("ct-n1", network, "10.23.0.5", "aa:00:10:23:00:05")
    cluster.succeeded(cluster.rapi.create_instance(cluster.spec(name, nics=[nic]), reason=reason()))
    attempts = {
        "already_exists": cluster.spec(name),
        "resource_not_unique": cluster.spec(new_name("vm"), nics=[NICSpec("ct-n2", network, "10.23.0.5")]),
        "resource_not_unique ": cluster.spec(new_name("vm"), nics=[NICSpec("ct-n3", network, "10.99.0.5")]),
        "resource_not_unique  ": cluster.spec(new_name("vm"), nics=[NICSpec("ct-n4", network, "10.23.0.6", "aa:00:10:23:00:05")]),
    }
    for code, spec in attempts.items():
        job = cluster.ended(cluster.rapi.create_instance(spec, reason=reason()))
        assert job.error is not None
        assert job.error.code == code.strip(), job.error


@pytest.mark.parametrize("verb", ["remove_instance", "startup_instance", "shutdown_instance", "reboot_instance"])
def test_unknown_instance_makes_a_failing_job(cluster: ClusterUnderTest, verb: str) -> None:
    job = cluster.ended(getattr(cluster.rapi, verb)(new_name("nobody"), reason=reason()))
    assert job.status == "error"
    assert job.error is not None
    assert job.error.code == "unknown_entity"


def test_lists_and_states(cluster: ClusterUnderTest) -> None:
    prefix = new_name("vm")
    jobs = [cluster.rapi.create_instance(cluster.spec(f"{prefix}-{n}"), reason=reason()) for n in (1, 2)]
    for job_id in jobs:
        cluster.succeeded(job_id)
    cluster.succeeded(cluster.rapi.shutdown_instance(f"{prefix}-2", reason=reason(), timeout_s=0))
    assert sorted(i.name for i in cluster.rapi.list_instances(prefix=prefix)) == [f"{prefix}-1", f"{prefix}-2"]
    states = {s.name: (s.status, s.is_running) for s in cluster.rapi.list_instance_states(prefix=prefix)}
    assert states == {f"{prefix}-1": ("running", True), f"{prefix}-2": ("ADMIN_down", False)}
