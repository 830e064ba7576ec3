"""`enforce-resources-cyclades` on a simulated cluster: what it says, what it does, and what the ledger counts afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from synnefo.common.ports import Caller
from synnefo.cyclades.models import IPAddress, Server
from synnefo.cyclades.services import servers as verbs
from synnefo.cyclades.services.floating_ips import FloatingIPSpec, create_floating_ips
from synnefo.cyclades.services.port_verbs import attach_floating_ip_for_operator
from tests.support import networks as support
from tests.support.cloud_rows import backend_of, build, empty, settle, used, user_with_quota
from tests.support.commands import Result, run
from tests.support.simulator import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCluster]:
    with simulated_cluster(Path(tmp_path_factory.mktemp("cluster")), queue_s=0, work_s=0) as cluster:
        yield cluster


@pytest.fixture
def ann(simulated: SimulatedCluster) -> Iterator[Caller]:
    backend_of(simulated)
    yield user_with_quota()
    empty(simulated)


@pytest.fixture
def running(ann: Caller) -> Server:
    return _built(ann)


def _built(caller: Caller) -> Server:
    server = build(caller)
    settle()
    server.refresh_from_db()
    return server


def _limit(caller: Caller, resource: str, amount: str) -> None:
    assert run("user-modify", caller.user_id, "--base-quota", f"cyclades.{resource}", amount, "--yes").code == 0


def _enforce(*arguments: str) -> Result:
    """The worker works while the command waits."""
    with mock.patch("synnefo.cyclades.enforcement.execution.sleep", side_effect=lambda _: settle()):
        return run("enforce-resources-cyclades", *arguments)


def test_nothing_is_over(running: Server) -> None:
    result = _enforce()
    assert (result.code, result.out) == (0, "")
    assert "No resource violations" in result.err


def test_what_can_be_enforced() -> None:
    rows = {row["name"]: row for row in run("enforce-resources-cyclades", "--list-resources", "--output-format", "json").json()}
    assert rows["cyclades.network.private"]["enforce action"] == "report only"
    assert rows["cyclades.vm"]["soft enforce action"] == "shut down servers"
    assert len(rows) == 8


@pytest.mark.parametrize("arguments", [
    ("--resources", "cyclades.moon"), ("--soft-resources", "cyclades.cpu"), ("--max-operations", "many"), ("--max-operations", "-1"),
    ("--shutdown-timeout", "soon"), ("--resources", "cyclades.vm", "--soft-resources", "cyclades.vm"),
])
def test_wrong_usage(db: None, arguments: tuple[str, ...]) -> None:
    assert run("enforce-resources-cyclades", *arguments).code == 2


def test_servers_over_the_cpu_limit_are_shut_down(ann: Caller, running: Server) -> None:
    newer = _built(ann)
    _limit(ann, "cpu", "1")
    shown = _enforce("--output-format", "csv")
    assert shown.code == 2
    assert f"vm,{newer.pk},STARTED" in shown.out
    assert f"vm,{running.pk},STARTED" not in shown.out, "the newest goes first"
    newer.refresh_from_db()
    assert newer.operstate == "STARTED", "nothing is done unasked"
    done = _enforce("--fix", "--shutdown-timeout", "1")
    assert done.code == 0, done
    assert "DONE" in done.out
    settle()
    newer.refresh_from_db()
    running.refresh_from_db()
    assert (newer.operstate, running.operstate) == ("STOPPED", "STARTED")
    assert (used(ann, "cpu"), used(ann, "vm")) == (1, 2)
    assert _enforce().code == 0


def test_removing_asks_first(ann: Caller, running: Server) -> None:
    _limit(ann, "vm", "0")
    refused = _enforce("--resources", "cyclades.vm", "--fix")
    assert refused.code == 1
    assert run("enforce-resources-cyclades", "--resources", "cyclades.vm", "--fix", stdin="n\n").code == 1
    settle()
    assert Server.objects.filter(deleted=False).count() == 1
    done = _enforce("--resources", "cyclades.vm", "--fix", "--force")
    assert done.code == 0, done
    settle()
    assert not Server.objects.filter(deleted=False).exists()
    assert [used(ann, name) for name in ("vm", "cpu", "ram", "disk", "total_cpu")] == [0, 0, 0, 0, 0]


def test_soft_enforcement_of_servers_only_stops_them(ann: Caller, running: Server) -> None:
    _limit(ann, "vm", "0")
    assert _enforce("--soft-resources", "cyclades.vm", "--fix").code == 0
    settle()
    running.refresh_from_db()
    assert (running.operstate, running.deleted) == ("STOPPED", False)


def test_disks_to_boot_from_need_an_option(ann: Caller, running: Server) -> None:
    _limit(ann, "disk", "1GiB")
    shown = _enforce("--resources", "cyclades.disk", "--fix")
    assert shown.code == 3
    assert "--remove-system-volumes" in shown.err
    done = _enforce("--resources", "cyclades.disk", "--remove-system-volumes", "--fix", "--force", "--output-format", "json")
    assert {(row["type"], row["action"], row["result"]) for row in done.json()["applied actions"]} == {
        ("vm", "REMOVE", "DONE"), ("volume", "REMOVE", "DONE")}
    settle()
    assert used(ann, "disk") == 0


def test_no_more_operations_on_a_backend_than_allowed(ann: Caller, running: Server) -> None:
    _built(ann)
    _limit(ann, "cpu", "0")
    first = _enforce("--fix", "--max-operations", "1")
    assert first.code == 3
    assert "1 actions are left for later" in first.err
    settle()
    assert used(ann, "cpu") == 1
    assert _enforce("--fix", "--max-operations", "1").code == 0


def test_users_and_projects_can_be_left_out(ann: Caller, running: Server) -> None:
    _limit(ann, "cpu", "0")
    spared = _enforce("--exclude-users", ann.user_id, "--output-format", "json")
    assert spared.code == 2, "the project is over all the same"
    assert json.loads(spared.out)["suggested actions"] == []
    assert [row["type"] for row in json.loads(spared.out)["violations"]] == ["project"]
    assert _enforce("--exclude-projects", ann.project_id).code == 0
    assert _enforce("--users", "00000000-0000-0000-0000-000000000000").code == 0
    by_user = _enforce("--users", ann.user_id, "--output-format", "json")
    assert by_user.code == 2
    assert [row["type"] for row in json.loads(by_user.out)["violations"]] == ["user"]


def test_an_action_that_cannot_be_done_is_told(ann: Caller, running: Server) -> None:
    other = _built(ann)
    verbs.set_suspended(other.pk, True)
    _limit(ann, "cpu", "0")
    result = _enforce("--fix", "--output-format", "csv")
    assert result.code == 3
    assert f"vm,{other.pk},STARTED,{other.backend.clustername},SHUTDOWN,1,FAILED" in result.out
    settle()
    running.refresh_from_db()
    assert running.operstate == "STOPPED", "the others are not held up"


@pytest.mark.parametrize("soft", [True, False])
def test_addresses(ann: Caller, running: Server, soft: bool) -> None:
    network = support.public_network()
    rows = create_floating_ips(ann, [FloatingIPSpec(project_id=ann.project_id, network_id=network.pk) for _ in range(2)])
    attach_floating_ip_for_operator(rows[0].pk, running.pk)
    settle()
    _limit(ann, "floating_ip", "0")
    option = "--soft-resources" if soft else "--resources"
    result = _enforce(option, "cyclades.floating_ip", "--fix", "--force")
    assert result.code == 0, result
    settle()
    assert not IPAddress.objects.filter(port__isnull=False, floating_ip=True, deleted=False).exists()
    assert used(ann, "floating_ip") == (2 if soft else 0)
