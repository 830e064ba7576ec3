"""Whatever is sent to the network API, it is never the server's fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synnefo.common import ports as common_ports
from tests.support import accounts
from tests.support.networks import API, mac_prefix_pool, public_network

pytestmark = pytest.mark.django_db(transaction=True)
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

COLLECTIONS = {"networks": "network", "subnets": "subnet", "ports": "port", "floatingips": "floatingip"}
KEYS = st.sampled_from([
    "name", "type", "network_id", "cidr", "ip_version", "gateway_ip", "enable_dhcp", "enable_slaac", "allocation_pools",
    "dns_nameservers", "host_routes", "device_id", "fixed_ips", "security_groups", "floating_network_id",
    "floating_ip_address", "port_id", "project", "project_id", "shared_to_project", "description", "tags", "start", "end",
    "ip_address", "subnet_id", "destination", "nexthop", "reassign", "router:external", "provider:network_type", "port",
    "network", "subnet", "floatingip", "networks", "ipv6_ra_mode", "ipv6_address_mode", "subnetpool_id",
])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 10), st.integers(), st.floats(allow_nan=False), st.text(max_size=20),
    st.sampled_from(["MAC_FILTERED", "10.0.0.0/24", "10.0.0.0/33", "2001:db8::/64", "10.0.0.5", "::1", "1", "2", "9" * 30, "",
                     "\x00", "ann", "slaac", "𝛀" * 200, "10.0.0.1/24", "0.0.0.0/0", "255.255.255.255/32"]),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)


@pytest.fixture(scope="module")
def _providers() -> Iterator[None]:
    before = dict(common_ports._providers)
    accounts.provide(accounts.caller("ann", "team"), limit=10**6)
    yield
    common_ports._providers.clear()
    common_ports._providers.update(before)


@pytest.fixture
def ann(_providers: None) -> API:
    mac_prefix_pool(4096)
    public_network("192.0.2.0/24")
    api = API("ann")
    key = api.network()
    api.subnet(key)
    api.port(key)
    return api


def _check(status: int, answer: Any) -> None:
    assert status < 500 or status in {501, 503}, answer
    if status >= 400:
        assert next(value for name, value in answer.items() if name != "NeutronError")["code"] == status


@SETTINGS
@given(collection=st.sampled_from(sorted(COLLECTIONS)), attributes=st.dictionaries(KEYS, VALUES, max_size=6), bulk=st.booleans())
def test_creation(ann: API, collection: str, attributes: dict[str, Any], bulk: bool) -> None:
    body = {collection: [attributes]} if bulk else {COLLECTIONS[collection]: attributes}
    _check(*ann.post(collection, body))


@SETTINGS
@given(collection=st.sampled_from(sorted(COLLECTIONS)), key=st.integers(1, 3),
       suffix=st.sampled_from(["", "/action", "/tags", "/tags/x"]), method=st.sampled_from(["PUT", "POST"]), body=VALUES)
def test_changes(ann: API, collection: str, key: int, suffix: str, method: str, body: Any) -> None:
    wrapped = {COLLECTIONS[collection]: body} if not suffix else body
    _check(*ann.call(method, f"{collection}/{key}{suffix}", json.dumps(wrapped)))


@SETTINGS
@given(collection=st.sampled_from([*sorted(COLLECTIONS), "security-groups", "network-ip-availabilities", "quotas/ann"]),
       query=st.dictionaries(
           st.one_of(KEYS, st.sampled_from(["limit", "marker", "page_reverse", "sort_key", "sort_dir", "fields", "id", "status",
                                            "changes-since", "deleted", "tags", "not-tags-any", "device_id", "mac_address"])),
           st.one_of(st.text(max_size=10), st.sampled_from(["1", "true", "id", "asc", "ip_address=10.0.0.1", "subnet_id="])),
           max_size=4))
def test_lists(ann: API, collection: str, query: dict[str, str]) -> None:
    status, answer = ann.call("GET", collection, **query) if "path" not in query else (200, {})
    _check(status, answer)


@SETTINGS
@given(path=st.lists(st.one_of(st.sampled_from([*COLLECTIONS, "1", "tags", "action", "detail", "extensions", "quotas", "agents"]),
                               st.text(st.characters(exclude_characters="/?#\r\n", exclude_categories=["Cs", "Cc"]), max_size=8)),
                     min_size=1, max_size=5),
       method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]), body=st.binary(max_size=20))
def test_paths(ann: API, path: list[str], method: str, body: bytes) -> None:
    answer = ann.client.generic(method, f"/cyclades/network/v2.0/{'/'.join(path)}", body, "application/json",
                                headers=ann.headers)
    assert answer.status_code < 500 or answer.status_code == 501
