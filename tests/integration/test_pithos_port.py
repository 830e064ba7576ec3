"""What the image service sees of the object store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from synnefo.common import ports
from synnefo.common.errors import Forbidden, NotFound
from synnefo.common.ids import UserID
from synnefo.common.ports import Caller, ObjectStore
from synnefo.pithos.hashing import EMPTY, hash_block
from tests.support.pithos import Account, register_resources, usage

SIZE = 16
DOMAIN = "plankton"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(tmp_path: Path, settings_override: Any) -> Account:
    settings_override(PITHOS_BACKEND_BLOCK_PATH=str(tmp_path), PITHOS_BACKEND_BLOCK_SIZE=SIZE)
    register_resources()
    made = Account()
    made("PUT", "/images")
    made("PUT", "/images/debian", b"x" * 20 + bytes(40), x_object_meta_a="1")
    return made


@pytest.fixture
def store() -> ObjectStore:
    return ports.object_store()


def caller(account: Account) -> Caller:
    return ports.identity().caller_of(UserID(account.user.uuid))


def test_metadata_of_a_domain_is_invisible_outside_and_survives_new_content(account: Account, store: ObjectStore) -> None:
    me, place = caller(account), (account.user.uuid, "images", "debian")
    made = store.update_meta(me, *place, domain=DOMAIN, meta={"name": "Debian", "status": "x"})
    assert made.meta == {"name": "Debian", "status": "x"}
    assert store.update_meta(me, *place, domain=DOMAIN, meta={"status": None, "kind": "y"}).meta == {"name": "Debian", "kind": "y"}
    assert store.get_object(me, *place, domain="other").meta == {}
    head = account("HEAD", "/images/debian")
    assert [key for key in head.headers if key.startswith("X-Object-Meta-")] == ["X-Object-Meta-A"]
    account("PUT", "/images/debian", b"new")
    assert store.get_object(me, *place, domain=DOMAIN).meta == {"name": "Debian", "kind": "y"}
    assert store.update_meta(me, *place, domain=DOMAIN, meta={"only": "z"}, replace=True).meta == {"only": "z"}
    assert usage(account) == 3


def test_the_map_leads_to_the_blocks(account: Account, store: ObjectStore, tmp_path: Path) -> None:
    found = store.get_object(caller(account), account.user.uuid, "images", "debian", domain=DOMAIN)
    hashes = [hash_block(b"x" * SIZE), hash_block(b"x" * 4), EMPTY, EMPTY]
    assert (found.size_bytes, list(store.read_block_hashes(found.mapfile, found.size_bytes))) == (60, hashes)
    name = found.mapfile
    raw = (tmp_path / "maps" / name[0:2] / name[2:4] / name[4:6] / name).read_bytes()
    assert raw == bytes.fromhex("".join(hashes))


def test_others_see_what_is_shared_with_them_only(account: Account, store: ObjectStore) -> None:
    me, other = caller(account), caller(Account())
    place = (account.user.uuid, "images", "debian")
    made = store.update_meta(me, *place, domain=DOMAIN, meta={"name": "Debian"})
    assert [item.uuid for item in store.list_objects_in_domain(me, domain=DOMAIN)] == [made.uuid]
    assert list(store.list_objects_in_domain(other, domain=DOMAIN)) == []
    for refused in (lambda: store.get_object(other, *place, domain=DOMAIN), lambda: store.get_object_by_uuid(other, made.uuid, domain=DOMAIN)):
        with pytest.raises(NotFound):
            refused()
    with pytest.raises(Forbidden):
        store.update_meta(other, *place, domain=DOMAIN, meta={"name": "Mine"})
    with pytest.raises(Forbidden):
        store.set_readers(other, *place, ["*"])
    assert store.get_object_by_uuid(other, made.uuid, domain=DOMAIN, check_permissions=False).name == "debian"
    store.set_readers(me, *place, ["*"])
    seen = store.get_object_by_uuid(other, made.uuid, domain=DOMAIN)
    assert (seen.is_public, seen.meta, seen.permissions) == (True, {"name": "Debian"}, {})
    assert [item.uuid for item in store.list_objects_in_domain(other, domain=DOMAIN)] == [made.uuid]


def test_a_version_of_another_object_is_not_found(account: Account, store: ObjectStore) -> None:
    me = caller(account)
    first = store.get_object(me, account.user.uuid, "images", "debian", domain=DOMAIN)
    number = int(account("PUT", "/images/other", b"x")["X-Object-Version"])
    with pytest.raises(NotFound):
        store.get_object_by_uuid(me, first.uuid, domain=DOMAIN, version=number)
    account("PUT", "/images/debian", b"new")
    assert store.get_object_by_uuid(me, first.uuid, domain=DOMAIN, version=first.version).size_bytes == 60


def test_listing_costs_the_same_however_many_there_are(account: Account, store: ObjectStore) -> None:
    me = caller(account)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            list(store.list_objects_in_domain(me, domain=DOMAIN))
        return len(captured)

    store.update_meta(me, account.user.uuid, "images", "debian", domain=DOMAIN, meta={"name": "x"})
    few = cost()
    for number in range(20):
        account("PUT", f"/images/{number}", b"x")
        store.update_meta(me, account.user.uuid, "images", str(number), domain=DOMAIN, meta={"name": "x"})
    assert cost() == few
