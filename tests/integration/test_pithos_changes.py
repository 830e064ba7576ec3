"""Copies, moves, partial writes, sharing, metadata of accounts and containers, and what is refused rather than ignored."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.models import Commission
from synnefo.common import duties, ports
from synnefo.pithos.hashing import hash_block, root_hash
from synnefo.pithos.models import PendingSerial
from synnefo.pithos.services.charges import LONGEST_REQUEST
from tests.support import commands
from tests.support.pithos import Account, assert_sums_are_right, content, register_resources, usage

SIZE = 16
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(tmp_path: Path, settings_override: Any) -> Account:
    """Blocks of 16 bytes, so that small contents have many."""
    settings_override(PITHOS_BACKEND_BLOCK_PATH=str(tmp_path), PITHOS_BACKEND_BLOCK_SIZE=SIZE)
    register_resources()
    made = Account()
    assert made("PUT", "/box").status_code == 201
    return made


def root_of(data: bytes) -> str:
    return root_hash([hash_block(data[start : start + SIZE]) for start in range(0, len(data), SIZE)])


# Copy and move ----------------------------------------------------------------------------------------------------


def test_a_copy_has_content_metadata_and_a_uuid_of_its_own(account: Account) -> None:
    stored = account("PUT", "/box/from", b"content", content_type="text/x", x_object_meta_a="1", x_object_meta_b="2")
    made = account("PUT", "/box/to", x_copy_from="/box/from", x_object_meta_b="", x_object_meta_c="3", content_type="")
    assert made.status_code == 201
    assert made["X-Object-UUID"] != stored["X-Object-UUID"]
    assert (made["ETag"], made["X-Copied-From"]) == (stored["ETag"], "box/from")
    head = account("HEAD", "/box/to")
    assert (head["Content-Type"], head["X-Object-Meta-A"], head["X-Object-Meta-C"]) == ("text/x", "1", "3")
    assert "X-Object-Meta-B" not in head
    assert account.read("/box/to") == b"content"
    assert usage(account) == 14
    assert_sums_are_right()


def test_a_move_keeps_the_uuid_and_leaves_history_behind(account: Account) -> None:
    first = account("PUT", "/box/from", b"content", x_object_meta_a="1")
    account("PUT", "/box/to", b"overwritten")
    assert account("PUT", "/other").status_code == 201
    for source, container, name in (("/box/from", "box", "to"), ("/box/to", "other", "end")):
        moved = account("MOVE", source, destination=f"/{container}/{name}")
        assert (moved.status_code, moved["X-Object-UUID"]) == (201, first["X-Object-UUID"])
        assert account("HEAD", source).status_code == 404
        assert account.read(f"/{container}/{name}") == b"content"
    assert account("HEAD", "/other/end")["X-Object-Meta-A"] == "1"
    assert account.read(f"/box/from?version={first['X-Object-Version']}") == b"content"
    assert usage(account) == 7
    assert_sums_are_right()


def test_an_old_version_is_copied_as_it_was(account: Account) -> None:
    old = account("PUT", "/box/it", b"old", content_type="text/old", x_object_meta_age="old")
    account("PUT", "/box/it", b"newer", content_type="text/new", x_object_meta_age="new")
    account("DELETE", "/box/it")
    again = account("PUT", "/box/it", x_copy_from="/box/it", x_source_version=old["X-Object-Version"], content_type="")
    assert again.status_code == 201
    assert account.read("/box/it") == b"old"
    head = account("HEAD", "/box/it")
    assert (head["Content-Type"], head["X-Object-Meta-Age"], head["ETag"]) == ("text/old", "old", hashlib.md5(b"old").hexdigest())


def test_copying_an_object_onto_itself_changes_its_type_only(account: Account) -> None:
    stored = account("PUT", "/box/it", b"content", content_type="text/a")
    changed = account("COPY", "/box/it", destination="/box/it", content_type="text/b")
    assert (changed.status_code, changed["X-Object-UUID"]) == (201, stored["X-Object-UUID"])
    assert account("HEAD", "/box/it")["Content-Type"] == "text/b"
    assert usage(account) == 7


@pytest.mark.parametrize(("method", "path", "headers", "status"), [
    ("COPY", "/box/it", {}, 400), ("COPY", "/box/it", {"destination": "/box"}, 400), ("COPY", "/box/it", {"destination": "/box/"}, 400),
    ("COPY", "/box/none", {"destination": "/box/x"}, 404), ("COPY", "/box/it", {"destination": "/none/x"}, 404),
    ("PUT", "/box/x", {"x_copy_from": "/box/none"}, 404), ("PUT", "/box/x", {"x_copy_from": "box"}, 400),
    ("PUT", "/box/x", {"x_copy_from": "/box/it", "x_source_version": "999999999"}, 404),
    ("PUT", "/box/x", {"x_copy_from": "/box/it", "x_source_version": "x"}, 404),
    ("PUT", "/box/x", {"x_copy_from": "/box/it", "x_source_account": str(uuid.UUID(int=0))}, 403),
    ("MOVE", "/box/it", {"destination": "/box/x", "destination_account": str(uuid.UUID(int=0))}, 501),
    ("COPY", "/box/it", {"destination": "/box/x", "if_match": "nonsense"}, 412),
    ("COPY", "/box/it", {"destination": "/box/" + "x" * 1025}, 400),
])
def test_a_copy_that_cannot_be_changes_nothing(account: Account, method: str, path: str, headers: dict[str, str], status: int) -> None:
    account("PUT", "/box/it", b"content")
    assert account(method, path, **headers).status_code == status
    assert account("GET", "/box").content == b"it\n"
    assert usage(account) == 7


# Partial writes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 1, 15, 16, 17, 31, 32, 40])
@pytest.mark.parametrize("length", [1, 15, 16, 17, 33])
def test_a_part_is_overwritten_and_the_hash_is_that_of_what_is_seen(account: Account, start: int, length: int) -> None:
    old, new = bytes(range(1, 41)), bytes(range(100, 100 + length))
    account("PUT", "/box/it", old)
    written = account("POST", "/box/it?update", new, content_range=f"bytes {start}-{start + length - 1}/*", content_type="application/octet-stream")
    expected = old[:start] + new + old[start + length :]
    assert (written.status_code, account.read("/box/it")) == (204, expected)
    assert written["ETag"] == hashlib.md5(expected).hexdigest()
    assert account("HEAD", "/box/it")["X-Object-Hash"] == root_of(expected)
    assert usage(account) == len(expected)


@pytest.mark.parametrize(("start", "length"), [(0, 40), (16, 33), (3, 20), (40, 40)])
def test_a_part_comes_from_another_object(account: Account, start: int, length: int) -> None:
    old, source = bytes(range(1, 41)), bytes(range(101, 141))
    account("PUT", "/box/it", old)
    account("PUT", "/box/source", source)
    written = account("POST", "/box/it?update", content_range=f"bytes {start}-{start + length - 1}/*", x_source_object="/box/source")
    assert written.status_code == 204
    assert account.read("/box/it") == old[:start] + source[:length] + old[start + length :]


def test_what_was_cut_off_does_not_come_back(account: Account) -> None:
    account("PUT", "/box/it", b"x" * 40)
    cut = account("POST", "/box/it?update", content_range="bytes 0-/*", x_source_object="/box/it", x_object_bytes="20")
    assert (cut.status_code, account.read("/box/it")) == (204, b"x" * 20)
    assert account("HEAD", "/box/it")["X-Object-Hash"] == root_of(b"x" * 20)
    account("POST", "/box/it?update", b"y", content_range="bytes */*", content_type="application/octet-stream")
    assert account.read("/box/it") == b"x" * 20 + b"y"
    assert usage(account) == 21


@pytest.mark.parametrize(("header", "status"), [
    (None, 400), ("bytes 5-4/*", 416), ("bytes 11-14/*", 416), ("bytes x-y/*", 416), ("bytes 0-3/3", 416), ("bytes 0-3/11", 416), ("pages 1-2/*", 416),
    ("bytes 0-1/*", 400), ("bytes " + "9" * 30 + "-/*", 416),
])
def test_a_part_that_cannot_be_written_changes_nothing(account: Account, header: str | None, status: int) -> None:
    before = account("PUT", "/box/it", b"0123456789")
    headers = {} if header is None else {"content_range": header}
    assert account("POST", "/box/it?update", b"abcd", content_type="application/octet-stream", **headers).status_code == status
    assert account("HEAD", "/box/it")["X-Object-Version"] == before["X-Object-Version"]


# Metadata and policies --------------------------------------------------------------------------------------------


def test_metadata_of_accounts_and_containers_is_merged_or_replaced(account: Account) -> None:
    for path, prefix in (("", "X-Account-Meta-"), ("/box", "X-Container-Meta-")):
        header = prefix.replace("-", "_").lower()
        account("POST", f"{path}?update", **{f"{header}a": "1", f"{header}b": "2"})
        account("POST", f"{path}?update", **{f"{header}b": "~"})
        head = account("HEAD", path)
        assert (head[f"{prefix}A"], f"{prefix}B" in head) == ("1", False)
        account("POST", path, **{f"{header}c": "%C3%A9"})
        head = account("HEAD", path)
        assert (f"{prefix}A" in head, head[f"{prefix}C"]) == (False, "%C3%A9")


@pytest.mark.parametrize("headers", [
    {"x_object_meta_a": "x" * 257}, {"x_object_meta_" + "a" * 120: "x"}, {"x_object_meta_a": "é"}, {"x_object_meta_a": "%ff"},
    {"x_object_meta_a": "%00"}, {f"x_object_meta_a{number}": "x" for number in range(33)}, {f"x_object_meta_a{number}": "x" for number in range(91)},
    {"content_type": "x" * 257}, {"x_object_manifest": "nothing"}, {"x_object_sharing": "all"}, {"x_object_sharing": "read="},
    {"x_object_sharing": "read=somebody"},
])
def test_bad_headers_are_refused_and_change_nothing(account: Account, headers: dict[str, str]) -> None:
    assert account("PUT", "/box/it", b"x", **headers).status_code == 400
    assert account("HEAD", "/box/it").status_code == 404
    assert usage(account) == 0


@pytest.mark.parametrize(("headers", "status"), [
    ({"x_container_policy_versioning": "sometimes"}, 400), ({"x_container_policy_quota": "-1"}, 400), ({"x_container_policy_quota": "9" * 30}, 400),
    ({"x_container_policy_quota": "x"}, 400), ({"x_container_policy_project": str(uuid.UUID(int=0))}, 403),
    ({"x_container_meta_a": "x" * 257}, 400),
])
def test_bad_policies_are_refused_and_make_no_container(account: Account, headers: dict[str, str], status: int) -> None:
    assert account("PUT", "/new", **headers).status_code == status
    assert account("HEAD", "/new").status_code == 404
    assert account("POST", "/box?update", **headers).status_code == status


def test_a_containers_own_quota_holds(account: Account) -> None:
    account("POST", "/box?update", x_container_policy_quota="10")
    assert account("PUT", "/box/a", b"123456").status_code == 201
    assert account("PUT", "/box/b", b"12345").status_code == 413
    assert account("PUT", "/box/a", b"1234567890").status_code == 201
    assert usage(account) == 10
    assert account("GET", "/box").content == b"a\n"


def test_without_versioning_the_past_is_gone(account: Account) -> None:
    account("POST", "/box?update", x_container_policy_versioning="none")
    first = account("PUT", "/box/it", b"one")["X-Object-Version"]
    account("PUT", "/box/it", b"second")
    assert account("GET", f"/box/it?version={first}").status_code == 404
    account("DELETE", "/box/it")
    assert account("GET", "/box/it?version=list").status_code == 404
    assert usage(account) == 0


def test_history_is_charged_where_it_is_not_free(account: Account, settings_override: Any) -> None:
    settings_override(PITHOS_BACKEND_FREE_VERSIONING=False)
    account("PUT", "/box/it", b"one")
    account("PUT", "/box/it", b"second")
    account("POST", "/box/it?update", x_object_meta_a="1")
    account("DELETE", "/box/it")
    assert usage(account) == 9
    assert commands.run("reconcile-resources-pithos").code == 0
    assert account("DELETE", "/box").status_code == 204
    assert usage(account) == 0


# Sharing ----------------------------------------------------------------------------------------------------------


def test_what_is_shared_is_read_and_written_by_those_named(account: Account) -> None:
    friend, stranger = Account(), Account()
    account("PUT", "/box/it", b"secret", x_object_sharing=f"read={friend.user.uuid}")
    account("PUT", "/box/mine", b"mine")
    path = f"{account.root}/box/it"
    read = friend.send("GET", path)
    assert (content(read), read["X-Object-Allowed-To"]) == (b"secret", "read")
    assert friend.send("GET", f"{account.root}/box").content == b"it\n"
    assert friend.send("GET", account.root).content == b"box\n"
    assert friend("GET", "").status_code == 204
    assert friend.client.get("/pithos/object-store/v1/", HTTP_X_AUTH_TOKEN=friend.token).content.decode() == f"{account.user.uuid}\n"
    assert friend.send("PUT", path, b"changed").status_code == 403
    assert stranger.send("GET", path).status_code == 403
    account("POST", "/box/it?update", x_object_sharing=f"write={friend.user.uuid}")
    assert friend.send("PUT", path, b"changed").status_code == 201
    for method in ("DELETE", "MOVE"):
        assert friend.send(method, path, destination="/x/y").status_code == 403
    assert friend.send("POST", f"{path}?update", x_object_sharing="read=*").status_code == 403
    assert account("HEAD", "/box/it")["X-Object-Sharing"] == f"write={friend.user.uuid}"
    assert (account.read("/box/it"), usage(account), usage(friend)) == (b"changed", 11, 0)
    account("POST", "/box/it?update", x_object_sharing="read=*")
    assert content(stranger.send("GET", path)) == b"changed"
    account("DELETE", "/box/it")
    account("PUT", "/box/it", b"again")
    assert stranger.send("GET", path).status_code == 403


@pytest.mark.parametrize(("method", "path", "headers"), [
    ("GET", "?until=1", {}), ("GET", "/box?until=1", {}), ("DELETE", "/box?until=1", {}), ("DELETE", "/box/it?until=1", {}),
    ("DELETE", "/box/it?delimiter=/", {}), ("DELETE", "/box/it?version=1", {}), ("GET", "/box?meta=a", {}), ("PUT", "/box/it?multipart-manifest=put", {}),
    ("COPY", "/box/it?delimiter=/", {"destination": "/box/x"}), ("PUT", "/box/it", {"x_object_public": "true"}),
    ("POST", "?update", {"x_account_group_friends": "x"}),
])
def test_what_is_not_supported_is_refused_and_changes_nothing(account: Account, method: str, path: str, headers: dict[str, str]) -> None:
    before = account("PUT", "/box/it", b"content")
    answer = account(method, path, **headers)
    assert (answer.status_code, "notImplemented" in answer.json()) == (501, True)
    assert account("HEAD", "/box/it")["X-Object-Version"] == before["X-Object-Version"]
    assert account("GET", "/box").content == b"it\n"


# Swift ------------------------------------------------------------------------------------------------------------


def test_the_swift_dialect_sees_the_same_objects(account: Account) -> None:
    assert account.swift("PUT", "/bag").status_code == 201
    assert account.swift("PUT", "/bag").status_code == 202
    made = account.swift("PUT", "/bag/dir/pic.png", b"pixels", content_type="")
    assert (made.status_code, made["ETag"]) == (201, hashlib.md5(b"pixels").hexdigest())
    assert account.read("/bag/dir/pic.png") == b"pixels"
    assert account("HEAD", "/bag/dir/pic.png")["Content-Type"] == "image/png"
    row = account.swift("GET", "/bag?format=json").json()[0]
    assert set(row) == {"name", "hash", "bytes", "content_type", "last_modified"}
    account.swift("PUT", "/bag/dir/", b"")
    assert account("GET", "/bag?delimiter=/").content == b"dir/\n"
    assert account.swift("GET", "/bag?delimiter=/&format=json").json() == [{"subdir": "dir/"}]
    assert account.swift("POST", "/bag/dir/pic.png", x_object_meta_a="1", content_type="image/x").status_code == 202
    assert account("HEAD", "/bag/dir/pic.png")["Content-Type"] == "image/x"
    assert account.swift("POST", "/bag", x_container_meta_a="1").status_code == 204
    assert account.swift("POST", "/bag", x_container_meta_b="2", x_remove_container_meta_a="x").status_code == 204
    head = account.swift("HEAD", "/bag")
    assert ("X-Container-Meta-A" in head, head["X-Container-Meta-B"]) == (False, "2")
    assert account.swift("DELETE", "/bag").status_code == 409
    for name in ("dir/", "dir/pic.png"):
        assert account.swift("DELETE", f"/bag/{name}").status_code == 204
    assert account.swift("DELETE", "/bag").status_code == 204


def test_parts_of_a_manifest_are_read_as_one(account: Account) -> None:
    parts = [bytes([number]) * 20 for number in range(3)]
    for number, part in enumerate(parts):
        account.swift("PUT", f"/box/parts/{number}", part)
    account.swift("PUT", "/box/whole", b"", x_object_manifest="box/parts/")
    whole = b"".join(parts)
    assert account.read("/box/whole") == whole
    assert account("HEAD", "/box/whole")["Content-Length"] == "60"
    assert content(account("GET", "/box/whole", range="bytes=15-44")) == whole[15:45]
    joined = "".join(hashlib.md5(part).hexdigest() for part in parts)
    assert account("HEAD", "/box/whole")["ETag"] == hashlib.md5(joined.encode()).hexdigest()


def test_refusals_of_the_swift_dialect(account: Account) -> None:
    assert account.swift("GET", "/none").status_code == 404
    assert account.swift("PUT", "/" + "c" * 257).status_code == 412
    assert account.swift("PUT", "/box/%ff").status_code == 412
    assert account.swift("GET", "/box?limit=10001").status_code == 412
    assert account.swift("MOVE", "/box/x").status_code == 405
    account.token = "nonsense"
    refused = account.swift("GET", "/box")
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Swift realm="unknown"')


def test_what_the_store_can_do_is_told_to_everybody(account: Account) -> None:
    for path in ("/pithos/swift/info", "/pithos/object-store/info"):
        assert account.client.get(path).json()["swift"]["container_listing_limit"] == 10000


# Costs and repair -------------------------------------------------------------------------------------------------


def queries(account: Account, method: str, path: str) -> int:
    with CaptureQueriesContext(connection, ) as captured:
        assert account(method, path).status_code in {200, 204}
    return len(captured)


@pytest.mark.parametrize("path", ["", "?format=json", "/box", "/box?format=json", "/box?delimiter=/", "/box/a/0"])
def test_reading_costs_the_same_however_much_there_is(account: Account, path: str) -> None:
    account("PUT", "/box/a/0", b"x")
    few = queries(account, "GET", path)
    for number in range(1, 30):
        account("PUT", f"/box/a/{number}", b"x", x_object_meta_a="1")
        account("PUT", f"/more{number}")
    assert queries(account, "GET", path) == few


def test_commissions_of_dead_requests_are_settled(account: Account) -> None:
    account("PUT", "/box/it", b"content")
    quota, own = ports.quota("pithos"), account.user.user_id
    lines = {(account.user.system_project_id, "pithos.diskspace"): 5}
    lost = quota.issue(own, lines, request_id="lost")
    kept = quota.issue(own, lines, request_id="kept")
    PendingSerial.objects.create(serial=kept)
    assert commands.run("reconcile-commissions-pithos", "--fix").code == 0
    assert {info.serial for info in quota.pending()} == {lost, kept}, "too young to be given up"
    found = commands.run("reconcile-commissions-pithos", "--now")
    assert (found.code, found.out.strip()) == (4, f"Unresolved commissions: {sorted([lost, kept])}")
    fixed = commands.run("reconcile-commissions-pithos", "--now", "--fix")
    assert (fixed.code, f"Accepted: [{kept}]" in fixed.out, f"Rejected: [{lost}]" in fixed.out) == (0, True, True)
    assert (ledger.pending("pithos"), PendingSerial.objects.count()) == ([], 0)
    assert usage(account) == 12


def test_the_worker_settles_what_dead_requests_left(account: Account) -> None:
    quota, own = ports.quota("pithos"), account.user.user_id
    old, young = (quota.issue(own, {(account.user.system_project_id, "pithos.diskspace"): 5}, request_id=name) for name in ("old", "young"))
    Commission.objects.filter(pk=old).update(issued_at=timezone.now() - LONGEST_REQUEST)
    next(duty for duty in duties.registered() if duty.name == "object store commissions").run()
    assert {info.serial for info in quota.pending()} == {young}


def test_the_checksum_of_a_large_object_comes_later(account: Account, settings_override: Any) -> None:
    data = b"x" * 40 + bytes(5)
    account("POST", "/box?update", data, content_type="application/octet-stream")
    settings_override(PITHOS_MD5_SYNC_MAX=44)
    hashes = [hash_block(data[start : start + SIZE]) for start in range(0, len(data), SIZE)]
    made = account("PUT", "/box/it?hashmap", json.dumps({"bytes": 45, "hashes": hashes}).encode(), content_type="application/json")
    assert (made.status_code, made["ETag"]) == (201, root_of(data))
    account("POST", "/box/it?update", x_object_meta_a="1")
    assert len(commands.run("pithos-checksums", "--output-format", "json").json()) == 1
    assert account("HEAD", "/box/it")["ETag"] == hashlib.md5(data).hexdigest()
    assert account("GET", f"/box/it?version={made['X-Object-Version']}")["ETag"] == hashlib.md5(data).hexdigest()
    assert commands.run("pithos-checksums", "--output-format", "json").json() == []


def test_usage_that_is_wrong_is_found_and_set_right(account: Account) -> None:
    account("PUT", "/box/it", b"content")
    assert commands.run("reconcile-resources-pithos").code == 0
    lines = {(account.user.system_project_id, "pithos.diskspace"): 5}
    ports.quota("pithos").issue(account.user.user_id, lines, request_id="wrong", auto_accept=True)
    found = commands.run("reconcile-resources-pithos", "--output-format", "json")
    assert found.code == 4
    rows = json.loads(found.out)
    assert [(row["holder"], row["database"], row["quotaholder"]) for row in rows] == [(account.user.uuid, 7, 12)]
    assert commands.run("reconcile-resources-pithos", "--fix").code == 0
    assert usage(account) == 7
