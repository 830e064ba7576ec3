"""Every operation on networks and NICs, broken at every step: it is done once, and nothing is lost or left over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from synnefo.astakos.models import User
from synnefo.common.ports import Caller
from synnefo.cyclades import bitmaps
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.networks import BackendNetwork, IPAddress, Network, Port
from synnefo.cyclades.models.operations import Operation
from synnefo.cyclades.models.pools import AddressPool, ValuePool
from synnefo.cyclades.models.servers import Server
from synnefo.cyclades.services import operations
from synnefo.cyclades.services import servers as server_verbs
from synnefo.cyclades.services.server_networks import NetworkRequest
from tests.support import identity as accounts
from tests.support import networks as support
from tests.support.cloud_rows import RESOURCES, backend_of, build, empty, settle, used, user_with_quota
from tests.support.networks import API
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
def one(simulated: SimulatedCluster) -> Iterator[Backend]:
    yield backend_of(simulated)
    empty(simulated)


@pytest.fixture
def ann(one: Backend) -> Caller:
    support.mac_prefix_pool()
    return user_with_quota()


@pytest.fixture
def api(ann: Caller) -> API:
    return API(accounts.make_token(User.objects.get()))


def _heal(simulated: SimulatedCluster) -> None:
    simulated.calm()
    settle()


def _check_truth(one: Backend, ann: Caller) -> None:
    """Database, cluster, pools and ledger agree."""
    cluster = cluster_for(one)
    theirs = {(instance.name, nic.name, nic.ip, nic.mac) for instance in cluster.list_instances() for nic in instance.nics}
    ours = {(f"snf-{port.server_id}", f"snf-nic-{port.pk}", _ipv4(port), port.mac)
            for port in Port.objects.filter(server__isnull=False)}
    assert theirs == ours
    assert {port.state for port in Port.objects.filter(server__isnull=False)} <= {"ACTIVE"}
    live = Network.objects.filter(deleted=False)
    present = {f"snf-net-{key}" for key in BackendNetwork.objects.filter(state="ACTIVE").values_list("network_id", flat=True)}
    assert {network.name for network in cluster.list_networks()} == present
    taken = [pool.value_of(index) for pool in AddressPool.objects.select_related("subnet")
             for index in bitmaps.members_of(pool.taken_bits)]
    assert sorted(taken) == sorted(IPAddress.objects.filter(deleted=False, ip_version=4).values_list("address", flat=True))
    assert ValuePool.objects.get().taken_bits.bit_count() == live.filter(mac_prefix_is_pooled=True).count()
    assert used(ann, "network.private") == live.filter(public=False).count()
    assert used(ann, "vm") == Server.objects.filter(deleted=False).count()
    assert not Server.objects.exclude(task="").exists()


def _ipv4(port: Port) -> str | None:
    row = port.addresses.filter(ip_version=4, deleted=False).first()
    return row.address if row else None


def _jobs(one: Backend, kind: str) -> list[str]:
    """Opcodes of all jobs ever submitted for operations of this kind."""
    cluster = cluster_for(one)
    return sorted(job.ops[0].op_id for operation in Operation.objects.filter(kind=kind)
                  for job in cluster.find_jobs(operation.reason))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", ["POST /2/networks", "PUT /2/networks"])
def test_creation_of_a_network(
    one: Backend, ann: Caller, api: API, simulated: SimulatedCluster, fault: dict[str, Any], call: str
) -> None:
    key = api.network()
    api.subnet(key)
    simulated.control(calls=[{**fault, "match": call}])
    build(ann, NetworkRequest(network_id=int(key)))
    _heal(simulated)
    assert _jobs(one, "network.create") == ["OP_NETWORK_ADD", "OP_NETWORK_CONNECT"]
    _check_truth(one, ann)
    assert Server.objects.get().operstate == "STARTED"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", ["PUT /2/networks", "DELETE /2/networks"])
def test_removal_of_a_network(
    one: Backend, ann: Caller, api: API, simulated: SimulatedCluster, fault: dict[str, Any], call: str
) -> None:
    key = api.network()
    server = build(ann, NetworkRequest(network_id=int(key)))
    settle()
    server_verbs.delete_server(ann, server.pk)
    settle()
    simulated.control(calls=[{**fault, "match": call}])
    assert api.delete(f"networks/{key}")[0] == 204
    _heal(simulated)
    assert Network.objects.get().deleted
    assert _jobs(one, "network.remove") == ["OP_NETWORK_DISCONNECT", "OP_NETWORK_REMOVE"]
    _check_truth(one, ann)
    assert [used(ann, name) for name in RESOURCES] == [0] * len(RESOURCES)


@pytest.mark.parametrize("fault", FAULTS)
def test_attaching_and_detaching_a_port(
    one: Backend, ann: Caller, api: API, simulated: SimulatedCluster, fault: dict[str, Any]
) -> None:
    key = api.network()
    api.subnet(key)
    server = build(ann)
    settle()
    simulated.control(calls=[{**fault, "match": "PUT /2/instances"}])
    port = api.port(key, device_id=str(server.pk))
    _heal(simulated)
    assert _jobs(one, "port.attach") == ["OP_INSTANCE_SET_PARAMS"]
    _check_truth(one, ann)
    assert api.get(f"ports/{port['id']}")[1]["port"]["status"] == "ACTIVE"
    simulated.control(calls=[{**fault, "match": "PUT /2/instances"}])
    assert api.delete(f"ports/{port['id']}")[0] == 204
    assert api.delete(f"ports/{port['id']}")[0] == 204
    _heal(simulated)
    assert _jobs(one, "port.detach") == ["OP_INSTANCE_SET_PARAMS"]
    _check_truth(one, ann)
    assert api.get(f"ports/{port['id']}")[0] == 404


@pytest.mark.parametrize("kind", ["network.create", "port.attach", "port.detach", "network.remove"])
def test_dying_between_submission_and_note(
    one: Backend, ann: Caller, api: API, simulated: SimulatedCluster, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    record: Callable[..., None] = operations._record_jobs
    killed: list[str] = []

    def die_once(operation: Operation, jobs: list[int]) -> None:
        if operation.kind == kind and not killed:
            killed.append(kind)
            raise Killed
        record(operation, jobs)

    monkeypatch.setattr(operations, "_record_jobs", die_once)
    key = api.network()
    server = build(ann)
    settle()
    port: dict[str, Any] = {}
    steps: list[Callable[[], object]] = [
        lambda: port.update(api.port(key, device_id=str(server.pk))),
        lambda: api.delete(f"ports/{port['id']}"),
        lambda: api.delete(f"networks/{key}"),
    ]
    for step in steps:
        try:
            step()
        except Killed:
            port.update({"id": Port.objects.values_list("pk", flat=True).first() or port.get("id")})
        settle()
        _check_truth(one, ann)
    assert killed == [kind]
    assert Network.objects.get(pk=key).deleted


def test_a_job_that_fails_leaves_no_port(one: Backend, ann: Caller, api: API, simulated: SimulatedCluster) -> None:
    key = api.network()
    api.subnet(key)
    server = build(ann)
    settle()
    simulated.control(jobs=[{"action": "fail", "match": "INSTANCE_SET_PARAMS"}])
    api.port(key, device_id=str(server.pk))
    _heal(simulated)
    server.refresh_from_db()
    assert server.task == ""
    assert Port.objects.count() == 0, "the NIC never came: its address is free again"
    _check_truth(one, ann)
