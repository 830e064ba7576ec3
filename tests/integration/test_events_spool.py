"""Events through a directory: order, crashes, dead letters, operators' commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from synnefo.common.errors import DependencyUnavailable
from synnefo.cyclades.adapters.events_spool import SpoolBus
from synnefo_node.delivery import SpoolTransport
from tests.support import commands
from tests.support.events import OP_KEY, Ear, eventually, op_event


@pytest.fixture(autouse=True)
def _settings(settings_override: Any, tmp_path: Path) -> None:
    settings_override(EVENT_RETRY_SECONDS=0.01, EVENT_RETRY_LIMIT=2, EVENTS_URL=[f"spool://{tmp_path}"])


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.json"))


def test_what_nodes_write_arrives_in_order_and_is_removed(tmp_path: Path) -> None:
    node = SpoolTransport(tmp_path)
    for number in range(50):
        node.send(OP_KEY, op_event(number))
    with Ear(SpoolBus(tmp_path)) as ear:
        eventually(lambda: len(ear.heard) == 50, lambda: ear.heard)
        node.send(OP_KEY, op_event(50))
        eventually(lambda: len(ear.heard) == 51)
    assert ear.heard == list(range(51))
    assert files(tmp_path) == []


def test_stopped_in_the_middle_of_a_message_it_comes_again(tmp_path: Path) -> None:
    SpoolBus(tmp_path).publish(OP_KEY, op_event(1))
    with Ear(SpoolBus(tmp_path), lambda _m, _n: DependencyUnavailable("away")) as first:
        eventually(lambda: first.tries.get(1, 0) >= 1)
    remaining = files(tmp_path) + files(tmp_path / "dead")
    assert len(remaining) == 1
    if files(tmp_path):
        with Ear(SpoolBus(tmp_path)) as second:
            eventually(lambda: second.heard == [1])


def test_half_written_and_foreign_files(tmp_path: Path) -> None:
    bus = SpoolBus(tmp_path)
    (tmp_path / ".tmp-1.json").write_text("{")
    (tmp_path / "00000000000000000001-1-1.json").write_text("{not json")
    (tmp_path / "00000000000000000002-1-1.json").write_text(json.dumps({"routing_key": "some.other.key", "message": {}}))
    (tmp_path / "00000000000000000003-1-1.json").write_text(json.dumps({"routing_key": OP_KEY, "message": {"type": "odd"}}))
    bus.publish(OP_KEY, op_event(7))
    with Ear(bus) as ear:
        eventually(lambda: ear.heard == [7], lambda: ear.heard)
    assert files(tmp_path) == [".tmp-1.json"]
    assert files(tmp_path / "dead") == ["00000000000000000001-1-1.json"]


def test_poison_goes_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    bus = SpoolBus(tmp_path)
    for number in (1, 2, 3):
        bus.publish(OP_KEY, op_event(number))
    with Ear(bus, lambda message, _n: ValueError("cannot") if message["jobId"] == 2 else None) as ear:
        eventually(lambda: ear.heard == [1, 3], lambda: ear.heard)
    (letter,) = bus.read("snf-events-op-dl")
    assert (json.loads(letter.body)["jobId"], letter.error, letter.attempts) == (2, "ValueError: cannot", 1)
    assert bus.depths()["snf-events-op-dl"] == 1


def test_only_one_dispatcher_reads(tmp_path: Path) -> None:
    with Ear(SpoolBus(tmp_path)) as first:
        SpoolBus(tmp_path).publish(OP_KEY, op_event(1))
        eventually(lambda: first.heard == [1])
        with Ear(SpoolBus(tmp_path)) as second:
            for number in range(2, 12):
                SpoolBus(tmp_path).publish(OP_KEY, op_event(number))
            eventually(lambda: len(first.heard) == 11)
        assert second.heard == []


def test_operators_look_retry_and_give_up(tmp_path: Path) -> None:
    bus = SpoolBus(tmp_path)
    bus.publish(OP_KEY, op_event(1))
    with Ear(bus, lambda _m, _n: ValueError("still a bug")):
        eventually(lambda: bus.depths()["snf-events-op-dl"] == 1, bus.depths)
    shown = commands.run("queue-inspect", "snf-events-op-dl")
    assert "still a bug" in shown.out
    assert '"jobId": 1' in shown.out
    assert "1 messages would be retried." in commands.run("queue-retry", "--dry-run").out
    assert bus.depths() == {**dict.fromkeys(bus.depths(), 0), "snf-events-op-dl": 1}

    assert "1 messages retried." in commands.run("queue-retry", "--queue", "snf-events-op").out
    with Ear(bus, lambda _m, _n: ValueError("still a bug")):
        eventually(lambda: bus.depths()["snf-events-op-dl"] == 1, bus.depths)
    assert "1 messages kept." in commands.run("queue-retry", "--keep-zombies").out
    assert "1 messages removed." in commands.run("queue-retry").out
    assert sum(bus.depths().values()) == 0
    assert commands.run("queue-retry").code == 0
    assert commands.run("queue-inspect", "no-such-queue").code == 2
    assert commands.run("queue-retry", "--queue", "no-such-queue").code == 2


def test_inspect_deletes_only_when_told(tmp_path: Path) -> None:
    bus = SpoolBus(tmp_path)
    for number in (1, 2):
        bus.publish(OP_KEY, op_event(number))
    commands.run("queue-inspect", "snf-events-op")
    assert bus.depths()["snf-events-op"] == 2
    assert commands.run("queue-inspect", "-i", "snf-events-op", stdin="y\nn\n").code == 0
    assert [json.loads(letter.body)["jobId"] for letter in bus.read("snf-events-op")] == [2]
    commands.run("queue-inspect", "--no-requeue", "snf-events-op")
    assert bus.depths()["snf-events-op"] == 0


def test_unwritable_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DependencyUnavailable):
        SpoolBus(tmp_path / "file" / "below").publish(OP_KEY, op_event(1))
