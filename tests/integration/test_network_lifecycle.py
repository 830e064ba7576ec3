"""Networks through whole lives of servers: real identity, real ledger, real engine, a simulated cluster, lost events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from synnefo.astakos.models import User
from synnefo.common.errors import DomainError, NoCapacity
from synnefo.common.ports import Caller
from synnefo.cyclades import bitmaps
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models import Server
from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.networks import IPAddress, IPHistory, Network, Port
from synnefo.cyclades.models.pools import AddressPool, ValuePool
from synnefo.cyclades.services import servers as server_verbs
from synnefo.cyclades.services.server_networks import NetworkRequest
from tests.support import identity as accounts
from tests.support import networks as support
from tests.support.cloud_rows import RESOURCES, backend_of, build, empty, settle, used, user_with_quota
from tests.support.networks import API
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
def ann() -> Caller:
    return user_with_quota()


def _taken() -> list[str]:
    return [pool.value_of(index) for pool in AddressPool.objects.select_related("subnet").order_by("id")
            for index in bitmaps.members_of(pool.taken_bits)]


def test_a_servers_networks_live_and_die_with_it(
    one: Backend, ann: Caller, settings_override: Callable[..., None]
) -> None:
    support.public_network("192.0.2.0/28")
    support.mac_prefix_pool()
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    api = API(accounts.make_token(User.objects.get()))
    private = api.network()
    api.subnet(private, "10.9.0.0/24")
    floating = api.post("floatingips", {"floatingip": {}})[1]["floatingip"]
    server = build(ann, NetworkRequest(network_id=int(private)), NetworkRequest(
        network_id=int(floating["floating_network_id"]), fixed_ip=floating["floating_ip_address"]))
    settle()
    instance = cluster_for(one).get_instance(f"snf-{server.pk}")
    ports = list(Port.objects.order_by("index").prefetch_related("addresses"))
    assert [(nic.network, nic.ip, nic.mac) for nic in instance.nics] == [
        (f"snf-net-{port.network_id}", port.addresses.all()[0].address, port.mac) for port in ports]
    assert {port.state for port in ports} == {"ACTIVE"}
    assert _taken() == ["192.0.2.2", "192.0.2.3", "10.9.0.2"]
    assert api.get("ports", device_id=str(server.pk))[1]["ports"][0]["status"] == "ACTIVE"
    assert (used(ann, "vm"), used(ann, "floating_ip"), used(ann, "network.private")) == (1, 1, 1)

    assert api.delete(f"ports/{ports[1].pk}")[0] == 204
    settle()
    assert api.get(f"ports/{ports[1].pk}")[0] == 404
    assert len(cluster_for(one).get_instance(f"snf-{server.pk}").nics) == 2
    again = api.port(private, device_id=str(server.pk))
    settle()
    assert api.get(f"ports/{again['id']}")[1]["port"]["status"] == "ACTIVE"
    assert len(cluster_for(one).get_instance(f"snf-{server.pk}").nics) == 3

    server_verbs.delete_server(ann, server.pk)
    settle()
    assert Server.objects.get().deleted
    assert Port.objects.count() == 0
    assert _taken() == ["192.0.2.2"] if floating["floating_ip_address"] == "192.0.2.2" else ["192.0.2.3"]
    assert list(IPHistory.objects.values_list("action", flat=True)) == ["associate", "associate", "disassociate", "disassociate"]
    assert api.delete(f"floatingips/{floating['id']}")[0] == 204
    assert api.delete(f"networks/{private}")[0] == 204
    settle()
    assert Network.objects.get(pk=private).deleted
    assert ValuePool.objects.get().taken_bits == 0
    assert _taken() == []
    assert [used(ann, name) for name in RESOURCES] == [0] * len(RESOURCES)
    assert [network.name for network in cluster_for(one).list_networks()] == [f"snf-net-{Network.objects.get(public=True).pk}"]


def test_parallel_builds_never_share_an_address(
    one: Backend, ann: Caller, settings_override: Callable[..., None]
) -> None:
    support.public_network("192.0.2.0/28")
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    barrier = threading.Barrier(4)

    def race(number: int) -> int | DomainError:
        try:
            if number < 4:
                barrier.wait(10)
            return int(build(ann).pk)
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(race, range(16)))
    assert sum(isinstance(answer, int) for answer in answers) == 13
    assert sum(isinstance(answer, NoCapacity) for answer in answers) == 3
    settle()
    live = list(IPAddress.objects.values_list("address", flat=True))
    assert sorted(live, key=lambda text: int(text.rsplit(".", 1)[1])) == [f"192.0.2.{number}" for number in range(2, 15)]
    nics = [nic for instance in cluster_for(one).list_instances() for nic in instance.nics]
    assert len({nic.ip for nic in nics}) == len({nic.mac for nic in nics}) == 13
    assert used(ann, "vm") == 13
    for server in Server.objects.all():
        server_verbs.delete_server(ann, server.pk)
    settle()
    assert _taken() == []
    assert used(ann, "vm") == 0
