"""From Ganeti's job files to messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from synnefo_node import jobs
from synnefo_node.eventd import Cursor

NIC = {"name": "snf-nic-1", "network": "snf-net-1", "ip": "10.0.0.7"}


def job(*ops: dict[str, Any]) -> dict[str, Any]:
    return {"id": 7, "ops": list(ops), "received_timestamp": [1, 0], "end_timestamp": [9, 9]}


def op(operation: str, status: str = "success", **given: Any) -> dict[str, Any]:
    log = [[1, [5, 0], "message", "first"], [2, [6, 0], "message", "last"]]
    return {"input": {"OP_ID": operation, **given}, "status": status, "result": None, "log": log, "start_timestamp": [2, 2], "exec_timestamp": [3, 3],
            "end_timestamp": [4, 4] if status in jobs.FINAL else None}


def events(*ops: dict[str, Any]) -> list[jobs.Event]:
    return list(jobs.events(job(*ops), cluster="one.test", prefix="snf"))


def test_a_creation_carries_what_was_asked_for_and_asks_for_what_there_is() -> None:
    [event] = events(op("OP_INSTANCE_CREATE", instance_name="snf-7", nics=[NIC], disks=[{"size": 8}], hvparams={}, beparams={"vcpus": 1}, mode="create"))
    assert event.routing_key == "ganeti.snf.event.op"
    assert event.instance == "snf-7"
    assert event.message == {
        "type": "ganeti-op-status", "event_time": [4, 4], "operation": "OP_INSTANCE_CREATE", "status": "success", "cluster": "one.test",
        "logmsg": "last", "result": None, "jobId": 7, "instance": "snf-7", "tags": [],
        "job_fields": {"nics": [NIC], "disks": [{"size": 8}], "hvparams": {}, "beparams": {"vcpus": 1}}}


def test_a_failed_creation_carries_all_but_the_parameters_of_the_os() -> None:
    [event] = events(op("OP_INSTANCE_CREATE", "error", instance_name="snf-7", mode="create", osparams={"a": "b"}, osparams_secret={"c": None}))
    assert event.message["job_fields"] == {"OP_ID": "OP_INSTANCE_CREATE", "instance_name": "snf-7", "mode": "create"}
    assert event.instance is None


@pytest.mark.parametrize(("status", "time"), [("queued", [1, 0]), ("waiting", [2, 2]), ("canceling", [2, 2]), ("running", [3, 3]), ("error", [4, 4])])
def test_the_time_is_that_of_the_status(status: str, time: list[int]) -> None:
    [event] = events(op("OP_INSTANCE_SHUTDOWN", status, instance_name="snf-7"))
    assert event.message["event_time"] == time


def test_a_missing_time_is_that_of_the_job() -> None:
    ended = op("OP_INSTANCE_SHUTDOWN", "canceled", instance_name="snf-7") | {"end_timestamp": None}
    [event] = events(ended)
    assert event.message["event_time"] == [9, 9]


@pytest.mark.parametrize(("operation", "status", "asks"), [
    ("OP_INSTANCE_STARTUP", "success", True), ("OP_INSTANCE_STARTUP", "error", False), ("OP_INSTANCE_SET_PARAMS", "canceled", True),
    ("OP_INSTANCE_SET_PARAMS", "running", False), ("OP_INSTANCE_GROW_DISK", "error", True), ("OP_INSTANCE_REBOOT", "success", False)])
def test_the_configuration_is_asked_for_when_it_may_have_changed(operation: str, status: str, asks: bool) -> None:
    [event] = events(op(operation, status, instance_name="snf-7"))
    assert (event.instance == "snf-7") is asks


def test_a_job_of_several_opcodes_gives_several_messages() -> None:
    found = events(op("OP_INSTANCE_SHUTDOWN", instance_name="snf-7"), op("OP_INSTANCE_STARTUP", "queued", instance_name="snf-7"))
    assert [(event.message["operation"], event.message["status"]) for event in found] == [
        ("OP_INSTANCE_SHUTDOWN", "success"), ("OP_INSTANCE_STARTUP", "queued")]


@pytest.mark.parametrize(("given", "names"), [({"instances": ["snf-7"]}, ["snf-7"]), ({"instances": ["snf-7", "snf-8"]}, []), ({"instances": []}, []), ({}, [])])
def test_the_instance_may_be_the_only_one_of_a_list(given: dict[str, Any], names: list[str]) -> None:
    assert [event.message["instance"] for event in events(op("OP_INSTANCE_FAILOVER", **given))] == names


def test_networks_have_a_key_of_their_own() -> None:
    [event] = events(op("OP_NETWORK_ADD", network_name="snf-net-1", network="10.0.0.0/24", gateway="10.0.0.1", add_reserved_ips=["10.0.0.2"]))
    assert (event.routing_key, event.message["type"], event.message["network"]) == ("ganeti.snf.event.network", "ganeti-network-status", "snf-net-1")
    assert event.message["job_fields"] == {"subnet": "10.0.0.0/24", "gateway": "10.0.0.1", "add_reserved_ips": ["10.0.0.2"], "remove_reserved_ips": None,
                                           "group_name": None}
    assert events(op("OP_NETWORK_QUERY")) == []


def test_only_changes_of_the_cluster_concern_everybody() -> None:
    [event] = events(op("OP_CLUSTER_SET_PARAMS"))
    assert (event.routing_key, event.message["type"]) == ("ganeti.event.cluster", "ganeti-cluster-status")
    assert events(op("OP_CLUSTER_VERIFY")) == []


def test_tags_of_instances_are_told_when_they_are_final() -> None:
    assert events(op("OP_TAGS_SET", "running", kind="instance", name="snf-7", tags=["a"])) == []
    [event] = events(op("OP_TAGS_SET", kind="instance", name="snf-7", tags=["a"], dry_run=True))
    assert (event.message["instance"], event.message["tags"], event.message["job_fields"]) == ("snf-7", ["a"], {"dry_run": True})


@pytest.mark.parametrize("status", ["queued", "waiting", "success"])
def test_a_heartbeat_is_answered_at_any_status(status: str) -> None:
    [event] = events(op("OP_TAGS_SET", status, kind="cluster", tags=["snf:eventd:heartbeat:1"], dry_run=True))
    assert (event.routing_key, event.message) == ("eventd.heartbeat", {"type": "eventd-heartbeat", "cluster": "one.test", "tag": "snf:eventd:heartbeat:1"})


@pytest.mark.parametrize("given", [{"tags": ["other"], "dry_run": True}, {"tags": ["snf:eventd:heartbeat"]}, {"tags": [], "dry_run": True}])
def test_other_tags_of_the_cluster_are_no_heartbeat(given: dict[str, Any]) -> None:
    assert events(op("OP_TAGS_SET", kind="cluster", **given)) == []


@pytest.mark.parametrize("odd", [
    {}, {"status": "success"}, {"input": None, "status": "success"}, {"input": {"OP_ID": "OP"}, "status": "success"},
    {"input": {"OP_ID": "OP_NODE_ADD"}, "status": "success"}, {"input": {"OP_ID": "OP_INSTANCE_START", "instance_name": "x"}, "status": "dreaming"}])
def test_what_concerns_nobody_or_is_odd_gives_no_message(odd: dict[str, Any]) -> None:
    assert events(odd) == []


def test_log_lines_alone_are_no_news_and_a_cursor_survives(tmp_path: Path) -> None:
    running = job(op("OP_INSTANCE_CREATE", "running", instance_name="snf-7"))
    cursor = Cursor(tmp_path / "cursor")
    assert cursor.is_new("7", jobs.state_of(running))
    cursor.record("7", jobs.state_of(running))
    running["ops"][0]["log"].append([3, [7, 0], "message", "more"])
    assert not cursor.is_new("7", jobs.state_of(running))
    cursor.save()
    again = Cursor(tmp_path / "cursor")
    assert not again.is_new("7", jobs.state_of(running))
    assert again.is_new("7", jobs.state_of(job(op("OP_INSTANCE_CREATE", "success", instance_name="snf-7"))))
    again.keep_only(set())
    assert again.is_new("7", jobs.state_of(running))


def test_a_damaged_cursor_starts_from_nothing(tmp_path: Path) -> None:
    for damaged in ("{half", "[]", "7", "null", "\xff"):
        (tmp_path / "cursor").write_text(damaged)
        assert Cursor(tmp_path / "cursor").states == {}
