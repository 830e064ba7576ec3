"""Shared pieces of the network tests: an API client, pools, public networks."""

from __future__ import annotations

from typing import Any

from django.test import Client

from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.flavors import Flavor, VolumeType
from synnefo.cyclades.models.networks import Network
from synnefo.cyclades.models.pools import ValuePool
from synnefo.cyclades.models.servers import Server
from synnefo.cyclades.services import networks, pools, subnets

BASE = "/cyclades/network/v2.0"


class API:
    """The network API as one user sees it. Answers are (status, decoded body or None)."""

    def __init__(self, token: str) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"X-Auth-Token": token}

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        extra: dict[str, Any] = {} if body is None else {"data": body, "content_type": "application/json"}
        answer = self.client.generic(
            method, f"{BASE}/{path}", headers=self.headers, query_params=query, **_encoded(extra))
        return answer.status_code, answer.json() if answer.content else None

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        return self.call("POST", path, body)

    def put(self, path: str, body: Any) -> tuple[int, Any]:
        return self.call("PUT", path, body)

    def delete(self, path: str) -> tuple[int, Any]:
        return self.call("DELETE", path)

    def network(self, **attributes: Any) -> str:
        """Create a network; its id."""
        status, answer = self.post("networks", {"network": {"type": "MAC_FILTERED", **attributes}})
        assert status == 201, answer
        return str(answer["network"]["id"])

    def subnet(self, network_id: str, cidr: str = "10.9.0.0/24", **attributes: Any) -> dict[str, Any]:
        status, answer = self.post("subnets", {"subnet": {"network_id": network_id, "cidr": cidr, **attributes}})
        assert status == 201, answer
        return dict(answer["subnet"])

    def port(self, network_id: str, **attributes: Any) -> dict[str, Any]:
        status, answer = self.post("ports", {"port": {"network_id": network_id, **attributes}})
        assert status == 201, answer
        return dict(answer["port"])


def _encoded(extra: dict[str, Any]) -> dict[str, Any]:
    import json

    if "data" in extra and not isinstance(extra["data"], str | bytes):
        extra["data"] = json.dumps(extra["data"])
    return extra


def mac_prefix_pool(size: int = 64) -> ValuePool:
    return pools.create_value_pool(ValuePool.MAC_PREFIX, base="aa:00:0", size=size)


def public_network(cidr: str = "192.0.2.0/28", *, floating: bool = True, **attributes: Any) -> Network:
    """A public network with the first address as gateway. Inside a transaction or not."""
    from django.db import transaction

    with transaction.atomic():
        return networks.store_network(
            networks.NetworkSpec(flavor="CUSTOM", name="public", public=True, floating_ip_pool=floating, **attributes),
            [subnets.SubnetSpec(cidr=cidr)],
        )


def backend(name: str = "one.test", index: int = 0, *, password: str = "secret", **attributes: Any) -> Backend:
    row = Backend(clustername=name, index=index, **{"username": "synnefo", "drained": False, **attributes})
    row.password = password
    row.save()
    return row


def server(owner: str = "ann", on: Backend | None = None, **attributes: Any) -> Server:
    """A server's row alone, started unless told otherwise."""
    volume_type, _ = VolumeType.objects.get_or_create(name="file", disk_template="file")
    flavor, _ = Flavor.objects.get_or_create(cpu=1, ram=256, disk=2, volume_type=volume_type)
    return Server.objects.create(
        name="s", user_id=owner, project_id=owner, backend=on, flavor=flavor, image_id="i",
        **{"operstate": "STARTED", **attributes})
