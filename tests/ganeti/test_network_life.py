"""Networks of servers through the whole of cyclades, on the simulated cluster and on real Ganeti alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from synnefo.astakos.models import User
from synnefo.common.ports import Caller
from synnefo.cyclades import bitmaps
from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.flavors import Flavor, VolumeType
from synnefo.cyclades.models.networks import BackendNetwork, Network, Port
from synnefo.cyclades.models.pools import AddressPool
from synnefo.cyclades.models.servers import Server
from synnefo.cyclades.services import network_operations
from synnefo.cyclades.services import servers as server_verbs
from synnefo.cyclades.services.server_networks import NetworkRequest
from tests.support import identity as accounts
from tests.support import networks as support
from tests.support.cloud_rows import build, settle, used, user_with_quota
from tests.support.ganeti_cluster import ClusterUnderTest
from tests.support.networks import API

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def one(cluster: ClusterUnderTest, settings_override: Callable[..., None]) -> Iterator[Backend]:
    """The cluster as a backend of diskless instances on Ganeti's fake hypervisor; names that no other test uses."""
    settings_override(GANETI_CREATEINSTANCE_KWARGS={"os": "noop+default"}, BACKEND_PREFIX_ID="ct-life-", GANETI_USE_HOTPLUG=True)
    target = cluster.target
    kind = VolumeType.objects.create(name="diskless", disk_template="diskless")
    Flavor.objects.create(cpu=1, ram=128, disk=1, volume_type=kind)
    yield support.backend(
        cluster.rapi.info().name, 3, rapi_host=target.host, port=target.port, username=target.username,
        password=target.password, rapi_ca=target.trust, hypervisor="fake", disk_templates=["diskless"], mfree=2**20,
        mtotal=2**20, dfree=2**20, dtotal=2**20, ctotal=64)
    cluster.clean("ct-life-")


def _taken() -> list[str]:
    return [pool.value_of(index) for pool in AddressPool.objects.select_related("subnet").order_by("id")
            for index in bitmaps.members_of(pool.taken_bits)]


def test_a_server_gets_its_networks_and_gives_them_back(
    one: Backend, cluster: ClusterUnderTest, settings_override: Callable[..., None]
) -> None:
    ann: Caller = user_with_quota()
    api = API(accounts.make_token(User.objects.get()))
    support.mac_prefix_pool()
    public = support.public_network("198.18.7.0/28", link="prv0")
    network_operations.create_in_all_backends(public)
    settle()
    assert BackendNetwork.objects.get(network=public).state == "ACTIVE"
    settings_override(CYCLADES_FORCED_SERVER_NETWORKS=["SNF:ANY_PUBLIC_IPV4"])
    first, second = api.network(), api.network()
    api.subnet(first, "10.77.0.0/24")
    server = build(ann, NetworkRequest(network_id=int(first)), NetworkRequest(network_id=int(second)))
    settle()
    server.refresh_from_db()
    assert server.operstate == "STARTED", server.backendlogmsg
    instance = cluster.rapi.get_instance(f"ct-life-{server.pk}")
    ports = list(Port.objects.order_by("index").prefetch_related("addresses"))
    assert [(nic.name, nic.network, nic.ip, nic.mac) for nic in instance.nics] == [
        (f"ct-life-nic-{port.pk}", f"ct-life-net-{port.network_id}",
         next((row.address for row in port.addresses.all()), None), port.mac) for port in ports]
    assert [port.state for port in ports] == ["ACTIVE"] * 3
    assert _taken() == ["198.18.7.2", "10.77.0.2"]

    third = api.port(first, device_id=str(server.pk))
    settle()
    assert api.get(f"ports/{third['id']}")[1]["port"]["status"] == "ACTIVE"
    assert api.delete(f"ports/{third['id']}")[0] == 204
    settle()
    assert api.get(f"ports/{third['id']}")[0] == 404

    server_verbs.delete_server(ann, server.pk)
    settle()
    assert Server.objects.get().deleted
    assert [api.delete(f"networks/{key}")[0] for key in (first, second)] == [204, 204]
    settle()
    assert Network.objects.filter(deleted=False).get() == public
    assert _taken() == []
    assert used(ann, "network.private") == used(ann, "vm") == 0
    assert [network.name for network in cluster.rapi.list_networks(prefix="ct-life-")] == [f"ct-life-net-{public.pk}"]
