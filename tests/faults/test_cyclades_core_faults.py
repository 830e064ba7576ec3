"""Every action on servers, broken at every step: the cluster is asked once, and database, cluster, pools and ledger agree in the end."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from synnefo.common.errors import DependencyUnavailable
from synnefo.common.ports import Caller, quota
from synnefo.cyclades import bitmaps
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models import (
    AddressPool,
    Backend,
    BuildParameters,
    CommissionRecord,
    Flavor,
    IPAddress,
    Operation,
    OperationState,
    Server,
)
from synnefo.cyclades.reconcilers import quotas
from synnefo.cyclades.reconcilers import servers as reconcilers
from synnefo.cyclades.services import commissions, events, operations
from synnefo.cyclades.services import servers as verbs
from tests.support import networks as support
from tests.support.cloud_rows import RESOURCES, backend_of, empty, settle, until, used, user_with_quota
from tests.support.ganeti_events import events_of, last_job
from tests.support.simulator import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.django_db(transaction=True)

FAULTS: list[dict[str, Any]] = [
    {"action": "drop_before"}, {"action": "drop_after"}, {"action": "refuse", "status": 503, "message": "queue is full"},
]


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCluster]:
    with simulated_cluster(Path(tmp_path_factory.mktemp("cluster")), queue_s=0, work_s=0) as cluster:
        yield cluster


@pytest.fixture
def one(simulated: SimulatedCluster, settings_override: Callable[..., None]) -> Iterator[Backend]:
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    row = backend_of(simulated)
    Flavor.objects.create(cpu=2, ram=512, disk=2, volume_type=Flavor.objects.get().volume_type)
    support.public_network()
    yield row
    empty(simulated)


@pytest.fixture
def ann(one: Backend) -> Caller:
    return user_with_quota()


def _build(ann: Caller) -> Server:
    small = Flavor.objects.get(cpu=1)
    image = verbs.ServerImage("i", 1, "image", "ab" * 32, 1024, "diskdump", {})
    return verbs.create_server(ann, verbs.ServerRequest("s", small, image, "secret"))


def _check_truth(one: Backend, ann: Caller) -> None:
    """Nothing is under way, and everybody tells the same."""
    assert not Operation.objects.filter(state__in=["pending", "submitted"]).exists()
    assert not Server.objects.exclude(task="", serial=None, task_job_id=None).exists()
    assert not CommissionRecord.objects.exists()
    cluster = cluster_for(one)
    live = {f"snf-{key}" for key in Server.objects.filter(deleted=False).values_list("pk", flat=True)}
    assert {instance.name for instance in cluster.list_instances()} == live
    running = {state.name for state in cluster.list_instance_states() if state.is_running}
    assert {f"snf-{key}" for key in Server.objects.filter(operstate="STARTED").values_list("pk", flat=True)} == running
    assert quotas.differences() == []
    assert used(ann, "vm") == len(live)
    taken = [pool.value_of(index) for pool in AddressPool.objects.select_related("subnet") for index in bitmaps.members_of(pool.taken_bits)]
    assert sorted(taken) == sorted(IPAddress.objects.filter(deleted=False).values_list("address", flat=True))
    assert len(taken) == len(live)
    findings, failures = reconcilers.observe_all([one])
    assert (findings, failures) == ([], {})


def _ops(one: Backend, kind: str) -> list[str]:
    cluster = cluster_for(one)
    return [job.ops[0].op_id for operation in Operation.objects.filter(kind=kind) for job in cluster.find_jobs(operation.reason)]


def _wait_for(one: Backend, job_id: int | None) -> None:
    assert job_id is not None
    cluster = cluster_for(one)
    until(lambda: (job := cluster.get_job(job_id)) is not None and job.is_final)


def _act(action: str, ann: Caller, server: Server) -> None:
    match action:
        case "server.start":
            verbs.start_server(ann, server.pk)
        case "server.shutdown":
            verbs.shutdown_server(ann, server.pk, timeout_s=5)
        case "server.reboot":
            verbs.reboot_server(ann, server.pk, hard=True)
        case "server.resize":
            verbs.resize_server(ann, server.pk, Flavor.objects.get(cpu=2))
        case "server.delete":
            verbs.delete_server(ann, server.pk)


# kind: (the call to break, the opcode it submits, the state before, the state after)
ACTIONS = {
    "server.start": ("PUT /2/instances/.*/startup", "OP_INSTANCE_STARTUP", "STOPPED", "STARTED"),
    "server.shutdown": ("PUT /2/instances/.*/shutdown", "OP_INSTANCE_SHUTDOWN", "STARTED", "STOPPED"),
    "server.reboot": ("POST /2/instances/.*/reboot", "OP_INSTANCE_REBOOT", "STARTED", "STARTED"),
    "server.resize": ("PUT /2/instances/.*/modify", "OP_INSTANCE_SET_PARAMS", "STOPPED", "STOPPED"),
    "server.delete": ("DELETE /2/instances/", "OP_INSTANCE_REMOVE", "STARTED", "DESTROYED"),
}


def _ready(ann: Caller, state: str) -> Server:
    server = _build(ann)
    settle()
    if state == "STOPPED":
        verbs.shutdown_server(ann, server.pk)
        settle()
    server.refresh_from_db()
    assert server.operstate == state
    return server


def test_every_kind_of_operation_is_broken_somewhere() -> None:
    by_network_tests = {"network.create", "network.remove", "port.attach", "port.detach"}
    assert set(operations.KINDS) - by_network_tests == {"server.create", "quota.adjust", "network.release_quota", *ACTIONS}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["action"])
def test_a_build_whose_submission_breaks(one: Backend, ann: Caller, simulated: SimulatedCluster, fault: dict[str, Any]) -> None:
    simulated.control(calls=[{**fault, "match": "POST /2/instances"}])
    server = _build(ann)
    simulated.calm()
    settle()
    server.refresh_from_db()
    assert server.operstate == "STARTED"
    assert _ops(one, "server.create") == ["OP_INSTANCE_CREATE"]
    assert not BuildParameters.objects.exists(), "the secrets of a finished build are gone"
    _check_truth(one, ann)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["action"])
@pytest.mark.parametrize("kind", ACTIONS)
def test_an_action_whose_submission_breaks(
    one: Backend, ann: Caller, simulated: SimulatedCluster, kind: str, fault: dict[str, Any],
) -> None:
    call, opcode, before, after = ACTIONS[kind]
    server = _ready(ann, before)
    already = len([name for name in _ops(one, kind) if name == opcode])
    simulated.control(calls=[{**fault, "match": call}])
    _act(kind, ann, server)
    simulated.calm()
    settle()
    server.refresh_from_db()
    assert server.operstate == after
    assert len(_ops(one, kind)) == already + 1, "submitted exactly once"
    _check_truth(one, ann)


def _die_in(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, when: Callable[..., bool], *, afterwards: bool = False) -> list[str]:
    """Kill the process once, before or after a function's work."""
    original = getattr(module, name)
    killed: list[str] = []

    def dying(*args: Any, **kwargs: Any) -> Any:
        strikes = not killed and when(*args)
        if strikes and not afterwards:
            killed.append(name)
            raise Killed
        answer = original(*args, **kwargs)
        if strikes:
            killed.append(name)
            raise Killed
        return answer

    monkeypatch.setattr(module, name, dying)
    return killed


STEPS = [("_claim", False), ("_claim", True), ("_jobs_of", False), ("_jobs_of", True), ("_record_jobs", False), ("_record_jobs", True)]


@pytest.mark.parametrize(("step", "afterwards"), STEPS)
@pytest.mark.parametrize("kind", ["server.create", *ACTIONS, "quota.adjust"])
def test_a_process_that_dies(
    one: Backend, ann: Caller, monkeypatch: pytest.MonkeyPatch, kind: str, step: str, afterwards: bool,
) -> None:
    action = "server.shutdown" if kind == "quota.adjust" else kind
    server = None if kind == "server.create" else _ready(ann, ACTIONS[action][2])

    def concerns(first: Any, *_: Any) -> bool:
        return bool((first if isinstance(first, Operation) else Operation.objects.get(pk=first)).kind == kind)

    killed = _die_in(monkeypatch, operations, step, concerns, afterwards=afterwards)
    steps: list[Callable[[], object]] = [lambda: _build(ann) if server is None else _act(action, ann, server), settle]
    for work in steps:
        try:
            work()
        except Killed:
            settle()
    assert killed == [step]
    found = server or Server.objects.get()
    found.refresh_from_db()
    assert found.operstate == ("STARTED" if server is None else ACTIONS[action][3])
    if kind != "quota.adjust":
        assert len(_ops(one, kind)) == 1, "submitted exactly once"
    _check_truth(one, ann)


@pytest.mark.parametrize("name", ["issue", "_insert"])
def test_a_request_that_dies_before_its_rows_are_there(one: Backend, ann: Caller, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What it had asked the ledger for is given back, but not while a slow request may still be at work."""
    _die_in(monkeypatch, verbs, name, lambda *_: True, afterwards=name == "issue")
    if name == "_insert":
        monkeypatch.setattr(commissions, "reject_now", lambda serial: None)
    with pytest.raises(Killed):
        _build(ann)
    assert Server.objects.count() == 0
    assert len(quota("cyclades").pending()) == 1
    assert commissions.reject_abandoned() == []
    assert len(commissions.reject_abandoned(timezone.now() + timedelta(hours=1))) == 1
    assert [used(ann, resource) for resource in RESOURCES] == [0] * len(RESOURCES)


def test_a_request_that_dies_before_it_tells_the_ledger(one: Backend, ann: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = _die_in(monkeypatch, commissions, "accept_now", lambda *_: True)
    with pytest.raises(Killed):
        _build(ann)
    assert killed
    assert commissions.reject_abandoned(timezone.now() + timedelta(hours=1)) == [], "the record says that it is paid for"
    assert commissions.settle() == 1
    settle()
    _check_truth(one, ann)


def test_what_is_given_back_before_the_ledger_heard_of_it(one: Backend, ann: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build's commission is decided, not yet told, and the server is gone already."""
    with monkeypatch.context() as patched:
        patched.setattr(commissions, "accept_now", lambda serial: None)
        server = _build(ann)
    settle()
    verbs.delete_server(ann, server.pk)
    settle()
    assert [used(ann, resource) for resource in RESOURCES] == [0] * len(RESOURCES)
    _check_truth(one, ann)


@pytest.mark.parametrize("seed", range(6))
def test_events_doubled_and_in_any_order(one: Backend, ann: Caller, simulated: SimulatedCluster, seed: int) -> None:
    """Every event twice, shuffled, with what was lost found by the worker: the end is the same."""
    chance = random.Random(seed)
    first = last_job(simulated)
    server, other = _build(ann), _build(ann)
    settle()
    verbs.shutdown_server(ann, server.pk)
    settle()
    verbs.resize_server(ann, server.pk, Flavor.objects.get(cpu=2))
    settle()
    verbs.start_server(ann, server.pk)
    verbs.delete_server(ann, other.pk)
    settle()
    messages = [message for message in events_of(simulated, after=first) for _ in range(2)]
    assert len(messages) > 12
    chance.shuffle(messages)
    for message in messages:
        events.handle(message)
    settle()
    server.refresh_from_db()
    assert (server.operstate, server.flavor.cpu) == ("STARTED", 2)
    _check_truth(one, ann)


@pytest.mark.parametrize("seed", range(6))
def test_events_alone_finish_everything(one: Backend, ann: Caller, simulated: SimulatedCluster, seed: int) -> None:
    """No job is ever looked up: each step's events, doubled and shuffled, bring it to its end."""
    chance = random.Random(seed)
    server = _build(ann)
    for action in (None, "server.shutdown", "server.resize", "server.start", "server.reboot", "server.delete"):
        first = last_job(simulated)
        if action is None:
            first = 0
        else:
            _act(action, ann, server)
        task_job = Server.objects.get().task_job_id
        _wait_for(one, task_job)
        messages = [message for message in events_of(simulated, after=first) for _ in range(2)]
        chance.shuffle(messages)
        for message in messages:
            events.handle(message)
        assert Server.objects.get().task == "", action
    server.refresh_from_db()
    assert server.deleted
    settle()
    _check_truth(one, ann)


def test_an_end_that_is_heard_before_the_job_is_noted(
    one: Backend, ann: Caller, simulated: SimulatedCluster, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The submitting process died, the event came long after, then the worker found the job: charged once, no task left."""
    server = _ready(ann, "STOPPED")
    first = last_job(simulated)
    _die_in(monkeypatch, operations, "_record_jobs", lambda *_: True)
    with pytest.raises(Killed):
        verbs.start_server(ann, server.pk)
    until(lambda: events_of(simulated, after=first))
    with pytest.raises(DependencyUnavailable):
        events.handle(events_of(simulated, after=first)[-1])  # somebody may just be noting the job
    Operation.objects.filter(state=OperationState.PENDING).update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    for message in events_of(simulated, after=first):
        events.handle(message)
    settle()
    server.refresh_from_db()
    assert (server.operstate, server.task) == ("STARTED", "")
    assert used(ann, "cpu") == 1
    _check_truth(one, ann)


def test_our_start_after_somebody_elses(one: Backend, ann: Caller, simulated: SimulatedCluster) -> None:
    """An operator started the server while our own start waited: it is charged once."""
    server = _ready(ann, "STOPPED")
    first = last_job(simulated)
    simulated.control(calls=[{"action": "drop_before", "match": "startup"}])
    verbs.start_server(ann, server.pk)
    simulated.calm()
    cluster_for(one).startup_instance(f"snf-{server.pk}", reason="operator")
    until(lambda: events_of(simulated, after=first))
    Operation.objects.filter(state=OperationState.PENDING).update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    for message in events_of(simulated, after=first):
        events.handle(message)
    settle()
    assert used(ann, "cpu") == 1
    _check_truth(one, ann)


def test_an_action_that_fails_in_the_cluster(one: Backend, ann: Caller, simulated: SimulatedCluster) -> None:
    server = _ready(ann, "STOPPED")
    simulated.control(jobs=[{"action": "fail", "match": "INSTANCE_STARTUP"}])
    verbs.start_server(ann, server.pk)
    settle()
    server.refresh_from_db()
    assert (server.operstate, server.task) == ("STOPPED", "")
    assert used(ann, "cpu") == 0
    assert "Failed by order" in server.diagnostics.all()[0].message
    _check_truth(one, ann)


def test_an_action_that_the_cluster_refuses(one: Backend, ann: Caller, simulated: SimulatedCluster) -> None:
    server = _ready(ann, "STOPPED")
    simulated.control(calls=[{"action": "refuse", "match": "startup", "status": 400, "message": "no"}])
    verbs.start_server(ann, server.pk)
    server.refresh_from_db()
    assert (server.operstate, server.task, server.serial) == ("STOPPED", "", None)
    assert used(ann, "cpu") == 0
    simulated.calm()
    verbs.start_server(ann, server.pk)
    settle()
    _check_truth(one, ann)


@pytest.mark.parametrize("fault", [{"action": "fail"}, {"action": "fail_os"}], ids=lambda fault: fault["action"])
def test_a_build_that_fails(one: Backend, ann: Caller, simulated: SimulatedCluster, fault: dict[str, Any]) -> None:
    simulated.control(jobs=[{**fault, "match": "INSTANCE_CREATE"}])
    server = _build(ann)
    settle()
    server.refresh_from_db()
    assert (server.operstate, server.task) == ("ERROR", "")
    assert not BuildParameters.objects.exists()
    simulated.calm()
    verbs.delete_server(ann, server.pk)
    settle()
    server.refresh_from_db()
    assert server.deleted
    _check_truth(one, ann)


def test_a_build_that_the_cluster_refuses(one: Backend, ann: Caller, simulated: SimulatedCluster) -> None:
    simulated.control(calls=[{"action": "refuse", "match": "POST /2/instances", "status": 400, "message": "no such disk template"}])
    server = _build(ann)
    assert server.operstate == "ERROR"
    verbs.delete_server(ann, server.pk)
    settle()
    _check_truth(one, ann)


def test_a_build_is_tried_again_when_all_nodes_were_busy(one: Backend, ann: Caller, simulated: SimulatedCluster) -> None:
    busy = ["OpPrereqError", ["No free node", "temp_insufficient_resources"]]
    simulated.control(jobs=[{"action": "fail", "match": "INSTANCE_CREATE", "result": busy}])
    server = _build(ann)
    _wait_for(one, Server.objects.get().backendjobid)
    reconcilers.follow_overdue(older_than=timedelta(0))
    server.refresh_from_db()
    assert (server.operstate, server.task) == ("BUILD", "BUILD")
    settle()
    server.refresh_from_db()
    assert server.operstate == "STARTED"
    assert _ops(one, "server.create") == ["OP_INSTANCE_CREATE"] * 2
    _check_truth(one, ann)


def test_a_second_busy_answer_ends_the_build(one: Backend, ann: Caller, simulated: SimulatedCluster) -> None:
    busy = ["OpPrereqError", ["No free node", "temp_insufficient_resources"]]
    simulated.control(jobs=[{"action": "fail", "match": "INSTANCE_CREATE", "result": busy, "times": 9}])
    server = _build(ann)
    settle()
    server.refresh_from_db()
    assert (server.operstate, server.task) == ("ERROR", "")
    assert len(_ops(one, "server.create")) == 2


@pytest.mark.parametrize("fault", [None, *FAULTS], ids=lambda fault: fault["action"] if fault else "none")
def test_destroying_a_server_that_is_being_built(
    one: Backend, ann: Caller, simulated: SimulatedCluster, fault: dict[str, Any] | None,
) -> None:
    simulated.control(work_s=0.2, calls=[{**fault, "match": "POST /2/instances"}] if fault else [])
    server = _build(ann)
    verbs.delete_server(ann, server.pk)
    simulated.control(calls=[])
    settle()
    server.refresh_from_db()
    assert server.deleted
    assert [used(ann, resource) for resource in RESOURCES] == [0] * len(RESOURCES)
    _check_truth(one, ann)


def test_a_build_that_nobody_submitted_before_the_end(one: Backend, ann: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both requests died right after their commit: nothing is built only to be removed."""
    with monkeypatch.context() as patched:
        patched.setattr(operations, "perform", lambda operation, **_: operation)
        server = _build(ann)
        verbs.delete_server(ann, server.pk)
    settle()
    server.refresh_from_db()
    assert server.deleted
    assert _ops(one, "server.create") == []
    _check_truth(one, ann)


def test_a_cluster_that_is_down_for_long(one: Backend, ann: Caller, simulated: SimulatedCluster) -> None:
    """Builds end in error after the time that is given them; actions wait."""
    server = _ready(ann, "STOPPED")
    simulated.stop()
    try:
        verbs.start_server(ann, server.pk)
        second = _build(ann)
        assert second.operstate == "BUILD"
        Operation.objects.filter(state="pending").update(created_at=timezone.now() - timedelta(hours=1), next_attempt_at="2020-01-01T00:00:00Z")
        operations.perform_due()
    finally:
        simulated.start()
    second.refresh_from_db()
    assert second.operstate == "ERROR"
    settle()
    server.refresh_from_db()
    assert server.operstate == "STARTED"
    verbs.delete_server(ann, second.pk)
    settle()
    _check_truth(one, ann)


def test_an_instance_that_lost_its_server_is_removed(one: Backend, ann: Caller) -> None:
    server = _ready(ann, "STARTED")
    kept = _ready(ann, "STARTED")
    Server.objects.filter(pk=server.pk).update(deleted=True)
    findings, _ = reconcilers.observe_all([one])
    assert [(item.kind, item.server_id) for item in findings] == [("orphan", server.pk)]
    assert reconcilers.repair(findings) == []
    until(lambda: [item.name for item in cluster_for(one).list_instances()] == [f"snf-{kept.pk}"])


def test_instances_of_others_and_of_servers_just_made_stay(one: Backend, ann: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    server = _ready(ann, "STARTED")
    assert list(reconcilers._orphans(one, {server.pk, 10**9})) == []


def test_too_many_orphans_are_left_alone(one: Backend, ann: Caller) -> None:
    built = [_build(ann) for _ in range(6)]
    settle()
    Server.objects.all().update(deleted=True)
    findings, _ = reconcilers.observe_all([one])
    assert len(reconcilers.repair(findings)) == len(built)
    assert len(cluster_for(one).list_instances()) == len(built), "a wrong database must not wipe a cluster"
    assert reconcilers.repair(findings, force=True) == []
    until(lambda: not cluster_for(one).list_instances())


def test_a_guest_that_switched_itself_off(one: Backend, ann: Caller, simulated: SimulatedCluster) -> None:
    server = _ready(ann, "STARTED")
    simulated.control(instances={f"snf-{server.pk}": {"is_running": False}})
    findings, _ = reconcilers.observe_all([one])
    assert [item.kind for item in findings] == ["operstate"]
    assert reconcilers.repair(findings) == []
    server.refresh_from_db()
    assert server.operstate == "STOPPED"
    assert used(ann, "cpu") == 0
    _check_truth(one, ann)


def test_an_instance_that_vanished(one: Backend, ann: Caller) -> None:
    server = _ready(ann, "STARTED")
    cluster_for(one).remove_instance(f"snf-{server.pk}", reason="operator", timeout_s=0)
    until(lambda: not cluster_for(one).list_instances())
    findings, _ = reconcilers.observe_all([one])
    assert [item.kind for item in findings] == ["stale"]
    reconcilers.repair(findings)
    server.refresh_from_db()
    assert server.deleted
    assert [used(ann, resource) for resource in RESOURCES] == [0] * len(RESOURCES)
    _check_truth(one, ann)


def test_an_instance_that_an_operator_resized(one: Backend, ann: Caller) -> None:
    from synnefo.cyclades.ports import InstanceChanges

    server = _ready(ann, "STOPPED")
    job = cluster_for(one).modify_instance(
        f"snf-{server.pk}", InstanceChanges(beparams={"vcpus": 2, "minmem": 512, "maxmem": 512}), reason="operator")
    _wait_for(one, job)
    findings, _ = reconcilers.observe_all([one])
    assert [item.kind for item in findings] == ["flavor"]
    reconcilers.repair(findings)
    server.refresh_from_db()
    assert server.flavor.cpu == 2
    assert used(ann, "total_cpu") == 2
    _check_truth(one, ann)


def test_clocks_that_differ_leave_nothing_stuck(one: Backend, ann: Caller) -> None:
    """The database's clock is ahead of the cluster's: the end of the job that is waited for counts all the same."""
    server = _ready(ann, "STOPPED")
    Server.objects.update(backendtime=timezone.now() + timedelta(minutes=5))
    verbs.start_server(ann, server.pk)
    settle()
    server.refresh_from_db()
    assert (server.operstate, server.task) == ("STARTED", "")
    _check_truth(one, ann)
