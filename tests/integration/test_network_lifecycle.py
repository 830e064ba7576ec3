"""Networks through whole lives of servers: real identity, real ledger, real engine, a simulated cluster, lost events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction

from synnefo.astakos.services.resources import register_resource
from synnefo.common.errors import DomainError, NoCapacity
from synnefo.common.ids import UserID
from synnefo.common.ports import Caller, identity, quota
from synnefo.cyclades import bitmaps
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models import Server
from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.flavors import Flavor, VolumeType
from synnefo.cyclades.models.networks import IPAddress, IPHistory, Network, Port
from synnefo.cyclades.models.pools import AddressPool, ValuePool
from synnefo.cyclades.reconcilers import servers as reconcilers
from synnefo.cyclades.services import operations
from synnefo.cyclades.services import servers as server_verbs
from synnefo.cyclades.services.server_networks import NetworkRequest
from tests.support import identity as accounts
from tests.support import networks as support
from tests.support.networks import API
from tests.support.simulator import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_S = 30
RESOURCES = ("vm", "cpu", "total_cpu", "ram", "total_ram", "disk", "floating_ip", "network.private")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCluster]:
    with simulated_cluster(Path(tmp_path_factory.mktemp("cluster")), queue_s=0, work_s=0) as cluster:
        yield cluster


@pytest.fixture
def one(simulated: SimulatedCluster) -> Iterator[Backend]:
    row = support.backend(
        simulated.clustername, 3, rapi_host=simulated.rapi_host, port=simulated.port, username=simulated.username,
        password=simulated.password, rapi_ca=simulated.rapi_ca, disk_templates=["file"], mfree=2**20, mtotal=2**20,
        dfree=2**20, dtotal=2**20, ctotal=64)
    file = VolumeType.objects.create(name="file", disk_template="file")
    Flavor.objects.create(cpu=1, ram=256, disk=2, volume_type=file)
    yield row
    cluster = cluster_for(simulated)
    for instance in cluster.list_instances():
        cluster.remove_instance(instance.name, reason="clean", timeout_s=0)
    _until(lambda: not cluster.list_instances())
    for network in cluster.list_networks():
        jobs = [cluster.disconnect_network(network.name, group[0], reason="clean") for group in network.groups]
        cluster.remove_network(network.name, reason="clean", depends=jobs)
    _until(lambda: not cluster.list_networks())


@pytest.fixture
def ann() -> Caller:
    with transaction.atomic():
        for name in RESOURCES:
            register_resource({"name": f"cyclades.{name}", "desc": name, "service_type": "compute",
                               "service_origin": "cyclades_compute"}, "cyclades")
    return identity().caller_of(UserID(accounts.make_user("ann@example.org").uuid))


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.01)


def _settle() -> None:
    """No event ever comes: the worker's duties alone bring the database up to date."""
    def is_quiet() -> bool:
        operations.perform_due()
        reconcilers.follow_overdue(older_than=timedelta(0))
        return not operations.Operation.objects.filter(state__in=["pending", "submitted"]).exists()

    operations.Operation.objects.filter(state="pending").update(next_attempt_at="2020-01-01T00:00:00Z")
    _until(is_quiet)


def _used(caller: Caller, resource: str) -> int:
    holding = quota("cyclades").usages(user_ids=[caller.user_id])[caller.user_id][caller.project_id][f"cyclades.{resource}"]
    assert holding.pending == 0, "nothing is left undecided"
    return holding.usage


def _build(caller: Caller, *requests: NetworkRequest) -> Server:
    flavor = Flavor.objects.get()
    image = server_verbs.ServerImage("i", 1, "image", "ab" * 32, 1024, "diskdump", {})
    request = server_verbs.ServerRequest("s", flavor, image, "secret", networks=requests)
    return server_verbs.create_server(caller, request)


def _taken() -> list[str]:
    return [pool.value_of(index) for pool in AddressPool.objects.select_related("subnet").order_by("id")
            for index in bitmaps.members_of(pool.taken_bits)]


def test_a_servers_networks_live_and_die_with_it(
    one: Backend, ann: Caller, settings_override: Callable[..., None]
) -> None:
    support.public_network("192.0.2.0/28")
    support.mac_prefix_pool()
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    api = API(accounts.make_token(accounts.User.objects.get()))
    private = api.network()
    api.subnet(private, "10.9.0.0/24")
    floating = api.post("floatingips", {"floatingip": {}})[1]["floatingip"]
    server = _build(ann, NetworkRequest(network_id=int(private)), NetworkRequest(
        network_id=int(floating["floating_network_id"]), fixed_ip=floating["floating_ip_address"]))
    _settle()
    instance = cluster_for(one).get_instance(f"snf-{server.pk}")
    ports = list(Port.objects.order_by("index").prefetch_related("addresses"))
    assert [(nic.network, nic.ip, nic.mac) for nic in instance.nics] == [
        (f"snf-net-{port.network_id}", port.addresses.all()[0].address, port.mac) for port in ports]
    assert {port.state for port in ports} == {"ACTIVE"}
    assert _taken() == ["192.0.2.2", "192.0.2.3", "10.9.0.2"]
    assert api.get("ports", device_id=str(server.pk))[1]["ports"][0]["status"] == "ACTIVE"
    assert (_used(ann, "vm"), _used(ann, "floating_ip"), _used(ann, "network.private")) == (1, 1, 1)

    assert api.delete(f"ports/{ports[1].pk}")[0] == 204
    _settle()
    assert api.get(f"ports/{ports[1].pk}")[0] == 404
    assert len(cluster_for(one).get_instance(f"snf-{server.pk}").nics) == 2
    again = api.port(private, device_id=str(server.pk))
    _settle()
    assert api.get(f"ports/{again['id']}")[1]["port"]["status"] == "ACTIVE"
    assert len(cluster_for(one).get_instance(f"snf-{server.pk}").nics) == 3

    server_verbs.delete_server(ann, server.pk)
    _settle()
    assert Server.objects.get().deleted
    assert Port.objects.count() == 0
    assert _taken() == ["192.0.2.2"] if floating["floating_ip_address"] == "192.0.2.2" else ["192.0.2.3"]
    assert list(IPHistory.objects.values_list("action", flat=True)) == ["associate", "associate", "disassociate", "disassociate"]
    assert api.delete(f"floatingips/{floating['id']}")[0] == 204
    assert api.delete(f"networks/{private}")[0] == 204
    _settle()
    assert Network.objects.get(pk=private).deleted
    assert ValuePool.objects.get().taken_bits == 0
    assert _taken() == []
    assert [_used(ann, name) for name in RESOURCES] == [0] * len(RESOURCES)
    assert [network.name for network in cluster_for(one).list_networks()] == [f"snf-net-{Network.objects.get(public=True).pk}"]


def test_parallel_builds_never_share_an_address(
    one: Backend, ann: Caller, settings_override: Callable[..., None]
) -> None:
    support.public_network("192.0.2.0/28")
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    barrier = threading.Barrier(4)

    def build(number: int) -> int | DomainError:
        try:
            if number < 4:
                barrier.wait(10)
            return _build(ann).pk
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(build, range(16)))
    assert sum(isinstance(answer, int) for answer in answers) == 13
    assert sum(isinstance(answer, NoCapacity) for answer in answers) == 3
    _settle()
    live = list(IPAddress.objects.values_list("address", flat=True))
    assert sorted(live, key=lambda text: int(text.rsplit(".", 1)[1])) == [f"192.0.2.{number}" for number in range(2, 15)]
    nics = [nic for instance in cluster_for(one).list_instances() for nic in instance.nics]
    assert len({nic.ip for nic in nics}) == len({nic.mac for nic in nics}) == 13
    assert _used(ann, "vm") == 13
    for server in Server.objects.all():
        server_verbs.delete_server(ann, server.pk)
    _settle()
    assert _taken() == []
    assert _used(ann, "vm") == 0
