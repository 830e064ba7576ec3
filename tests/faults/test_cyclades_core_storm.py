"""A long random life of many servers on the simulated cluster: calls cut off, jobs that fail, processes that die, events lost, doubled and
shuffled. Afterwards the cloud heals by itself, and nothing is left over on any side.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from synnefo.common.errors import DependencyUnavailable, DomainError
from synnefo.common.ports import Caller
from synnefo.cyclades import bitmaps
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models import AddressPool, Backend, CommissionRecord, Flavor, IPAddress, Operation, Server
from synnefo.cyclades.reconcilers import quotas
from synnefo.cyclades.reconcilers import servers as reconcilers
from synnefo.cyclades.services import commissions, events, operations
from synnefo.cyclades.services import servers as verbs
from tests.support import networks as support
from tests.support.cloud_rows import RESOURCES, backend_of, empty, settle, used, user_with_quota
from tests.support.ganeti_events import events_of, last_job
from tests.support.simulator import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.django_db(transaction=True)
MOST_SERVERS = 12
VERBS = ("create", "create", "delete", "start", "shutdown", "reboot", "resize")


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[SimulatedCluster]:
    with simulated_cluster(tmp_path, queue_s=0, work_s=0) as cluster:
        yield cluster


@pytest.fixture
def one(simulated: SimulatedCluster, settings_override: Callable[..., None]) -> Backend:
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    row = backend_of(simulated)
    Flavor.objects.create(cpu=2, ram=512, disk=2, volume_type=Flavor.objects.get().volume_type)
    support.public_network("192.0.2.0/27")
    return row


class Storm:
    """Random acts, each of which may go wrong in a random way. The same seed gives the same acts."""

    def __init__(self, seed: int, simulated: SimulatedCluster, ann: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chance = random.Random(seed)
        self.simulated, self.ann = simulated, ann
        self.heard = 0
        self.deaths = 0
        self.flavors = list(Flavor.objects.order_by("cpu"))
        self._may_die = False
        for name in ("_claim", "_jobs_of", "_record_jobs"):
            monkeypatch.setattr(operations, name, self._mortal(getattr(operations, name)))
        monkeypatch.setattr(commissions, "accept_now", self._mortal(commissions.accept_now))

    def _mortal(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            self._perhaps_die()
            answer = function(*args, **kwargs)
            self._perhaps_die()
            return answer

        return run

    def _perhaps_die(self) -> None:
        if self._may_die and self.chance.random() < 0.04:
            self._may_die = False
            self.deaths += 1
            raise Killed

    def act(self) -> None:
        self._break_something()
        self._may_die = True
        try:
            self._verb()
        except (DomainError, Killed):
            pass
        finally:
            self._may_die = False
        if self.chance.random() < 0.4:
            self._hear()
        if self.chance.random() < 0.5:
            self._work()

    def _work(self) -> None:
        """One round of the worker, as if some time had passed."""
        Operation.objects.filter(state="pending").update(next_attempt_at="2020-01-01T00:00:00Z")
        operations.perform_due()
        reconcilers.follow_overdue(older_than=timedelta(0))

    def _verb(self) -> None:
        name = self.chance.choice(VERBS)
        alive = list(Server.objects.filter(deleted=False).order_by("pk"))
        if name == "create" or not alive:
            if len(alive) < MOST_SERVERS:
                image = verbs.ServerImage("i", 1, "image", "ab" * 32, 1024, "diskdump", {})
                verbs.create_server(self.ann, verbs.ServerRequest("s", self.flavors[0], image, "secret"))
            return
        server = self.chance.choice(alive)
        if name == "resize":
            verbs.resize_server(self.ann, server.pk, next(flavor for flavor in self.flavors if flavor.pk != server.flavor_id))
        else:
            getattr(verbs, f"{name}_server")(self.ann, server.pk)

    def _break_something(self) -> None:
        kind = self.chance.random()
        calls: list[dict[str, Any]] = []
        jobs: list[dict[str, Any]] = []
        if kind < 0.2:
            calls = [{"action": self.chance.choice(["drop_before", "drop_after", "refuse"]), "match": "(POST|PUT|DELETE) /2/"}]
        elif kind < 0.25:
            calls = [{"action": "refuse", "match": "(POST|PUT|DELETE) /2/instances", "status": 400, "message": "no"}]
        elif kind < 0.35:
            jobs = [{"action": self.chance.choice(["fail", "fail_os"]), "match": "INSTANCE_"}]
        self.simulated.control(calls=calls, jobs=jobs)

    def _hear(self) -> None:
        """The events of the last jobs: a third is lost, a third comes twice, in any order. A passing refusal loses it here."""
        messages = [message for message in events_of(self.simulated, after=self.heard) for _ in range(self.chance.choice((0, 1, 2)))]
        self.heard = last_job(self.simulated)
        self.chance.shuffle(messages)
        for message in messages:
            with contextlib.suppress(DependencyUnavailable):
                events.handle(message)


def _heal(storm: Storm, one: Backend) -> None:
    """What the worker's clock does, without the clock."""
    storm.simulated.calm()
    settle()
    while commissions.settle():
        pass
    findings, failures = reconcilers.observe_all([one])
    assert failures == {}
    assert reconcilers.repair(findings, force=True) == []
    settle()


def _check_truth(one: Backend, ann: Caller) -> None:
    assert not Operation.objects.filter(state__in=["pending", "submitted"]).exists()
    assert not Server.objects.exclude(task="", serial=None, task_job_id=None).exists()
    assert not CommissionRecord.objects.exists()
    assert not Server.objects.filter(operstate="BUILD").exists()
    present = {instance.name for instance in cluster_for(one).list_instances()}
    alive = {f"snf-{server.pk}" for server in Server.objects.filter(deleted=False)}
    broken = {f"snf-{server.pk}" for server in Server.objects.filter(deleted=False, operstate="ERROR")}
    assert present <= alive, "no orphan in the cluster"
    assert alive - present <= broken, "no server without an instance, unless its build failed"
    assert quotas.differences() == []
    taken = [pool.value_of(index) for pool in AddressPool.objects.select_related("subnet") for index in bitmaps.members_of(pool.taken_bits)]
    held = list(IPAddress.objects.filter(deleted=False).values_list("address", flat=True))
    assert sorted(taken) == sorted(held)
    assert len(set(held)) == len(held), "no address twice"


def _run(steps: int, seed: int, simulated: SimulatedCluster, one: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = user_with_quota()
    storm = Storm(seed, simulated, ann, monkeypatch)
    for _ in range(steps):
        storm.act()
    assert storm.deaths > 0
    assert Server.objects.filter(deleted=True).exists()
    _heal(storm, one)
    _check_truth(one, ann)
    for server in Server.objects.filter(deleted=False):
        verbs.delete_server(ann, server.pk)
    _heal(storm, one)
    _check_truth(one, ann)
    assert [used(ann, resource) for resource in RESOURCES] == [0] * len(RESOURCES)
    assert not cluster_for(one).list_instances()
    empty(simulated)


@pytest.mark.parametrize("seed", range(3))
def test_a_short_storm(simulated: SimulatedCluster, one: Backend, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    _run(80, seed, simulated, one, monkeypatch)


@pytest.mark.slow
def test_a_thousand_operations(simulated: SimulatedCluster, one: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    _run(1000, 1000, simulated, one, monkeypatch)
