"""Interfaces and floating IPs of servers through the compute API, in a simulated cluster without events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models import Server
from tests.support import networks as support
from tests.support.cloud_rows import backend_of, build, empty, settle, user_with_quota
from tests.support.identity import make_token
from tests.support.networks import API
from tests.support.simulator import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = "/cyclades/compute/v2.1/servers"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCluster]:
    with simulated_cluster(Path(tmp_path_factory.mktemp("cluster")), queue_s=0, work_s=0) as cluster:
        yield cluster


class Owner:
    """Somebody with a running server; speaks compute v2.1 and the network API."""

    def __init__(self, token: str, server: Server) -> None:
        self.token, self.server, self.network = token, server, API(token)

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        return Client().generic(method, f"{ROOT}/{self.server.pk}{path}", b"" if body is None else json.dumps(body),
                                "application/json", headers={"X-Auth-Token": self.token})

    def nics(self, simulated: SimulatedCluster) -> int:
        settle()
        (instance,) = cluster_for(simulated).list_instances()
        return len(instance.nics)


@pytest.fixture
def owner(simulated: SimulatedCluster) -> Iterator[Owner]:
    from synnefo.astakos.models import User

    support.mac_prefix_pool()
    backend_of(simulated)
    caller = user_with_quota()
    server = build(caller)
    settle()
    yield Owner(make_token(User.objects.get(uuid=caller.user_id)), server)
    empty(simulated)


def test_an_interface_is_attached_shown_and_detached(owner: Owner, simulated: SimulatedCluster) -> None:
    network = owner.network.network()
    owner.network.subnet(network, "10.9.0.0/24")
    before = owner.nics(simulated)
    added = owner("POST", "/os-interface", {"interfaceAttachment": {"net_id": network, "fixed_ips": [{"ip_address": "10.9.0.77"}]}})
    assert added.status_code == 200, added.content
    attachment = added.json()["interfaceAttachment"]
    assert attachment["fixed_ips"][0]["ip_address"] == "10.9.0.77"
    assert owner.nics(simulated) == before + 1
    listed = owner("GET", "/os-interface").json()["interfaceAttachments"]
    assert [item["port_id"] for item in listed if item["net_id"] == network] == [attachment["port_id"]]
    assert owner("GET", f"/os-interface/{attachment['port_id']}").json()["interfaceAttachment"]["port_state"] == "ACTIVE"
    assert owner("DELETE", f"/os-interface/{attachment['port_id']}").status_code == 202
    assert owner.nics(simulated) == before
    assert owner("GET", f"/os-interface/{attachment['port_id']}").status_code == 404


def test_a_floating_ip_comes_and_goes_by_action(owner: Owner, simulated: SimulatedCluster) -> None:
    public = support.public_network()
    status, made = owner.network.post("floatingips", {"floatingip": {"floating_network_id": str(public.pk)}})
    assert status in {200, 201}, made
    address = made["floatingip"]["floating_ip_address"]
    before = owner.nics(simulated)
    assert owner("POST", "/action", {"addFloatingIp": {"address": address}}).status_code == 202
    assert owner.nics(simulated) == before + 1
    shown = owner("GET", "").json()["server"]["addresses"]
    assert {"floating", "fixed"} <= {item["OS-EXT-IPS:type"] for entries in shown.values() for item in entries if item["addr"] == address}
    assert owner("POST", "/action", {"removeFloatingIp": {"address": address}}).status_code == 202
    assert owner.nics(simulated) == before
    assert owner("POST", "/action", {"removeFloatingIp": {"address": address}}).status_code == 400
