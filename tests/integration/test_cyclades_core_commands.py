"""The commands on backends, and those that reconcile servers, commissions and resources, on a simulated cluster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from synnefo.common.ids import ProjectID
from synnefo.common.ports import Caller, quota
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models import Backend, Flavor, Server
from synnefo.cyclades.services import backends, commissions, network_operations
from synnefo.cyclades.services import servers as verbs
from tests.support import networks as support
from tests.support.cloud_rows import backend_of, build, empty, settle, until, used, user_with_quota
from tests.support.commands import Result, run
from tests.support.compute import Person, register_resources
from tests.support.simulator import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCluster]:
    with simulated_cluster(Path(tmp_path_factory.mktemp("cluster")), queue_s=0, work_s=0) as cluster:
        yield cluster


@pytest.fixture
def one(simulated: SimulatedCluster) -> Iterator[Backend]:
    yield backend_of(simulated)
    empty(simulated)


@pytest.fixture
def ann(one: Backend) -> Caller:
    return user_with_quota()


@pytest.fixture
def running(ann: Caller) -> Server:
    server = build(ann)
    settle()
    server.refresh_from_db()
    return server


def _add(simulated: SimulatedCluster, **changes: str) -> Result:
    values = {"clustername": simulated.clustername, "rapi-host": simulated.rapi_host, "port": str(simulated.port),
              "user": simulated.username, "pass": simulated.password, "rapi-ca": simulated.rapi_ca} | changes
    return run("backend-add", *(part for name, value in values.items() for part in (f"--{name}", value)), "--output-format", "json")


# Backends ---------------------------------------------------------------------------------------------------------
def test_adding_a_backend(simulated: SimulatedCluster) -> None:
    network = support.public_network()
    added = _add(simulated).json()
    assert (added["clustername"], added["drained"], added["index"]) == (simulated.clustername, True, 0)
    listed = run("backend-list", "-o", "id,clustername,drained,offline,vms,ips,disk_templates,mem", "--output-format", "json").json()
    assert len(listed) == 1
    assert listed[0]["disk_templates"]
    assert listed[0]["ips"] == "13/13"
    assert not listed[0]["mem"].startswith("0/")
    until(lambda: [item.name for item in cluster_for(simulated).list_networks()] == [f"snf-net-{network.pk}"])
    everything = run("backend-list", "--output-format", "json").out + run("backend-list", "--list-fields").out
    assert simulated.password not in everything
    assert simulated.password not in Backend.objects.get().password_encrypted
    empty(simulated)


@pytest.mark.parametrize(("changes", "text"), [
    ({"pass": "wrong"}, "login"),
    ({"clustername": "other.test"}, "calls itself"),
    ({"port": "1"}, "does not answer"),
    ({"port": "70000"}, "65535"),
    ({"rapi-ca": "ab" * 32}, ""),
    ({"rapi-ca": "neither"}, "neither a SHA-256 fingerprint"),
    ({"clustername": "x" * 200}, "characters"),
    ({"hypervisor": "vmware"}, "invalid choice"),
])
def test_a_backend_that_cannot_be_added(simulated: SimulatedCluster, changes: dict[str, str], text: str) -> None:
    result = _add(simulated, **changes)
    assert result.code in {1, 2}
    assert text in result.err
    assert not Backend.objects.exists()


def test_adding_a_backend_twice(simulated: SimulatedCluster) -> None:
    assert _add(simulated).code == 0
    again = _add(simulated)
    assert again.code == 1
    assert "already" in again.err
    assert Backend.objects.count() == 1


def test_at_most_sixteen_backends() -> None:
    for number in range(16):
        backends.add_backend(clustername=f"c{number}.test", username="u", password="p", check=False, init=False)
    assert sorted(Backend.objects.values_list("index", flat=True)) == list(range(16))
    refused = run("backend-add", "--clustername", "one-more.test", "--user", "u", "--pass", "p", "--no-check", "--no-init")
    assert refused.code == 1
    assert "16 backends" in refused.err
    Backend.objects.get(index=7).delete()
    assert backends.add_backend(clustername="again.test", username="u", password="p", check=False, init=False).index == 7


def test_changing_a_backend(one: Backend, simulated: SimulatedCluster) -> None:
    assert run("backend-modify", str(one.pk), "--drained", "True", "--public", "False").code == 0
    one.refresh_from_db()
    assert (one.drained, one.public) == (True, False)
    refused = run("backend-modify", one.clustername, "--password", "wrong")
    assert refused.code == 1
    one.refresh_from_db()
    assert one.password == simulated.password, "what does not work is not kept"
    assert run("backend-modify", str(one.pk), "--offline", "True").code == 0
    assert run("backend-modify", str(one.pk), "--password", "later").code == 0, "an offline cluster is not asked"
    assert run("backend-modify", str(one.pk)).code == 1
    assert run("backend-modify", str(one.pk + 1), "--drained", "True").code == 1


def test_removing_a_backend(one: Backend, ann: Caller, running: Server) -> None:
    support.public_network()
    refused = run("backend-remove", str(one.pk), "--yes")
    assert refused.code == 1
    assert "still has servers" in refused.err
    verbs.delete_server(ann, running.pk)
    settle()
    network_operations.create_public_networks_in(one)
    settle()
    assert run("backend-remove", str(one.pk), "--yes").code == 0
    assert not Backend.objects.exists()
    assert Server.objects.get().backend_id is None
    until(lambda: not cluster_for(one).list_networks())


def test_reading_the_figures(one: Backend) -> None:
    Backend.objects.update(mfree=1, disk_templates=[])
    backends.add_backend(clustername="dead.test", username="u", password="p", rapi_host="127.0.0.1", port=1, check=False, init=False)
    result = run("backend-update-status")
    assert result.code == 3, "one that fails does not stop the others"
    assert "dead.test" in result.err
    one.refresh_from_db()
    assert one.mfree > 1
    assert "file" in one.disk_templates


# Servers ----------------------------------------------------------------------------------------------------------
def test_reconciling_servers(one: Backend, ann: Caller, running: Server, simulated: SimulatedCluster) -> None:
    assert run("reconcile-servers").code == 0
    simulated.control(instances={f"snf-{running.pk}": {"is_running": False}})
    found = run("reconcile-servers")
    assert found.code == 4
    assert f"D: operstate: server {running.pk}" in found.out
    assert run("reconcile-servers", "--fix-stale").code == 4, "only what was asked for is repaired"
    fixed = run("reconcile-servers", "--fix-all")
    assert (fixed.code, f"F: operstate: server {running.pk}" in fixed.out) == (0, True)
    running.refresh_from_db()
    assert running.operstate == "STOPPED"
    assert run("reconcile-servers", "--backend-id", one.clustername).code == 0


def test_reconciling_with_a_dead_cluster(one: Backend, running: Server) -> None:
    backends.add_backend(clustername="dead.test", username="u", password="p", rapi_host="127.0.0.1", port=1, check=False, init=False)
    result = run("reconcile-servers", "--fix-all")
    assert result.code == 4
    assert "Not checked: dead.test" in result.err
    running.refresh_from_db()
    assert not running.deleted


def test_creating_a_server_for_a_user(one: Backend) -> None:
    register_resources()
    owner = Person()
    image = owner.image()
    support.mac_prefix_pool()
    network = run("network-create", "--user", owner.uuid, "--flavor", "MAC_FILTERED", "--subnet", "10.1.0.0/24", "--output-format", "json").json()
    arguments = ("--name", "made", "--user", owner.user.email, "--image", image, "--flavor", str(Flavor.objects.get().pk), "--password", "Secret-12345")
    Backend.objects.update(drained=True)
    assert "no" in run("server-create", *arguments).err.lower(), "the allocator leaves drained back ends alone"
    made = run("server-create", *arguments, "--backend-id", str(one.pk), "--port", f"network:{network['id']}", "--output-format", "json").json()
    assert (made["name"], made["user"], made["backend"]) == ("made", owner.uuid, one.pk)
    settle()
    server = Server.objects.get(pk=made["id"])
    assert (server.operstate, server.ports.count(), used(owner.caller, "vm")) == ("STARTED", 1, 1)


@pytest.mark.parametrize(("changes", "text"), [
    ({"--user": "nobody@example.org"}, "nobody@example.org"), ({"--flavor": "999999999"}, "flavor"), ({"--image": "none"}, "image"),
    ({"--backend-id": "999999999"}, "backend-list"), ({"--port": "99"}, "network:ID"), ({"--port": "network:999999999"}, "network"), ({"--name": "x" * 300}, "name")])
def test_a_server_that_cannot_be_created(one: Backend, changes: dict[str, str], text: str) -> None:
    register_resources()
    owner = Person()
    values = {"--name": "made", "--user": owner.uuid, "--image": owner.image(), "--flavor": str(Flavor.objects.get().pk), "--password": "Secret-12345"}
    refused = run("server-create", *(part for pair in (values | changes).items() for part in pair))
    assert refused.code != 0
    assert text in refused.err.lower() or text in refused.err
    assert (Server.objects.count(), used(owner.caller, "vm")) == (0, 0)


def test_inspecting_a_server(one: Backend, running: Server, simulated: SimulatedCluster) -> None:
    seen = run("server-inspect", f"snf-{running.pk}", "--jobs", "--output-format", "json").json()
    assert seen["operstate"] == "STARTED"
    assert {row["Field"]: row["Value"] for row in seen["In Ganeti"]}["name"] == f"snf-{running.pk}"
    assert any("INSTANCE_CREATE" in row["Summary"] for row in seen["Jobs"])
    assert run("server-inspect", str(running.pk)).code == 0
    empty(simulated)
    assert "does not exist in backend" in run("server-inspect", str(running.pk)).out
    assert run("server-inspect", "999999").code == 1


# Quota ------------------------------------------------------------------------------------------------------------
def test_reconciling_commissions(ann: Caller, running: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("reconcile-commissions-cyclades").code == 0
    quota("cyclades").issue(ann.user_id, {(ann.project_id, "cyclades.vm"): 1}, request_id="r", name="a request that died")
    assert run("reconcile-commissions-cyclades", "--fix").code == 0
    assert len(quota("cyclades").pending()) == 1, "it may still be at work"
    monkeypatch.setattr(commissions, "LONGEST_REQUEST", timedelta(seconds=-5))
    assert run("reconcile-commissions-cyclades").code == 4
    assert run("reconcile-commissions-cyclades", "--fix").code == 0
    assert quota("cyclades").pending() == []
    assert used(ann, "vm") == 1


def test_a_decision_that_the_ledger_never_heard(ann: Caller, running: Server) -> None:
    serial = quota("cyclades").issue(ann.user_id, {(ann.project_id, "cyclades.vm"): 1}, request_id="r", name="x")
    commissions.record_accepted(serial)
    assert run("reconcile-commissions-cyclades").code == 4
    assert run("reconcile-commissions-cyclades", "--fix").code == 0
    assert used(ann, "vm") == 2


def test_reconciling_resources(ann: Caller, running: Server) -> None:
    assert run("reconcile-resources-cyclades").code == 0
    quota("cyclades").issue(ann.user_id, {(ProjectID(ann.project_id), "cyclades.cpu"): 3}, request_id="", name="wrong", force=True, auto_accept=True)
    found = run("reconcile-resources-cyclades", "--user", ann.email)
    assert found.code == 4
    assert "cyclades.cpu" in found.out
    assert run("reconcile-resources-cyclades", "--fix").code == 0
    assert used(ann, "cpu") == 1
    assert run("reconcile-resources-cyclades").code == 0


def test_what_is_under_way_is_not_corrected(ann: Caller, running: Server) -> None:
    quota("cyclades").issue(ann.user_id, {(ann.project_id, "cyclades.vm"): 1}, request_id="r", name="at work")
    Server.objects.update(deleted=True)
    before = quota("cyclades").usages(user_ids=[ann.user_id])[ann.user_id][ann.project_id]["cyclades.vm"].usage
    assert run("reconcile-resources-cyclades", "--fix").code == 4
    assert quota("cyclades").usages(user_ids=[ann.user_id])[ann.user_id][ann.project_id]["cyclades.vm"].usage == before
