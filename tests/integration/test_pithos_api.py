"""The object store over HTTP: containers, objects, block uploads, ranges, versions, quota, other users."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from synnefo.astakos.services import projects, resources
from synnefo.pithos.adapters.file_blocks import FileBlocks
from synnefo.pithos.hashing import EMPTY
from synnefo.pithos.services import blocks
from tests.support.pithos import Account, content, register_resources, usage

BLOCK = 4 * 2**20
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(tmp_path: Path, settings_override: Any) -> Account:
    settings_override(PITHOS_BACKEND_BLOCK_PATH=str(tmp_path))
    register_resources()
    made = Account()
    assert made("PUT", "/box").status_code == 201
    return made


def test_an_object_comes_back_as_it_was_stored(account: Account) -> None:
    data = bytes(range(256)) * 40_000
    stored = account("PUT", "/box/a%20folder//file.bin", data, content_type="application/x-thing", x_object_meta_colour_name="bl%C3%BCe")
    assert stored.status_code == 201
    assert stored["ETag"] == hashlib.md5(data).hexdigest()

    read = account("GET", "/box/a%20folder//file.bin")
    assert (read.status_code, content(read)) == (200, data)
    assert read["Content-Type"] == "application/x-thing"
    assert read["X-Object-Meta-Colour-Name"] == "bl%C3%BCe"
    assert read["Content-Length"] == str(len(data))
    head = account("HEAD", "/box/a%20folder//file.bin")
    assert (head["X-Object-Hash"], head["Content-Length"]) == (stored["X-Object-Hash"], str(len(data)))
    assert usage(account) == len(data)


def test_names_are_taken_verbatim(account: Account) -> None:
    for name in ("a//b", "/lead", "trail/", "..", "a/../b", "%25", "é"):
        path = f"/box/{name}" if name != "é" else "/box/%C3%A9"
        assert account("PUT", path, name.encode()).status_code == 201, name
    names = {item["name"] for item in account("GET", "/box?format=json").json()}
    assert names == {"a//b", "/lead", "trail/", "..", "a/../b", "%", "é"}


def test_an_upload_by_hashes_names_what_is_missing_and_sends_it_once(account: Account) -> None:
    data = b"x" * BLOCK + b"y" * 100
    hashes = [hashlib.sha256(b"x" * BLOCK).hexdigest(), hashlib.sha256(b"y" * 100).hexdigest()]
    body = json.dumps({"bytes": len(data), "hashes": hashes}).encode()
    first = account("PUT", "/box/big?hashmap&format=json", body, content_type="application/json")
    assert (first.status_code, first.json()) == (409, hashes)
    sent = account("POST", "/box?update", data, content_type="application/octet-stream")
    assert (sent.status_code, sent.content.decode().split()) == (202, hashes)
    assert account("PUT", "/box/big?hashmap&format=json", body, content_type="application/json").status_code == 201
    assert content(account("GET", "/box/big")) == data
    again = account("GET", "/box/big?hashmap&format=json").json()
    assert again == {"block_hash": "sha256", "block_size": BLOCK, "bytes": len(data), "hashes": hashes}
    assert account("PUT", "/box/copy?hashmap", body, content_type="application/json").status_code == 201
    assert usage(account) == 2 * len(data)


def test_the_hash_of_anothers_block_does_not_give_its_content(account: Account) -> None:
    account("PUT", "/box/secret", b"secret")
    stranger = Account()
    stranger("PUT", "/mine")
    digest = hashlib.sha256(b"secret").hexdigest()
    body = json.dumps({"bytes": 6, "hashes": [digest]}).encode()
    assert stranger("PUT", "/mine/stolen?hashmap", body, content_type="application/json").json() == [digest]


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'{"bytes": 1}', b'{"bytes": -1, "hashes": []}', b'{"bytes": true, "hashes": []}', b'{"bytes": 5, "hashes": []}',
    b'{"bytes": 1, "hashes": ["zz"]}', b'{"bytes": 1, "hashes": [5]}', b'{"bytes": 1, "hashes": "x"}', b'{"bytes": 99999999999999999999, "hashes": []}',
    json.dumps({"bytes": 1, "hashes": [EMPTY], "block_size": 1}).encode(), b"[" * 100_000,
])
def test_a_bad_hashmap_is_refused_and_changes_nothing(account: Account, body: bytes) -> None:
    refused = account("PUT", "/box/bad?hashmap", body, content_type="application/json")
    assert refused.status_code == 400
    assert "badRequest" in refused.json()
    assert account("HEAD", "/box/bad").status_code == 404
    assert usage(account) == 0


@pytest.mark.parametrize(("header", "status", "expected"), [
    ("bytes=0-3", 206, b"0123"), ("bytes=5-", 206, b"56789"), ("bytes=-3", 206, b"789"), ("bytes=8-100", 206, b"89"), ("bytes=-100", 206, b"0123456789"),
    ("bytes=3-1", 200, b"0123456789"), ("lines=1-2", 200, b"0123456789"), ("bytes=-", 200, b"0123456789"), ("bytes=x-y", 200, b"0123456789"),
    ("bytes=10-", 416, None), ("bytes=-0", 416, None),
])
def test_ranges(account: Account, header: str, status: int, expected: bytes | None) -> None:
    account("PUT", "/box/digits", b"0123456789")
    read = account("GET", "/box/digits", range=header)
    assert read.status_code == status
    if expected is not None:
        assert content(read) == expected


def test_several_ranges_come_as_parts_in_the_order_asked(account: Account) -> None:
    account("PUT", "/box/digits", b"0123456789")
    read = account("GET", "/box/digits", range="bytes=8-9,0-1")
    body = content(read)
    assert read.status_code == 206
    assert body.index(b"\r\n\r\n89") < body.index(b"\r\n\r\n01")
    assert int(read["Content-Length"]) == len(body)


def test_conditions(account: Account) -> None:
    etag = account("PUT", "/box/it", b"one")["ETag"]
    assert account("PUT", "/box/it", b"two", if_none_match="*").status_code == 412
    assert account("PUT", "/box/it", b"two", if_match='"nonsense"').status_code == 412
    assert account("GET", "/box/it", if_none_match=etag).status_code == 304
    assert content(account("GET", "/box/it")) == b"one"
    assert account("PUT", "/box/it", b"two", if_match=etag).status_code == 201


def test_a_wrong_checksum_makes_no_version(account: Account) -> None:
    refused = account("PUT", "/box/it", b"one", etag="0" * 32)
    assert refused.status_code == 422
    assert account("HEAD", "/box/it").status_code == 404
    assert usage(account) == 0


def test_versions_are_kept_and_survive_deletion(account: Account) -> None:
    first = account("PUT", "/box/it", b"one")["X-Object-Version"]
    second = account("PUT", "/box/it", b"second")["X-Object-Version"]
    assert account("DELETE", "/box/it").status_code == 204
    assert account("GET", "/box/it").status_code == 404
    assert content(account("GET", f"/box/it?version={first}")) == b"one"
    listed = [row[0] for row in account("GET", "/box/it?version=list").json()["versions"]]
    assert listed == [int(first), int(second)]
    assert account("GET", "/box/it?version=999999999999999999999999").status_code == 404
    assert usage(account) == 0


def test_listings_fold_page_and_filter(account: Account) -> None:
    for name in ("a", "b/1", "b/2", "b/c/3", "d"):
        account("PUT", f"/box/{name}", b"")
    assert account("GET", "/box").content == b"a\nb/1\nb/2\nb/c/3\nd\n"
    assert account("GET", "/box?delimiter=/").content == b"a\nb/\nd\n"
    assert account("GET", "/box?delimiter=/&prefix=b").content == b"b/1\nb/2\nb/c/\n"
    assert account("GET", "/box?limit=2&marker=b/1").content == b"b/2\nb/c/3\n"
    assert account("GET", "/box?delimiter=/&limit=2").content == b"a\nb/\n"
    assert account("GET", "/box?delimiter=/&marker=b/").content == b"d\n"
    assert account("GET", "/box?path=b").content == b"b/1\nb/2\n"
    assert [row.get("name") or row["subdir"] for row in account("GET", "/box?format=json&delimiter=/").json()] == ["a", "b/", "d"]
    assert account("GET", "/box?prefix=zzz").status_code == 204
    for limit in ("x", "0", "-1", "9" * 40):
        assert account("GET", f"/box?limit={limit}").content == b"a\nb/1\nb/2\nb/c/3\nd\n"
    assert account("GET", "/box?marker=%00").status_code == 400


def test_append_and_overwrite(account: Account) -> None:
    account("PUT", "/box/it", b"hello world")
    assert account("POST", "/box/it?update", b"WORLD", content_range="bytes 6-10/*", content_type="application/octet-stream").status_code == 204
    assert account("POST", "/box/it?update", b"!", content_range="bytes */*", content_type="application/octet-stream").status_code == 204
    assert content(account("GET", "/box/it")) == b"hello WORLD!"
    assert usage(account) == 12


def test_metadata_is_merged_or_replaced(account: Account) -> None:
    account("PUT", "/box/it", b"x", x_object_meta_a="1", x_object_meta_b="2")
    account("POST", "/box/it?update", x_object_meta_b="3")
    head = account("HEAD", "/box/it")
    assert (head["X-Object-Meta-A"], head["X-Object-Meta-B"]) == ("1", "3")
    account("POST", "/box/it", x_object_meta_c="4")
    head = account("HEAD", "/box/it")
    assert ("X-Object-Meta-A" in head, head["X-Object-Meta-C"]) == (False, "4")


def test_nothing_is_stored_over_the_quota(account: Account) -> None:
    resource = resources.get_resource("pithos.diskspace")
    with transaction.atomic():
        projects.set_base_quota(account.user, resource, 10)
    assert account("PUT", "/box/small", b"0123456789").status_code == 201
    refused = account("PUT", "/box/more", b"x")
    assert refused.status_code == 413
    assert refused.json()["overLimit"]["data"]["name"] == "NoCapacityError"
    assert account("HEAD", "/box/more").status_code == 404
    assert usage(account) == 10


def test_a_stranger_learns_nothing(account: Account) -> None:
    account("PUT", "/box/mine", b"secret")
    stranger = Account()
    for method, path in (("GET", "/box/mine"), ("HEAD", "/box/mine"), ("GET", "/box"), ("PUT", "/box/new"), ("DELETE", "/box/mine"), ("GET", "/none/x"),
                         ("PUT", "/new"), ("POST", "/box"), ("GET", "")):
        answer = stranger.client.generic(method, f"{account.root}{path}", b"", content_type="text/plain", HTTP_X_AUTH_TOKEN=stranger.token, CONTENT_LENGTH="0", CONTENT_TYPE="text/plain")
        assert answer.status_code == 403, (method, path)
    anonymous = Client().get(f"{account.root}/box/mine")
    assert anonymous.status_code == 401


def test_a_container_must_be_empty_to_go(account: Account) -> None:
    account("PUT", "/box/it", b"x")
    assert account("DELETE", "/box").status_code == 409
    assert account("DELETE", "/box?delimiter=/").status_code == 204
    assert usage(account) == 0
    assert account("DELETE", "/box").status_code == 204
    assert account("HEAD", "/box").status_code == 404


def test_wrong_methods_and_paths_get_faults(account: Account) -> None:
    assert account("PATCH", "/box").status_code == 405
    assert "GET" in account("PATCH", "/box/it")["Allow"]
    assert account("PUT", "/" + "c" * 257).status_code == 400
    assert account("PUT", "/box/" + "o" * 1025, b"").status_code == 400
    assert account("GET", "/box?format=xml").status_code == 400


def test_a_full_disk_stores_nothing_and_says_so(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    refused = account("PUT", "/box/it", b"data")
    monkeypatch.undo()
    assert refused.status_code == 503
    assert account("HEAD", "/box/it").status_code == 404
    assert usage(account) == 0


def test_blocks_lie_where_the_node_looks_for_them(account: Account, tmp_path: Path) -> None:
    account("PUT", "/box/it", b"hello\0\0")
    name = hashlib.sha256(b"hello").hexdigest()
    assert (tmp_path / "blocks" / name[0:2] / name[2:4] / name[4:6] / name).read_bytes() == b"hello"
    store = blocks.store()
    assert isinstance(store, FileBlocks)
    assert content(account("GET", "/box/it")) == b"hello\0\0"
