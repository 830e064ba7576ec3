"""What wrong requests to the compute and image APIs get: a fault of the right name, never a crash, and nothing changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from synnefo.cyclades.models import KeyPair, Operation, Server
from tests.support.compute import (
    IMAGE_V1,
    IMAGE_V2,
    LEGACY,
    MODERN,
    PUBLIC_KEY,
    Person,
    fault,
    flavor,
    register_resources,
    server_row,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> Person:
    register_resources()
    return Person()


NOT_TEXTS: list[Any] = [None, 1, True, [], {}, "", "x" * 300, "a\0b", "\ud800"]
BODIES: list[Any] = [b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}", {}, {"server": None}, {"server": []},
                     {"server": "x"}, {"wrong": {}}]


def all_get(expected: tuple[int, str], answers: Iterable[tuple[Any, Any]]) -> None:
    """Each (what was sent, answer) is this refusal; tells of all that are not."""
    wrong = {}
    for sent, answer in answers:
        try:
            got: Any = fault(answer)
        except (ValueError, AssertionError, AttributeError, KeyError, TypeError):
            got = (answer.status_code, answer.content[:300])
        if got != expected:
            wrong[repr(sent)[:200]] = got
    assert not wrong


def test_bodies_that_are_none(ann: Person) -> None:
    paths = ("/servers", "/servers/1/action", "/servers/1/metadata", "/servers/1/metadata/k", "/os-keypairs")
    all_get((400, "badRequest"), (
        ((root, path, body), ann.send("PUT" if path.endswith("/k") else "POST", root + path, body))
        for root in (LEGACY, MODERN) for path in paths for body in BODIES))


def test_a_body_too_large(ann: Person) -> None:
    assert fault(ann("POST", "/servers", b" " * 600_000)) == (413, "overLimit")


def test_bodies_of_other_types(ann: Person) -> None:
    for kind in ("text/plain", "application/xml", ""):
        assert fault(ann("POST", "/servers", b'{"server":{}}', **{"content-type": kind})) == (400, "badRequest")


GOOD = {"name": "s", "imageRef": "i", "flavorRef": "1"}
WRONG_SERVERS: list[dict[str, Any]] = [
    *({**GOOD, "name": value} for value in NOT_TEXTS),
    *({**GOOD, "flavorRef": value} for value in (None, True, [], {}, 1.5)),
    *({**GOOD, "imageRef": value} for value in (True, [1], {"a": 1}, 1.5, None, "")),
    *({**GOOD, "metadata": value} for value in ([], "x", 1, {"k": []}, {"k": None}, {"k": 1.5}, {"": "v"}, {"k" * 51: "v"}, {"k": "v" * 501},
                                                 {f"k{i}": "v" for i in range(11)}, {"k": "\0"}, {"k": "\udc00"})),
    *({**GOOD, "adminPass": value} for value in (1, [], "short", "alllowercase1", "NOLOWER12345", "NoDigitsHere", "Aa1" * 100, "Aa1\0bbbbbbbb")),
    *({**GOOD, "personality": value} for value in (
        {}, "x", [1], [{}], [{"path": "/a"}], [{"contents": "YQ=="}], [{"path": "a", "contents": "YQ=="}], [{"path": "/../a", "contents": "YQ=="}],
        [{"path": "/a", "contents": "not base64!"}], [{"path": "/a", "contents": "YQ"}], [{"path": "/a", "contents": 1}],
        [{"path": "/a", "contents": "YQ==", "extra": 1}], [{"path": "/a", "contents": "YQ==", "mode": "x"}],
        [{"path": "/a", "contents": "YQ==", "mode": 8**5}], [{"path": "/a", "contents": "YQ==", "mode": True}],
        [{"path": "/a", "contents": "YQ==", "owner": "a b"}], [{"path": "/a\n", "contents": "YQ=="}], [{"path": "/", "contents": "YQ=="}])),
    *({**GOOD, "user_data": value} for value in (1, [], "!!!", "YQ", "\u0660")),
    *({**GOOD, "key_name": value} for value in (1, [], {}, "x" * 300)),
    *({**GOOD, "SNF:key_names": value} for value in (1, "x", {}, [1], [[]])),
    {**GOOD, "key_name": "a", "SNF:key_names": ["b"]},
    *({**GOOD, "networks": value} for value in (1, "x", {}, [1], [{}], [{"uuid": []}], [{"uuid": "1", "fixed_ip": 1}],
                                                [{"uuid": "1", "fixed_ip": "x"}], [{"port": {}}], [{}] * 65)),
    *({**GOOD, "block_device_mapping_v2": value} for value in (1, "x", {}, [1], [{}], [{"source_type": "blank"}], [{"source_type": "image"}],
                                                               [{"source_type": []}], [{"source_type": "image", "uuid": "other"}],
                                                               [{"source_type": "image", "uuid": "i"}] * 2,
                                                               [{"source_type": "image", "uuid": "i", "volume_size": "x"}],
                                                               [{"source_type": "image", "uuid": "i", "volume_size": []}])),
    *({**GOOD, "project": value} for value in (1, [], {}, "x" * 40)),
    *({**GOOD, "description": value} for value in (1, [1], "x" * 256)),
    *({**GOOD, key: value} for key in ("min_count", "max_count") for value in (2, 0, -1, [], {}, "x", None, 10**30)),
    *({**GOOD, "shared_to_project": value} for value in (1, "x", [])),
]


def test_servers_that_cannot_be(ann: Person) -> None:
    all_get((400, "badRequest"), (
        ((which, server), send("POST", "/servers", {"server": server}))
        for which, send in (("2.0", ann), ("2.1", ann.modern)) for server in WRONG_SERVERS))
    assert not Server.objects.exists()
    assert not Operation.objects.exists()


def test_unknown_members_of_a_server_are_refused_by_the_modern_api(ann: Person) -> None:
    answer = ann.modern("POST", "/servers", {"server": {**GOOD, "flavourRef": "1"}})
    assert fault(answer) == (400, "badRequest")
    assert "flavourRef" in answer.content.decode()


def test_files_too_many_or_too_large(ann: Person) -> None:
    file = {"path": "/a", "contents": "YQ=="}
    for files in ([file] * 6, [{"path": "/a", "contents": "A" * 20_000}], [{"path": "/a", "contents": "A" * 13_660}]):
        assert fault(ann("POST", "/servers", {"server": {**GOOD, "personality": files}})) == (413, "overLimit")


def test_unknown_flavors_images_and_keys(ann: Person) -> None:
    image, size = ann.image(), flavor()
    good = {"name": "s", "imageRef": image, "flavorRef": size.pk}
    for change in ({"flavorRef": 10**6}, {"flavorRef": "x"}, {"flavorRef": 10**30}, {"flavorRef": "²"}, {"imageRef": "x"}, {"imageRef": image[:-1] + "z"},
                   {"key_name": "nobody"}):
        assert fault(ann("POST", "/servers", {"server": {**good, **change}})) == (404, "itemNotFound")
    assert not Server.objects.exists()


def test_images_too_big_for_the_flavor_and_flavors_not_offered(ann: Person) -> None:
    image = ann.image()
    closed, private, gone = flavor(2, allow_create=False), flavor(3, public=False), flavor(4, deleted=True)
    for size, expected in ((closed, (403, "forbidden")), (private, (404, "itemNotFound")), (gone, (404, "itemNotFound"))):
        assert fault(ann("POST", "/servers", {"server": {"name": "s", "imageRef": image, "flavorRef": size.pk}})) == expected


def test_no_cluster_means_unavailable_and_nothing_remains(ann: Person) -> None:
    image, size = ann.image(), flavor()
    for send in (ann, ann.modern):
        assert fault(send("POST", "/servers", {"server": {"name": "s", "imageRef": image, "flavorRef": size.pk}})) == (503, "serviceUnavailable")
    assert not Server.objects.exists()


KEYS: list[Any] = [
    *({"name": value} for value in (None, 1, [], "", " ", "x" * 300, "a\0", "a\nb", "\u2028", "\ud800")),
    *({"name": "k", "public_key": value} for value in (1, [], {}, "", "x", "ssh-ed25519", "ssh-ed25519 !!", "ssh-rsa AAAA", PUBLIC_KEY[:40], "é" * 10,
                                                       "-----BEGIN OPENSSH PRIVATE KEY-----", PUBLIC_KEY + "\n" + PUBLIC_KEY, "A" * 40_000)),
    {"name": "k", "type": "x509"}, {"name": "k", "type": []},
]


def test_key_pairs_that_cannot_be(ann: Person) -> None:
    all_get((400, "badRequest"), ((key, send("POST", "/os-keypairs", {"keypair": key})) for send in (ann, ann.modern) for key in KEYS))
    assert not KeyPair.objects.exists()


ACTIONS: list[Any] = [
    {}, {"start": {}, "shutdown": {}}, {"fly": {}}, {"start": 1}, {"start": "x"}, {"start": []}, {"reboot": {"type": "x"}}, {"reboot": {"type": []}},
    {"reboot": {"type": {}}}, {"resize": {}}, {"resize": None}, {"resize": {"flavorRef": []}}, {"resize": {"flavorRef": None}}, {"console": {}},
    {"console": {"type": "x"}}, {"console": {"type": []}}, {"os-getVNCConsole": {"type": "x"}}, {"os-getVNCConsole": {}}, {"os-getVNCConsole": {"type": []}},
    {"delete": {}}, {"": {}},
]


def test_actions_that_cannot_be(ann: Person) -> None:
    path = f"/servers/{server_row(ann).pk}/action"
    all_get((400, "badRequest"), ((action, send("POST", path, action)) for send in (ann, ann.modern) for action in ACTIONS))
    assert not Operation.objects.exists()


NOT_FOR_USERS: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"changePassword": {"adminPass": "x"}}, (501, "notImplemented")), ({"rebuild": {}}, (501, "notImplemented")),
    ({"os-getConsoleOutput": {}}, (501, "notImplemented")), ({"os-getSPICEConsole": {"type": "x"}}, (501, "notImplemented")),
    ({"suspend": {}}, (403, "forbidden")), ({"suspend": None}, (403, "forbidden")), ({"resize": {"flavorRef": "77"}}, (404, "itemNotFound")),
]


def test_actions_that_are_not_for_users(ann: Person) -> None:
    path = f"/servers/{server_row(ann).pk}/action"
    for action, expected in NOT_FOR_USERS:
        assert fault(ann("POST", path, action)) == expected, action


IDS = ["0", "-1", "9" * 18, "9" * 19, "9" * 400, "x", "²", "1.5", "%00", "1%00", "%2e%2e", "%ff", "é", "1%20"]


def test_ids_of_nothing(ann: Person) -> None:
    for number in IDS:
        _check_id(ann, number)


def _check_id(ann: Person, number: str) -> None:
    for root in (LEGACY, MODERN):
        for method, tail in (("GET", ""), ("DELETE", ""), ("GET", "/ips"), ("GET", "/ips/1"), ("GET", "/metadata"), ("GET", "/metadata/k"),
                             ("GET", "/diagnostics"), ("GET", "/os-volume_attachments"), ("GET", "/os-interface")):
            status, _ = fault(_raw(ann, method, f"{root}/servers/{number}{tail}"))
            assert status in {400, 404}
        for path in (f"/flavors/{number}", f"/flavors/{number}/os-extra_specs", f"/images/{number}", f"/os-keypairs/{number}"):
            assert fault(_raw(ann, "GET", root + path))[0] in {400, 404}
    for root in (IMAGE_V1, IMAGE_V2):
        for method in ("HEAD", "DELETE") if root == IMAGE_V1 else ("GET", "DELETE"):
            assert _raw(ann, method, f"{root}/images/{number}").status_code in {400, 404}
        assert fault(_raw(ann, "GET", f"{root}/images/{number}/members"))[0] in {400, 404}


def _raw(person: Person, method: str, url: str) -> Any:
    """With the path decoded as a server does it."""
    from urllib.parse import unquote

    return person.send(method, unquote(url))


TIMES_THAT_ARE_NO_POINT_TO_LOOK_BACK_TO = [
    "changes-since=x", "changes-since=2020-01-01", "changes-since=2020-01-01T00:00:00", "changes-since=2020-01-01T00:00:00Z",
    "changes-since=2999-01-01T00:00:00Z", "changes-since=9999-99-99T00:00:00Z", "changes-since=0001-01-01T00:00:00%2B14:00",
]


def test_times_that_are_no_point_to_look_back_to(ann: Person) -> None:
    all_get((400, "badRequest"), ((query, ann("GET", f"/servers?{query}")) for query in TIMES_THAT_ARE_NO_POINT_TO_LOOK_BACK_TO))


QUERIES_THAT_MAKE_NO_SENSE = [
    "limit=-1", "limit=x", "limit=%C2%B2", f"limit={'9' * 30}", "marker=x", "marker=9", f"marker={'9' * 30}", "marker=%C2%B2", "name=%5B", "name=(", "name=%00",
    "name=(a%2B)%2Bb", "name=" + "a%3F" * 40 + "a" * 40, "name=" + "x" * 400, "name=(%3F%3Da)", "sort_key=nope", "sort_dir=up", "changes-since=0001-01-01T00:00:00%2B14:00",
    "image=%00", "flavor=%00", "format=xml",
]


def test_queries_that_make_no_sense(ann: Person) -> None:
    server_row(ann, name="a" * 200)
    all_get((400, "badRequest"), ((query, ann.modern("GET", f"/servers{path}?{query}")) for path in ("", "/detail") for query in QUERIES_THAT_MAKE_NO_SENSE))


QUERIES_THAT_FIND_NOTHING_OR_ARE_EMPTY = [
    "status=nope", f"flavor={'9' * 30}", "flavor=%C2%B2", "flavor=x", "image=x", "name=nobody", "status=", "image=", "flavor=0",
]


def test_queries_that_find_nothing_or_are_empty(ann: Person) -> None:
    for query in QUERIES_THAT_FIND_NOTHING_OR_ARE_EMPTY:
        answer = ann.modern("GET", f"/servers/detail?{query}")
        assert (answer.status_code, answer.json()) == (200, {"servers": []}), query


QUERIES_ON_FLAVORS_THAT_MAKE_NO_SENSE = ["minRam=x", "minRam=-1", "minDisk=%C2%B2", f"minDisk={'9' * 30}", "marker=77", "limit=x"]


def test_queries_on_flavors_that_make_no_sense(ann: Person) -> None:
    all_get((400, "badRequest"), ((query, ann.modern("GET", f"/flavors/detail?{query}")) for query in QUERIES_ON_FLAVORS_THAT_MAKE_NO_SENSE))


VERSIONS = [
    ("compute 2.57", 406), ("compute 3.1", 406), ("compute 2.0", 406), ("compute x", 400), ("compute 2", 400), ("compute 2.1.1", 400), ("compute 02.1", 400),
    ("compute ", 200), ("volume 3.50", 200), ("compute latest", 200), ("compute 2.56, volume 3", 200), ("COMPUTE 2.30", 200), ("compute 2.99999", 400),
]


def test_versions_of_the_api(ann: Person) -> None:
    for header, status in VERSIONS:
        answer = ann.modern("GET", "/servers", OpenStack_API_Version=header)
        assert answer.status_code == status, header
        if status == 406:
            assert answer.json()["computeFault"]["code"] == 406
    assert ann.modern("GET", "/servers", version="latest")["OpenStack-API-Version"] == "compute 2.56"
    assert ann.modern("GET", "/servers")["X-OpenStack-Nova-API-Version"] == "2.1"


ROOTS = (LEGACY, MODERN, IMAGE_V1, IMAGE_V2)


def test_paths_and_methods_that_are_not_there(ann: Person) -> None:
    for root in ROOTS:
        unknown = (404, "itemNotFound") if root in {MODERN, IMAGE_V2} else (400, "badRequest")
        assert fault(ann.send("GET", f"{root}/nothing")) == unknown
        answer = ann.send("PATCH", f"{root}/images" if "/image/" in root else f"{root}/servers")
        assert fault(answer) == (405, "notAllowed")
        assert "GET" in answer["Allow"]


def test_without_a_good_token(ann: Person) -> None:
    calls = (("GET", "/images"), ("GET", "/servers"), ("GET", "/nothing"), ("POST", "/servers"), ("POST", "/images"), ("PATCH", "/images"))
    all_get((401, "unauthorized"), (
        ((root, call, token), ann.send(call[0], root + call[1], b"{", **{"X-Auth-Token": token}))
        for root in ROOTS for call in calls for token in ("", "wrong", "x" * 5000, "é")))


WRONG_IMAGES: list[dict[str, str]] = [
    {}, {"name": "n"}, {"location": "pithos://u/c/o"}, {"name": "", "location": "pithos://u/c/o"}, {"name": "n", "location": "x"},
    {"name": "n", "location": "http://u/c/o"}, {"name": "n", "location": "pithos://u/c"}, {"name": "n", "location": "pithos://u/c/"},
    {"name": "n", "location": "pithos:///c/o"}, {"name": "n" * 300, "location": "pithos://u/c/o"}, {"name": "%00", "location": "pithos://u/c/o"},
    {"name": "%ff", "location": "pithos://u/c/o"}, {"name": "n", "location": "pithos://u/c/%00"},
    *({"name": "n", "location": "OWN", key: value} for key, value in (
        ("disk-format", "iso"), ("container-format", "tar"), ("store", "file"), ("size", "7"), ("size", "x"), ("checksum", "ab"), ("id", "x"),
        ("colour", "red"), ("property-a", "%00"), ("description", "x" * 5000), ("description", "%00"), ("property-" + "k" * 112, "v"),
        ("property-k", "v" * 4097))),
    {"name": "n", "location": "OWN"} | {f"property-k{index}": "v" for index in range(40)},
]


def test_images_that_cannot_be(ann: Person) -> None:
    own = ann.upload()
    all_get((400, "badRequest"), (
        (fields, ann.send("POST", f"{IMAGE_V1}/images", **{f"x-image-meta-{key}": own if value == "OWN" else value for key, value in fields.items()}))
        for fields in WRONG_IMAGES))
    assert ann.send("GET", f"{IMAGE_V1}/images").json() == {"images": []}


def test_images_of_files_that_are_not_there_or_not_mine(ann: Person) -> None:
    bob = Person("bob")
    for location in (f"pithos://{ann.uuid}/images/nothing", f"pithos://{ann.uuid}/nothing/x", bob.upload(), "pithos://[/c/o", "pithos://nobody/c/o"):
        answer = ann.send("POST", f"{IMAGE_V1}/images", **{"x-image-meta-name": "n", "x-image-meta-location": location})
        assert fault(answer) == (404, "itemNotFound")


WRONG_V2_IMAGES: list[Any] = [
    b"", b"[]", {"name": 1, "location": "x"}, {"name": "n", "location": "x"}, {"name": "n", "location": "pithos://a/b/c", "a": 1},
    {"name": "n", "location": "pithos://a/b/c", "disk_format": []}, {"name": "n", "location": "pithos://a/b/c", "disk_format": "iso"},
    {"name": "n", "location": "pithos://a/b/c", "container_format": {}}, {"name": "\ud800", "location": "pithos://a/b/c"},
    {"name": "n", "location": "pithos://a/b/c", "visibility": "community"}, {"name": "n", "location": "pithos://a/b/\0"},
]


def test_v2_images_that_cannot_be(ann: Person) -> None:
    all_get((400, "badRequest"), ((body, ann.send("POST", f"{IMAGE_V2}/images", body)) for body in WRONG_V2_IMAGES))
    assert fault(ann.send("POST", f"{IMAGE_V2}/images", {"name": "n"})) == (501, "notImplemented")


QUERIES_ON_IMAGES_THAT_MAKE_NO_SENSE = ["limit=x", "limit=-1", "marker=x", "limit=%C2%B2", "sort=x:up", "sort_key=nope", "sort_dir=up", "size_min=x"]


def test_queries_on_images_that_make_no_sense(ann: Person) -> None:
    all_get((400, "badRequest"), ((query, ann.send("GET", f"{IMAGE_V2}/images?{query}")) for query in QUERIES_ON_IMAGES_THAT_MAKE_NO_SENSE))


QUERIES_ON_V1_IMAGES_THAT_MAKE_NO_SENSE = ["sort_key=nope", "sort_dir=up", "size_min=x", "size_max=-1", "size_min=%C2%B2"]


def test_queries_on_v1_images_that_make_no_sense(ann: Person) -> None:
    all_get((400, "badRequest"), ((query, ann.send("GET", f"{IMAGE_V1}/images/detail?{query}")) for query in QUERIES_ON_V1_IMAGES_THAT_MAKE_NO_SENSE))


WRONG_MEMBERS: list[Any] = [b"", {}, {"memberships": 1}, {"memberships": [1]}, {"memberships": [{}]}, {"memberships": [{"member_id": 1}]},
                                  {"memberships": [{"member_id": "\0"}]}, {"memberships": [{"member_id": ""}]}]


def test_members_that_cannot_be(ann: Person) -> None:
    image = ann.image()
    all_get((400, "badRequest"), ((body, ann.send("PUT", f"{IMAGE_V1}/images/{image}/members", body)) for body in WRONG_MEMBERS))
    assert ann.send("GET", f"{IMAGE_V1}/images/{image}/members").json() == {"members": []}


def test_vmapi_tells_nothing_to_those_who_guess(ann: Person) -> None:
    for name in ("x", "0" * 36, "\0" * 36, "é", "a" * 500):
        assert fault(ann.send("GET", f"/cyclades/vmapi/v1.0/server-params/{name}")) == (404, "itemNotFound")
    assert fault(ann.send("POST", f"/cyclades/vmapi/v1.0/server-params/{'0' * 36}")) == (405, "notAllowed")
