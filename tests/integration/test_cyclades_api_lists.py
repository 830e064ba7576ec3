"""Lists of servers: what they cost, whom they show, and how they are cut into pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from synnefo.cyclades.models import IPAddress, Network, Port, Server, ServerDiagnostic, ServerMetadata, Subnet, Volume
from tests.support.compute import MODERN, Person, fault, register_resources, server_row

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> Person:
    register_resources()
    return Person()


def _full(owner: Person, name: str, number: int) -> Server:
    """A server with a disk, metadata, a port, an address and two diagnostics."""
    server = server_row(owner, name=name)
    network = Network.objects.first() or Network.objects.create(name="net", flavor="MAC_FILTERED", user_id=owner.uuid, project_id=owner.uuid)
    subnet = Subnet.objects.first() or Subnet.objects.create(network=network, cidr="10.0.0.0/24", ip_version=4, user_id=owner.uuid)
    port = Port.objects.create(user_id=owner.uuid, server=server, network=network, index=0, state="ACTIVE", mac=f"aa:00:00:00:00:{number:02x}")
    IPAddress.objects.create(subnet=subnet, network=network, port=port, user_id=owner.uuid, project_id=owner.uuid, address=f"10.0.0.{number}", ip_version=4)
    Volume.objects.create(user_id=owner.uuid, project_id=owner.uuid, size=2, volume_type=server.flavor.volume_type, server=server, index=0, status="IN_USE")
    ServerMetadata.objects.create(server=server, key="OS", value="debian")
    for message in ("older", "newer"):
        ServerDiagnostic.objects.create(server=server, level="INFO", source="test", message=message)
    return server


@pytest.mark.parametrize("modern", [False, True])
def test_a_detailed_list_takes_as_many_queries_for_many_servers(ann: Person, django_assert_max_num_queries: Any, *, modern: bool) -> None:
    for number in range(1, 31):
        _full(ann, f"s{number}", number)
    with django_assert_max_num_queries(11):  # token and projects 4, servers, metadata, disks, diagnostics, ports, addresses
        answer = ann.modern("GET", "/servers/detail") if modern else ann("GET", "/servers/detail")
    shown = answer.json()["servers"]
    assert len(shown) == 30
    assert all(server["metadata"] == {"OS": "debian"} for server in shown)
    if not modern:
        assert all([item["message"] for item in server["diagnostics"]] == ["newer"] for server in shown)
        assert sorted(item["ipv4"] for server in shown for item in server["attachments"]) == sorted(f"10.0.0.{number}" for number in range(1, 31))


def test_pages_of_the_modern_api_show_every_server_once(ann: Person) -> None:
    expected = {str(server_row(ann, name=f"s{number}").pk) for number in range(7)}
    path, seen = "/servers?limit=3", []
    for _ in range(4):
        body = ann.modern("GET", path).json()
        seen += [server["id"] for server in body["servers"]]
        following = [link["href"] for link in body.get("servers_links", []) if link["rel"] == "next"]
        if not following:
            break
        parts = urlsplit(following[0])
        path = f"{parts.path.removeprefix(MODERN)}?{parts.query}"
    assert len(seen) == 7
    assert set(seen) == expected


def test_servers_are_sorted_as_asked(ann: Person) -> None:
    for name in ("b", "c", "a"):
        server_row(ann, name=name)
    for direction, expected in (("asc", ["a", "b", "c"]), ("desc", ["c", "b", "a"])):
        answer = ann.modern("GET", f"/servers?sort_key=display_name&sort_dir={direction}")
        assert [server["name"] for server in answer.json()["servers"]] == expected


def test_filters_by_name_and_status(ann: Person) -> None:
    for name, state in (("web1", "STARTED"), ("web2", "STOPPED"), ("db", "STARTED")):
        server_row(ann, name=name, operstate=state)
    for query, expected in (("name=web", {"web1", "web2"}), ("status=SHUTOFF", {"web2"}), ("name=web&status=ACTIVE", {"web1"}), ("status=ERROR", set())):
        assert {server["name"] for server in ann.modern("GET", f"/servers?{query}").json()["servers"]} == expected, query


def test_nobody_sees_servers_of_others(ann: Person) -> None:
    bob = Person("bob")
    own, foreign = server_row(ann, name="own"), server_row(bob, name="foreign")
    for path in ("/servers", "/servers/detail"):
        assert [server["name"] for server in ann("GET", path).json()["servers"]] == ["own"]
        assert [server["name"] for server in ann.modern("GET", path).json()["servers"]] == ["own"]
    assert ann("GET", f"/servers/{own.pk}").status_code == 200
    assert fault(ann("GET", f"/servers/{foreign.pk}")) == fault(ann("GET", "/servers/999999"))
    assert fault(ann("DELETE", f"/servers/{foreign.pk}"))[0] == 404
