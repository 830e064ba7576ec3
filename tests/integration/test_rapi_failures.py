"""What the adapter makes of a cluster that refuses, breaks off or says nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synnefo.common.errors import DependencyUnavailable, InvalidInput, OutcomeUnknown
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.adapters.rapi import RapiCluster
from synnefo.cyclades.adapters.rapi_transport import Target
from synnefo.cyclades.ports import BackendOffline, GanetiQueueFull, GanetiRefused, InstanceSpec
from tests.support.simulator import SimulatedCluster, simulated_cluster

SPEC = InstanceSpec("snf-1", "noop+default", "diskless", 1, 64)
CREATE = "POST /2/instances"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCluster]:
    with simulated_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def rapi(simulated: SimulatedCluster, settings_override: Any) -> Iterator[RapiCluster]:
    settings_override(GANETI_RAPI_TIMEOUT=1.0, GANETI_RAPI_CONNECT_TIMEOUT=1.0)
    cluster = RapiCluster(target_of(simulated))
    cluster.features()
    yield cluster
    simulated.calm()
    for instance in cluster.list_instances():
        ended(cluster, cluster.remove_instance(instance.name, reason="clean"))
    cluster.close()


def target_of(simulated: SimulatedCluster) -> Target:
    return Target(simulated.rapi_host, simulated.port, simulated.username, simulated.password, simulated.rapi_ca)


def ended(cluster: RapiCluster, job_id: int) -> str:
    deadline = time.monotonic() + 20
    while True:
        job = cluster.get_job(job_id)
        assert job is not None
        if job.is_final:
            return job.status
        assert time.monotonic() < deadline, job
        time.sleep(0.005)


def test_cut_off_before_the_effect_is_unknown_and_no_job_exists(rapi: RapiCluster, simulated: SimulatedCluster) -> None:
    simulated.control(calls=[{"action": "drop_before", "match": CREATE}])
    with pytest.raises(OutcomeUnknown):
        rapi.create_instance(SPEC, reason="snf:before")
    assert rapi.find_jobs("snf:before") == []


def test_cut_off_after_the_effect_is_unknown_and_the_job_is_found(rapi: RapiCluster, simulated: SimulatedCluster) -> None:
    simulated.control(calls=[{"action": "drop_after", "match": CREATE}])
    with pytest.raises(OutcomeUnknown):
        rapi.create_instance(SPEC, reason="snf:after")
    (job,) = rapi.find_jobs("snf:after")
    assert ended(rapi, job.id) == "success"
    assert rapi.get_instance("snf-1").name == "snf-1"


def test_time_out_is_unknown(rapi: RapiCluster, simulated: SimulatedCluster) -> None:
    simulated.control(calls=[{"action": "delay", "match": "startup", "seconds": 1.5}])
    with pytest.raises(OutcomeUnknown):
        rapi.startup_instance("snf-1", reason="snf:slow")
    deadline = time.monotonic() + 10
    while not rapi.find_jobs("snf:slow"):  # it was only late
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("action", ["drop_before", "drop_after"])
def test_a_read_that_is_cut_off_had_no_effect(rapi: RapiCluster, simulated: SimulatedCluster, action: str) -> None:
    simulated.control(calls=[{"action": action, "match": "GET /2/info"}])
    with pytest.raises(DependencyUnavailable) as failure:
        rapi.info()
    assert not isinstance(failure.value, OutcomeUnknown)
    assert failure.value.retryable


def test_a_full_queue_refuses_no_question(rapi: RapiCluster, simulated: SimulatedCluster) -> None:
    simulated.control(calls=[{"action": "refuse", "match": "PUT /2/query", "status": 503}])
    with pytest.raises(DependencyUnavailable):
        rapi.get_instance("snf-1")


@pytest.mark.parametrize(("status", "kind"), [
    (503, GanetiQueueFull), (400, GanetiRefused), (501, GanetiRefused), (502, DependencyUnavailable), (504, OutcomeUnknown),
    (500, OutcomeUnknown),
])
def test_answers_to_a_write(rapi: RapiCluster, simulated: SimulatedCluster, status: int, kind: type[Exception]) -> None:
    """502 is said before the job is handed over, 504 and 500 after: nobody knows."""
    simulated.control(calls=[{"action": "refuse", "match": CREATE, "status": status, "message": "it's <bad>"}])
    with pytest.raises(kind) as failure:
        rapi.create_instance(SPEC, reason="snf:refused")
    assert type(failure.value) is kind
    assert rapi.find_jobs("snf:refused") == []
    if issubclass(kind, GanetiRefused):
        assert str(failure.value) == "it's <bad>"


def test_nothing_is_repeated_by_itself(rapi: RapiCluster, simulated: SimulatedCluster) -> None:
    state = simulated.control(calls=[{"action": "drop_after", "match": "startup", "times": 5}])
    assert state["calls"][0]["struck"] == 0
    with pytest.raises(OutcomeUnknown):
        rapi.startup_instance("snf-1", reason="snf:once")
    assert len(rapi.find_jobs("snf:once")) == 1


def test_offline_backends_are_not_called(simulated: SimulatedCluster) -> None:
    with pytest.raises(BackendOffline):
        cluster_for(replace(simulated, offline=True))
    assert cluster_for(simulated).info().name == simulated.clustername
    assert cluster_for(simulated) is cluster_for(simulated)


def test_certificate_text_pins_as_well(simulated: SimulatedCluster) -> None:
    pem = (simulated.directory / "rapi/server.pem").read_text()
    certificate = pem[pem.index("-----BEGIN CERTIFICATE-----"):]
    good = target_of(simulated)
    assert RapiCluster(replace(good, trust=certificate)).info().name == simulated.clustername
    shouting = ":".join(good.trust.upper()[i:i + 2] for i in range(0, 64, 2))
    assert RapiCluster(replace(good, trust=shouting)).info().name == simulated.clustername
    with pytest.raises(DependencyUnavailable):  # self-signed, and nobody vouches for it
        RapiCluster(replace(good, trust="")).info()


@pytest.mark.parametrize("trust", ["abc", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", "zz" * 32])
def test_unreadable_trust_is_refused(trust: str) -> None:
    with pytest.raises(InvalidInput):
        RapiCluster(Target("127.0.0.1", 1, "u", "p", trust))


def test_insecure_must_be_asked_for(simulated: SimulatedCluster, settings_override: Any) -> None:
    settings_override(GANETI_RAPI_INSECURE=True)
    assert RapiCluster(replace(target_of(simulated), trust="ab" * 32)).info().name == simulated.clustername


def test_no_more_calls_at_once_than_allowed(simulated: SimulatedCluster, settings_override: Any) -> None:
    settings_override(GANETI_RAPI_MAX_CONCURRENT=2, GANETI_RAPI_TIMEOUT=5.0)
    simulated.control(calls=[{"action": "delay", "match": "GET /2/groups", "times": 6, "seconds": 0.15}])
    cluster = RapiCluster(target_of(simulated))
    started = time.monotonic()
    threads = [threading.Thread(target=cluster.list_groups) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert time.monotonic() - started >= 0.45  # six calls, two at a time
    simulated.calm()


def test_password_is_never_shown(simulated: SimulatedCluster) -> None:
    assert simulated.password not in repr(target_of(simulated))
    assert "s3cr3t" not in repr(replace(SPEC, os_secret={"config_url": "s3cr3t"}))


def test_simulated_cluster_survives_being_killed(tmp_path: Path) -> None:
    with simulated_cluster(tmp_path / "c", work_s=0.2) as simulated:
        cluster = RapiCluster(target_of(simulated))
        assert ended(cluster, cluster.create_instance(SPEC, reason="snf:a")) == "success"
        simulated.control(jobs=[{"action": "hang", "match": "SHUTDOWN"}])
        running = cluster.shutdown_instance("snf-1", reason="snf:b")
        queued = cluster.startup_instance("snf-1", reason="snf:c")
        deadline = time.monotonic() + 10
        while (job := cluster.get_job(running)) is None or job.status != "running":
            assert time.monotonic() < deadline
            time.sleep(0.005)
        simulated.restart()
        assert ended(cluster, running) == "error"  # its process is gone
        assert ended(cluster, queued) == "success"
        assert cluster.get_instance("snf-1", live=True).status == "running"
        assert cluster.create_instance(replace(SPEC, name="snf-2"), reason="snf:d") == queued + 1


@pytest.mark.slow
def test_twenty_thousand_instances(tmp_path: Path) -> None:
    with simulated_cluster(tmp_path / "c", instances=20_000) as simulated:
        cluster = RapiCluster(target_of(simulated))
        started = time.monotonic()
        assert len(cluster.list_instances(prefix="snf-")) == 20_000
        listed = time.monotonic() - started
        started = time.monotonic()
        jobs = [cluster.startup_instance(f"snf-{n}", reason=f"snf:{n}") for n in range(1, 101)]
        assert {ended(cluster, job) for job in jobs} == {"success"}
        assert listed < 30
        assert time.monotonic() - started < 60
        assert sum(state.is_running is True for state in cluster.list_instance_states()) == 100
