"""The network API over HTTP: networks, subnets, unattached ports, floating IPs, and what bad requests get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from synnefo.common import ports as common_ports
from synnefo.cyclades.api import network_views
from synnefo.cyclades.models.networks import IPAddress, Network, Port, Subnet
from synnefo.cyclades.models.pools import AddressPool, ValuePool
from tests.support import accounts
from tests.support.networks import API, mac_prefix_pool, public_network

pytestmark = pytest.mark.django_db(transaction=True)

NETWORK, FLOATING_IP = "cyclades.network.private", "cyclades.floating_ip"


@pytest.fixture
def ledger() -> Iterator[accounts.MemoryLedger]:
    before = dict(common_ports._providers)
    yield accounts.provide(accounts.caller("ann", "team"), accounts.caller("bob", "team"), accounts.caller("eve"), limit=3)
    common_ports._providers.clear()
    common_ports._providers.update(before)


@pytest.fixture
def ann(ledger: accounts.MemoryLedger) -> API:
    mac_prefix_pool()
    return API("ann")


def test_a_private_network_has_everything_clients_read(ann: API, ledger: accounts.MemoryLedger) -> None:
    status, answer = ann.post("networks", {"network": {"name": "lab Ω𝛀", "description": "mine", "admin_state_up": True}})
    network = answer["network"]
    assert status == 201
    assert set(network) == network_views.NETWORK_ATTRIBUTES
    assert network["name"] == "lab Ω𝛀"
    assert (network["type"], network["status"], network["public"], network["router:external"]) == (
        "MAC_FILTERED", "ACTIVE", False, False)
    assert (network["user_id"], network["tenant_id"], network["project_id"]) == ("ann", "ann", "ann")
    assert ann.get(f"networks/{network['id']}")[1]["network"] == network
    row = Network.objects.get()
    assert (row.link, row.mode, row.mac_prefix, row.ganeti_tags) == ("prv0", "bridged", "aa:00:1", ["private-filtered"])
    assert ledger.used("ann", NETWORK) == 1
    assert ledger.open == {}


def test_deleting_a_network_gives_everything_back(ann: API, ledger: accounts.MemoryLedger) -> None:
    key = ann.network()
    subnet = ann.subnet(key)
    assert ann.delete(f"networks/{key}") == (204, None)
    assert ann.get(f"networks/{key}")[0] == 404
    assert ann.delete(f"networks/{key}")[0] == 404
    assert ann.get(f"subnets/{subnet['id']}")[0] == 404
    assert ann.get("networks")[1] == {"networks": []}
    assert ledger.used("ann", NETWORK) == 0
    assert ValuePool.objects.get().taken_bits == 0
    assert AddressPool.objects.count() == 0
    assert ann.get(f"networks/{key}", deleted="true")[1]["network"]["deleted"] is True


def test_quota_refuses_and_leaves_nothing(ann: API, ledger: accounts.MemoryLedger) -> None:
    for _ in range(3):
        ann.network()
    taken = ValuePool.objects.get().taken_bits
    status, answer = ann.post("networks", {"network": {"type": "MAC_FILTERED"}})
    assert status == 413
    assert answer["overLimit"]["code"] == 413
    assert Network.objects.count() == 3
    assert ValuePool.objects.get().taken_bits == taken
    assert ledger.used("ann", NETWORK) == 3


def test_an_empty_pool_is_503_and_charges_nothing(ledger: accounts.MemoryLedger) -> None:
    ann = API("ann")
    status, answer = ann.post("networks", {"network": {"type": "MAC_FILTERED"}})
    assert status == 503
    assert "serviceUnavailable" in answer
    mac_prefix_pool(size=2)
    ann.network()
    assert ann.post("networks", {"network": {"type": "MAC_FILTERED"}})[0] == 503
    assert Network.objects.count() == 1
    assert ledger.used("ann", NETWORK) == 1
    assert ledger.open == {}


def test_bulk_creation_is_all_or_nothing(ann: API, ledger: accounts.MemoryLedger) -> None:
    status, answer = ann.post("networks", {"networks": [{"name": "a"}, {"name": "b"}]})
    assert (status, [item["name"] for item in answer["networks"]]) == (201, ["a", "b"])
    assert ann.post("networks", {"networks": [{"name": "c"}, {"name": "d"}]})[0] == 413
    assert Network.objects.count() == 2
    assert ann.post("networks", {"networks": [{"name": "c"}, {"name": 5}]})[0] == 400
    assert ledger.used("ann", NETWORK) == 2


def test_others_see_nothing_of_a_private_network(ann: API) -> None:
    key = ann.network()
    subnet = ann.subnet(key)
    port = ann.port(key)
    eve = API("eve")
    for path in (f"networks/{key}", f"subnets/{subnet['id']}", f"ports/{port['id']}"):
        singular = path.split("s/")[0]
        assert eve.get(path)[0] == 404, path
        assert eve.put(path, {singular: {"name": "x"}})[0] == 404, path
        assert eve.delete(path)[0] == 404, path
    assert eve.post("subnets", {"subnet": {"network_id": key, "cidr": "10.0.0.0/24", "ip_version": 6}})[0] == 404
    assert eve.post("ports", {"port": {"network_id": key}})[0] == 404
    assert [eve.get(name)[1] for name in ("networks", "subnets", "ports", "floatingips")] == [
        {"networks": []}, {"subnets": []}, {"ports": []}, {"floatingips": []}]


def test_subnet_defaults_and_views(ann: API) -> None:
    key = ann.network()
    subnet = ann.subnet(key, "10.9.0.0/24", name="s", dns_nameservers=["10.9.0.1"],
                        host_routes=[{"destination": "10.1.0.0/16", "nexthop": "10.9.0.1"}])
    assert set(subnet) == network_views.SUBNET_ATTRIBUTES - {"enable_slaac"}
    assert (subnet["gateway_ip"], subnet["enable_dhcp"], subnet["ip_version"]) == ("10.9.0.1", True, 4)
    assert subnet["allocation_pools"] == [{"start": "10.9.0.2", "end": "10.9.0.254"}]
    six = ann.subnet(key, "2001:db8::/64", ip_version=6, gateway_ip=None, enable_slaac=False)
    assert set(six) == network_views.SUBNET_ATTRIBUTES
    assert (six["gateway_ip"], six["enable_dhcp"], six["enable_slaac"], six["allocation_pools"]) == (None, False, False, [])
    assert ann.get(f"networks/{key}")[1]["network"]["subnets"] == [subnet["id"], six["id"]]
    again = {"network_id": key, "cidr": "10.10.0.0/24"}
    assert ann.post("subnets", {"subnet": again})[0] == 400
    assert Subnet.objects.count() == 2


def test_subnets_can_be_renamed_and_deleted(ann: API) -> None:
    key = ann.network()
    subnet = ann.subnet(key)
    path = f"subnets/{subnet['id']}"
    assert ann.put(path, {"subnet": {"name": "new"}})[1]["subnet"]["name"] == "new"
    assert ann.put(path, {"subnet": {"name": "new", "cidr": "10.0.0.0/24"}})[0] == 400
    port = ann.port(key)
    assert ann.delete(path)[0] == 409
    assert ann.delete(f"ports/{port['id']}")[0] == 204
    assert ann.delete(path)[0] == 204
    assert ann.get(path)[0] == 404
    ann.subnet(key, "10.20.0.0/24")


def test_ports_take_the_lowest_free_address(ann: API) -> None:
    key = ann.network()
    ann.subnet(key, "10.9.0.0/29")
    first = ann.port(key)
    assert set(first) == network_views.PORT_ATTRIBUTES
    assert (first["status"], first["device_id"], first["mac_address"]) == ("DOWN", None, None)
    wanted = ann.port(key, fixed_ips=[{"ip_address": "10.9.0.4"}])
    assert [entry["ip_address"] for entry in wanted["fixed_ips"]] == ["10.9.0.4"]
    rest = [ann.port(key)["fixed_ips"][0]["ip_address"] for _ in range(3)]
    assert [first["fixed_ips"][0]["ip_address"], *rest] == ["10.9.0.2", "10.9.0.3", "10.9.0.5", "10.9.0.6"]
    assert ann.post("ports", {"port": {"network_id": key}})[0] == 409
    assert Port.objects.count() == 5
    assert ann.delete(f"ports/{first['id']}")[0] == 204
    assert ann.port(key)["fixed_ips"][0]["ip_address"] == "10.9.0.2"
    assert ann.delete(f"networks/{key}")[0] == 409


@pytest.mark.parametrize(("fixed_ips", "status"), [
    ([{"ip_address": "10.9.0.2"}], 409), ([{"ip_address": "10.9.1.2"}], 400), ([{"ip_address": "10.9.0.1"}], 400),
    ([{"ip_address": "2001:db8::1"}], 400), ([{"ip_address": 5}], 400), ([5], 400), ("x", 400), ([{}, {}], 400),
    ([{"subnet_id": "999999999"}], 400), ([{"subnet_id": "x"}], 400),
])
def test_refused_fixed_ips(ann: API, fixed_ips: Any, status: int) -> None:
    key = ann.network()
    ann.subnet(key)
    ann.port(key)
    assert ann.post("ports", {"port": {"network_id": key, "fixed_ips": fixed_ips}})[0] == status
    assert (Port.objects.count(), IPAddress.objects.count()) == (1, 1)


def test_ports_without_subnet_have_no_address(ann: API) -> None:
    key = ann.network()
    assert ann.port(key)["fixed_ips"] == []
    assert ann.post("ports", {"port": {"network_id": key, "fixed_ips": [{"ip_address": "10.0.0.1"}]}})[0] == 400


def test_port_updates(ann: API) -> None:
    key = ann.network()
    path = f"ports/{ann.port(key)['id']}"
    changed = ann.put(path, {"port": {"name": "n", "security_groups": ["1"], "mac_address": "aa:aa:aa:aa:aa:aa"}})[1]["port"]
    assert (changed["name"], changed["security_groups"], changed["mac_address"]) == ("n", ["1"], None)
    assert ann.put(path, {"port": {"security_groups": ["3"]}})[0] == 501, "nothing filters yet"
    assert ann.put(path, {"port": {"security_groups": []}})[1]["port"]["security_groups"] == []
    assert ann.put(path, {"port": {"security_groups": ["9"]}})[0] == 404
    assert ann.put(path, {"port": {"security_groups": ["1", "2"]}})[0] == 400
    assert ann.put(path, {"port": {"fixed_ips": [{"ip_address": "10.0.0.1"}]}})[0] == 400
    assert ann.put(path, {"port": {"allowed_address_pairs": [{}]}})[0] == 400


def test_floating_ips_are_reserved_charged_and_released(ann: API, ledger: accounts.MemoryLedger) -> None:
    public = public_network("192.0.2.0/29")
    status, answer = ann.post("floatingips", {"floatingip": {"floating_network_id": public.pk}})
    first = answer["floatingip"]
    assert status == 201
    assert set(first) == network_views.FLOATING_IP_ATTRIBUTES
    assert (first["floating_ip_address"], first["status"], first["port_id"]) == ("192.0.2.2", "DOWN", None)
    chosen = ann.post("floatingips", {"floatingip": {"floating_ip_address": "192.0.2.5"}})[1]["floatingip"]
    assert chosen["floating_network_id"] == str(public.pk)
    assert ann.post("floatingips", {"floatingip": {"floating_ip_address": "192.0.2.5"}})[0] == 409
    assert ann.post("floatingips", {"floatingip": {"floating_ip_address": "203.0.113.5"}})[0] == 400
    ann.post("floatingips", {"floatingip": {}})
    assert ann.post("floatingips", {"floatingip": {}})[0] == 413
    assert ledger.used("ann", FLOATING_IP) == 3
    assert API("eve").get("floatingips")[1] == {"floatingips": []}
    assert API("eve").delete(f"floatingips/{first['id']}")[0] == 404
    assert ann.delete(f"floatingips/{first['id']}") == (204, None)
    assert ann.delete(f"floatingips/{first['id']}")[0] == 404
    assert ledger.used("ann", FLOATING_IP) == 2
    again = ann.post("floatingips", {"floatingip": {"description": "d"}})[1]["floatingip"]
    assert (again["floating_ip_address"], again["description"]) == ("192.0.2.2", "d")


def test_full_pools_answer_409(ann: API, ledger: accounts.MemoryLedger) -> None:
    ledger.limit = 100
    public = public_network("192.0.2.0/29")
    for _ in range(5):
        assert ann.post("floatingips", {"floatingip": {}})[0] == 201
    assert ann.post("floatingips", {"floatingip": {}})[0] == 409
    assert ann.post("floatingips", {"floatingip": {"floating_network_id": str(public.pk)}})[0] == 409
    assert ledger.used("ann", FLOATING_IP) == 5


def test_a_public_port_needs_a_floating_ip(ann: API) -> None:
    public = public_network()
    body = {"network_id": str(public.pk)}
    assert ann.post("ports", {"port": body})[0] == 400
    assert ann.post("ports", {"port": {**body, "fixed_ips": [{"ip_address": "192.0.2.2"}]}})[0] == 404
    floating = ann.post("floatingips", {"floatingip": {}})[1]["floatingip"]
    port = ann.port(str(public.pk), fixed_ips=[{"ip_address": floating["floating_ip_address"]}])
    assert ann.get(f"floatingips/{floating['id']}")[1]["floatingip"]["port_id"] == port["id"]
    assert ann.post("ports", {"port": {**body, "fixed_ips": port["fixed_ips"]}})[0] == 409
    assert ann.delete(f"floatingips/{floating['id']}")[0] == 409
    assert ann.delete(f"ports/{port['id']}")[0] == 204
    assert ann.get(f"floatingips/{floating['id']}")[1]["floatingip"]["port_id"] is None
    assert ann.delete(f"floatingips/{floating['id']}")[0] == 204


def test_a_drained_network_gives_nothing_new_but_takes_reserved_addresses(ann: API) -> None:
    public = public_network()
    floating = ann.post("floatingips", {"floatingip": {}})[1]["floatingip"]
    Network.objects.filter(pk=public.pk).update(drained=True)
    assert ann.get(f"networks/{public.pk}")[1]["network"]["status"] == "SNF:DRAINED"
    assert ann.post("floatingips", {"floatingip": {}})[0] == 409
    assert ann.post("floatingips", {"floatingip": {"floating_network_id": str(public.pk)}})[0] == 409
    ann.port(str(public.pk), fixed_ips=[{"ip_address": floating["floating_ip_address"]}])


def test_users_cannot_change_public_networks(ann: API) -> None:
    public = public_network()
    path = f"networks/{public.pk}"
    assert ann.get(path)[1]["network"]["shared"] is True
    assert ann.put(path, {"network": {"name": "x"}})[0] == 403
    assert ann.delete(path)[0] == 403
    assert ann.post(f"{path}/action", {"reassign": {"project": "team"}})[0] == 403
    assert ann.post("subnets", {"subnet": {"network_id": str(public.pk), "cidr": "2001:db8::/64", "ip_version": 6}})[0] == 403
    assert ann.put(f"{path}/tags/a", {})[0] == 403


def test_reassignment_moves_the_charge(ann: API, ledger: accounts.MemoryLedger) -> None:
    key = ann.network()
    path = f"networks/{key}/action"
    assert ann.post(path, {"reassign": {"project": "team"}}) == (200, None)
    assert (ledger.used("ann", NETWORK), ledger.used("ann", NETWORK, "team")) == (0, 1)
    assert ann.get(f"networks/{key}")[1]["network"]["project_id"] == "team"
    assert ann.post(path, {"reassign": {"project": "strangers"}})[0] == 400
    assert ann.post(path, {"reassign": {"project": "team", "shared_to_project": True}})[0] == 403
    bodies: list[Any] = [{}, {"reassign": {}}, {"reassign": 5}, {"destroy": {}}, {"reassign": {"project": "ann"}, "x": {}}]
    for body in bodies:
        assert ann.post(path, body)[0] == 400, body
    assert ledger.used("ann", NETWORK, "team") == 1


def test_lists_filter_sort_trim_and_page(ann: API, ledger: accounts.MemoryLedger) -> None:
    ledger.limit = 100
    keys = [ann.network(name=f"n{number % 3}") for number in range(12)]
    listed = ann.get("networks")[1]["networks"]
    assert [item["id"] for item in listed] == keys
    assert {item["id"] for item in ann.get("networks", name="n1")[1]["networks"]} == set(keys[1::3])
    assert len(ann.get("networks", name=["n1", "n2"])[1]["networks"]) == 8
    assert ann.get("networks", id=keys[3], fields=["id", "name"])[1] == {"networks": [{"id": keys[3], "name": "n0"}]}
    assert ann.get("networks", **{"router:external": "true"})[1] == {"networks": []}
    assert len(ann.get("networks", shared="False", admin_state_up="true")[1]["networks"]) == 12
    assert [item["name"] for item in ann.get("networks", sort_key="name", sort_dir="desc", limit=5)[1]["networks"]] == [
        "n2"] * 4 + ["n1"]
    seen: list[str] = []
    page = ann.get("networks", limit=5)[1]
    while True:
        seen += [item["id"] for item in page["networks"]]
        following = [link["href"] for link in page.get("networks_links", []) if link["rel"] == "next"]
        if not following:
            break
        query = dict(pair.split("=") for pair in following[0].split("?")[1].split("&"))
        page = ann.get("networks", **query)[1]
    assert seen == keys
    back = ann.get("networks", limit=5, marker=keys[6], page_reverse="true")[1]["networks"]
    assert [item["id"] for item in back] == keys[1:6]


@pytest.mark.parametrize("query", [
    {"colour": "red"}, {"limit": "0"}, {"limit": "x"}, {"marker": "x"}, {"marker": "99999999"}, {"sort_key": "nothing"},
    {"sort_key": "name", "sort_dir": "up"}, {"sort_key": "name", "sort_dir": ["asc", "asc"]}, {"shared": "maybe"},
    {"changes-since": "yesterday"}, {"changes-since": "2001-01-01T00:00:00Z"}, {"changes-since": "2999-01-01T00:00:00Z"},
    {"page_reverse": "x"}, {"name": "a\x00b"},
])
def test_bad_list_queries(ann: API, query: dict[str, Any]) -> None:
    ann.network()
    status, answer = ann.get("networks", **query)
    assert status == 400, answer
    assert answer["badRequest"]["code"] == 400


def test_changes_since_shows_deleted_ones(ann: API) -> None:
    started = timezone.now().isoformat()
    key = ann.network()
    ann.delete(f"networks/{key}")
    status, answer = ann.get("networks", **{"changes-since": started})
    assert (status, [(item["id"], item["deleted"]) for item in answer["networks"]]) == (200, [(key, True)])
    assert ann.get("networks", **{"changes-since": timezone.now().isoformat()}) == (304, None)


def test_tags(ann: API) -> None:
    key = ann.network()
    path = f"networks/{key}/tags"
    assert ann.put(path, {"tags": ["b", "a", "b"]}) == (200, {"tags": ["a", "b"]})
    assert ann.get(f"{path}/a")[0] == 204
    assert ann.put(f"{path}/c", {})[0] == 201
    assert ann.delete(f"{path}/a")[0] == 204
    assert ann.delete(f"{path}/a")[0] == 404
    assert ann.get(path) == (200, {"tags": ["b", "c"]})
    assert len(ann.get("networks", tags="b,c")[1]["networks"]) == 1
    assert ann.get("networks", **{"not-tags-any": "c"})[1]["networks"] == []
    assert ann.put(path, {"tags": ["x,y"]})[0] == 400
    assert ann.put(path, {"tags": [f"t{number}" for number in range(51)]})[0] == 400
    assert ann.put(path, {"tags": "x"})[0] == 400


BAD_BODIES: list[tuple[str, Any]] = [
    ("networks", "{"), ("networks", "[]"), ("networks", {}), ("networks", {"network": []}), ("networks", {"network": None}),
    ("networks", {"network": {"type": 5}}), ("networks", {"network": {"type": "NOPE"}}),
    ("networks", {"network": {"name": "x" * 129}}), ("networks", {"network": {"name": 5}}),
    ("networks", {"network": {"name": "a\x00"}}), ("networks", {"network": {"project": "strangers"}}),
    ("networks", {"network": {"shared_to_project": 0}}), ("networks", {"network": {}, "networks": [{}]}),
    ("networks", {"networks": []}), ("networks", {"networks": {}}), ("networks", {"networks": [5]}),
    ("subnets", {"subnet": {}}), ("subnets", {"subnet": {"network_id": "KEY"}}),
    ("subnets", {"subnet": {"network_id": "x", "cidr": "10.0.0.0/24"}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": 5}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.1/24"}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.0/24", "ip_version": "4"}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.0/24", "ip_version": True}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.0/24", "enable_dhcp": 0}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.0/24", "gateway_ip": 5}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.0/24", "allocation_pools": {}}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.0/24", "allocation_pools": [5]}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.0/24", "allocation_pools": [{"start": "10.0.0.2"}]}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.0/24", "allocation_pools": [{"start": "x", "end": "y"}]}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.0/24", "dns_nameservers": ["x"]}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.0/24", "host_routes": [{"destination": 5}]}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "10.0.0.0/24", "subnetpool_id": "5"}}),
    ("subnets", {"subnet": {"network_id": "KEY", "cidr": "2001:db8::/64", "ip_version": 6, "enable_slaac": "yes"}}),
    ("ports", {"port": {}}), ("ports", {"port": {"network_id": None}}), ("ports", {"port": {"network_id": "-1"}}),
    ("ports", {"port": {"network_id": "9" * 40}}), ("ports", {"port": {"network_id": "KEY", "device_id": "x"}}),
    ("ports", {"port": {"network_id": "KEY", "device_id": {}}}), ("ports", {"port": {"network_id": "KEY", "name": []}}),
    ("ports", {"port": {"network_id": "KEY", "security_groups": "default"}}),
    ("ports", {"port": {"network_id": "KEY", "security_groups": ["x"]}}),
    ("floatingips", {"floatingip": {"floating_network_id": "x"}}),
    ("floatingips", {"floatingip": {"floating_ip_address": "x"}}),
    ("floatingips", {"floatingip": {"floating_ip_address": 7}}),
    ("floatingips", {"floatingip": {"project": "strangers"}}),
]


@pytest.mark.parametrize(("collection", "body"), BAD_BODIES)
def test_bad_bodies_are_400_and_change_nothing(
    ann: API, ledger: accounts.MemoryLedger, collection: str, body: Any
) -> None:
    key = ann.network()
    if isinstance(body, dict):
        body = _with_key(body, key)
    status, answer = ann.post(collection, body)
    assert status == 400, answer
    assert answer["badRequest"]["code"] == 400
    assert (Network.objects.count(), Subnet.objects.count(), Port.objects.count(), IPAddress.objects.count()) == (1, 0, 0, 0)
    assert ledger.used("ann", NETWORK) == 1
    assert ledger.open == {}


def _with_key(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return {name: _with_key(inner, key) for name, inner in value.items()}
    return key if value == "KEY" else value


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "networks/x", 400), ("GET", "networks/-5", 400), ("GET", "networks/\uff11", 400), ("GET", "networks/" + "9" * 30, 400),
    ("GET", "networks/999", 404), ("GET", "subnets/999", 404), ("GET", "ports/999", 404), ("GET", "floatingips/999", 404),
    ("DELETE", "ports/999", 404), ("DELETE", "floatingips/a b", 400), ("PATCH", "networks", 405), ("PUT", "networks", 405),
    ("DELETE", "networks", 405), ("POST", "networks/1", 405), ("GET", "networks/1/action", 405), ("GET", "nowhere", 404),
    ("GET", "networks/1/2/3", 400), ("GET", "networks/1/action/x", 400), ("GET", "subnets/1/action", 400),
    ("POST", "routers", 501), ("GET", "routers", 200), ("GET", "routers/1", 404), ("PUT", "quotas/ann", 403),
    ("GET", "quotas/strangers", 403), ("POST", "security-groups", 403), ("GET", "security-groups/9", 404),
    ("GET", "security-groups/x", 400), ("GET", "extensions/nope", 404), ("GET", "agents", 200), ("GET", "agents/1", 404),
    ("GET", "network-ip-availabilities/999", 404),
])
def test_paths_and_methods(ann: API, method: str, path: str, status: int) -> None:
    body: Any = {} if method in {"POST", "PUT", "PATCH"} else None
    found, answer = ann.call(method, path, body)
    assert found == status, answer
    if status >= 400:
        fault = next(value for name, value in answer.items() if name != "NeutronError")
        assert fault["code"] == status


def test_wrong_methods_say_which_are_right(ann: API) -> None:
    answer = ann.client.delete("/cyclades/network/v2.0/networks", headers=ann.headers)
    assert answer.headers["Allow"] == "GET, POST, HEAD"


def test_bodies_must_be_json(ann: API) -> None:
    answer = ann.client.post("/cyclades/network/v2.0/networks", data="network=1", content_type="text/plain",
                             headers=ann.headers)
    assert answer.status_code == 400


def test_every_answer_is_private_and_has_a_request_id(ann: API) -> None:
    answer = ann.client.get("/cyclades/network/v2.0/networks.json", headers=ann.headers)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert answer.headers["Vary"] == "X-Auth-Token"
    assert answer.headers["X-Openstack-Request-Id"].startswith("req-")


def test_tokens_are_required_except_for_versions(ann: API) -> None:
    assert API("nobody").get("networks")[0] == 401
    assert ann.client.get("/cyclades/network/v2.0/networks").status_code == 401
    assert ann.client.get("/cyclades/network/v2.0/networks?X-Auth-Token=ann").status_code == 401
    versions = ann.client.get("/cyclades/network").json()
    assert versions["versions"][0]["links"][0]["href"].endswith("/network/v2.0/")
    collections = [item["collection"] for item in ann.client.get("/cyclades/network/v2.0").json()["resources"]]
    assert collections[:4] == ["networks", "subnets", "ports", "floatingips"]


def test_auxiliary_endpoints(ann: API) -> None:
    public = public_network("192.0.2.0/29")
    key = ann.network()
    assert ann.get("extensions/external-net")[1]["extension"]["alias"] == "external-net"
    quota = ann.get("quotas/ann")[1]["quota"]
    assert (quota["network"], quota["floatingip"], quota["subnet"], quota["router"]) == (3, 3, -1, 0)
    assert ann.get("quotas/ann/details.json")[1]["quota"]["network"] == {"limit": 3, "used": 1, "reserved": 0}
    assert ann.get("security-groups", name="default")[1]["security_groups"][0]["id"] == "1"
    assert len(ann.get("security-group-rules", security_group_id="3")[1]["security_group_rules"]) == 4
    ann.post("floatingips", {"floatingip": {}})
    shown = ann.get(f"network-ip-availabilities/{public.pk}")[1]["network_ip_availability"]
    assert (shown["total_ips"], shown["used_ips"]) == (5, 1)
    assert {item["network_id"] for item in ann.get("network-ip-availabilities")[1]["network_ip_availabilities"]} == {
        str(public.pk), key}


def test_listing_ports_costs_a_constant_number_of_queries(
    ann: API, ledger: accounts.MemoryLedger, django_assert_max_num_queries: Any
) -> None:
    key = ann.network()
    ann.subnet(key)
    for _ in range(30):
        ann.port(key)
    with django_assert_max_num_queries(2):
        assert len(ann.get("ports", network_id=key)[1]["ports"]) == 30
    with django_assert_max_num_queries(2):
        assert len(ann.get("networks")[1]["networks"]) == 1
    with django_assert_max_num_queries(2):
        assert len(ann.get("subnets")[1]["subnets"]) == 1
