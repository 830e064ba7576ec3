"""Jobs, their files and what an event daemon makes of them, on both clusters."""

from __future__ import annotations

import re

import pytest

from synnefo.cyclades.consumers import messages
from synnefo.cyclades.ports import GanetiNotFound, NICSpec
from synnefo_node import jobs as node_jobs
from synnefo_node import luxi
from tests.support.ganeti_cluster import ClusterUnderTest, new_name, reason

JOB_KEYS = {"id", "ops", "received_timestamp", "start_timestamp", "end_timestamp", "livelock", "process_id"}
OP_KEYS = {"input", "status", "result", "log", "start_timestamp", "exec_timestamp", "end_timestamp", "priority"}
LISTED_KEYS = {"id", "ops", "status", "summary", "opstatus", "received_ts", "start_ts", "end_ts"}


def test_job_is_found_by_its_reason(cluster: ClusterUnderTest) -> None:
    mine = reason()
    submitted = cluster.rapi.startup_instance(new_name("nobody"), reason=mine)
    assert [job.id for job in cluster.rapi.find_jobs(mine)] == [submitted]
    job = cluster.ended(submitted)
    assert job.reason == mine
    assert [found.id for found in cluster.rapi.find_jobs(mine)] == [submitted]
    assert cluster.rapi.find_jobs(mine[:-1]) == []


def test_job_file_and_listing_have_the_known_keys(cluster: ClusterUnderTest) -> None:
    job = cluster.succeeded(cluster.rapi.create_instance(cluster.spec(new_name("vm")), reason=reason()))
    stored = cluster.job_file(job.id)
    assert set(stored) == JOB_KEYS
    assert {key for op in stored["ops"] for key in op} == OP_KEYS
    (op,) = stored["ops"]
    assert (op["status"], op["input"]["OP_ID"], stored["id"]) == ("success", "OP_INSTANCE_CREATE", job.id)
    assert op["result"] == [cluster.rapi.info().master]
    for moment in (stored["received_timestamp"], op["start_timestamp"], op["exec_timestamp"], op["end_timestamp"]):
        assert re.fullmatch(r"\[\d{10}, \d{1,6}\]", str(moment))
    listed = cluster.raw("GET", "/2/jobs?bulk=1").json()
    assert set(listed[-1]) == LISTED_KEYS
    assert set(cluster.raw("GET", f"/2/jobs/{job.id}").json()) == LISTED_KEYS | {"oplog", "opresult"}


def test_inputs_name_the_same_parameters(cluster: ClusterUnderTest) -> None:
    """What a create writes down about itself: retries and events are built on these names."""
    job = cluster.succeeded(cluster.rapi.create_instance(cluster.spec(new_name("vm")), reason=reason()))
    given = cluster.job_file(job.id)["ops"][0]["input"]
    expected = {"instance_name", "os_type", "disk_template", "disks", "nics", "beparams", "hvparams", "osparams",
                "osparams_private", "osparams_secret", "opportunistic_locking", "pnode", "pnode_uuid", "iallocator", "tags",
                "mode", "start", "wait_for_sync", "reason", "depends", "dry_run", "comment", "debug_level", "priority", "OP_ID"}
    assert expected <= set(given)
    assert given["iallocator"] == "hail"
    assert [entry[0] for entry in given["reason"]] == ["gnt:user", "gnt:library:rlib2:instances", "gnt:opcode:instance_create"]


def test_dependency_and_cancel(cluster: ClusterUnderTest) -> None:
    """A job waits for those it depends on; while it waits it can be canceled; a failed dependency is no hindrance."""
    if cluster.simulated:
        cluster.simulated.control(queue_s=0.3)
    first = cluster.rapi.startup_instance(new_name("nobody"), reason=reason())
    waiting = cluster.rapi.shutdown_instance(new_name("nobody"), reason=reason(), depends=[first])
    assert cluster.rapi.cancel_job(waiting) is True
    canceled = cluster.ended(waiting)
    assert canceled.status == "canceled"
    after = cluster.ended(cluster.rapi.shutdown_instance(new_name("nobody"), reason=reason(), depends=[first, waiting]))
    assert after.error is not None
    assert after.error.code == "unknown_entity"  # it ran, and failed for its own reason
    assert cluster.rapi.cancel_job(first) is False


def test_job_waits_only_for_those_it_names(cluster: ClusterUnderTest) -> None:
    """Names are looked up when a job starts: one about an instance still being made fails unless it depends on that job."""
    if cluster.simulated:
        cluster.simulated.control(work_s=0.5)
    name = new_name("vm")
    made = cluster.rapi.create_instance(cluster.spec(name), reason=reason())
    hasty = cluster.rapi.remove_instance(name, reason=reason(), timeout_s=0)
    patient = cluster.rapi.remove_instance(name, reason=reason(), timeout_s=0, depends=[made])
    error = cluster.ended(hasty).error
    assert error is not None
    assert error.code == "unknown_entity"
    cluster.succeeded(made)
    cluster.succeeded(patient)


@pytest.mark.parametrize("name", ["ct-a/../b", "ct-a?reason=x", "ct a", "ct-\u00e9", "ct-a%2fb", "ct-a&b"])
def test_names_cannot_leave_their_place_in_the_path(cluster: ClusterUnderTest, name: str) -> None:
    """A name is one segment of the path whatever it holds; Ganeti knows no instance with such a name."""
    mine = reason()
    with pytest.raises(GanetiNotFound):
        cluster.rapi.startup_instance(name, reason=mine)
    assert cluster.rapi.find_jobs(mine) == []


def test_no_job_is_lost_from_the_list(cluster: ClusterUnderTest) -> None:
    ids = {cluster.rapi.startup_instance(new_name("nobody"), reason=reason()) for _ in range(5)}
    for job_id in ids:
        cluster.ended(job_id)
    listed = {job.id: job.status for job in cluster.rapi.list_jobs()}
    assert {job_id: listed[job_id] for job_id in ids} == dict.fromkeys(ids, "error")


def test_query_socket_tells_the_present_configuration(cluster: ClusterUnderTest) -> None:
    name, network = new_name("vm"), cluster.network(41)
    nic = NICSpec("ct-q", network, "10.41.0.5", "aa:00:10:41:00:05")
    cluster.succeeded(cluster.rapi.create_instance(cluster.spec(name, nics=[nic]), reason=reason()))
    cluster.succeeded(cluster.rapi.add_instance_tags(name, ["synnefo:network:ct-q:protected"], reason=reason()))
    present = luxi.instance_configuration(cluster.luxi_socket, name)
    assert present is not None
    (seen,) = present["instance_nics"]
    assert {key: seen[key] for key in ("name", "network", "ip", "mac", "mode", "link", "firewall")} == {
        "name": "ct-q", "network": network, "ip": nic.ip, "mac": nic.mac, "mode": "bridged", "link": "prv0", "firewall": "ENABLED"}
    assert present["instance_disks"] == []


def test_events_of_every_kind_of_job_keep_the_schema(cluster: ClusterUnderTest) -> None:
    """Job files of both clusters, through the node's code, against the server's schema."""
    name, network = new_name("vm"), cluster.network(42)
    made = cluster.rapi.create_instance(cluster.spec(name, nics=[NICSpec("ct-e", network, "10.42.0.5")]), reason=reason())
    cluster.succeeded(made)
    ids = [made, cluster.rapi.add_instance_tags(name, ["x"], reason=reason()), cluster.rapi.shutdown_instance(name, reason=reason(), timeout_s=0),
           cluster.rapi.remove_instance(name, reason=reason()), cluster.rapi.disconnect_network(network, "default", reason=reason()),
           cluster.rapi.startup_instance(new_name("nobody"), reason=reason())]
    seen = set()
    for job_id in ids:
        cluster.ended(job_id)
        for event in node_jobs.events(cluster.job_file(job_id), cluster="c.test", prefix="snf"):
            message = messages.check(event.message)
            seen.add((message["type"], message["operation"], message["status"]))
    assert {("ganeti-op-status", "OP_INSTANCE_CREATE", "success"), ("ganeti-op-status", "OP_TAGS_SET", "success"),
            ("ganeti-op-status", "OP_INSTANCE_REMOVE", "success"), ("ganeti-op-status", "OP_INSTANCE_STARTUP", "error")} <= seen
    assert any(kind == "ganeti-network-status" for kind, _, _ in seen)
