"""`enforce-resources-pithos`: what it suggests, what it deletes, and what the ledger counts afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from synnefo.pithos.models import Attribute, StoredObject
from synnefo.pithos.services import history
from tests.support.commands import run
from tests.support.pithos import Account, assert_sums_are_right, register_resources, usage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(tmp_path: Path, settings_override: Any) -> Account:
    settings_override(PITHOS_BACKEND_BLOCK_PATH=str(tmp_path), PITHOS_BACKEND_BLOCK_SIZE=16)
    register_resources()
    made = Account()
    for name in ("box", "trash"):
        assert made("PUT", f"/{name}").status_code == 201
    return made


def _limit(account: Account, size: int) -> None:
    assert run("user-modify", account.user.uuid, "--base-quota", "pithos.diskspace", str(size), "--yes").code == 0


def _names() -> list[str]:
    return sorted(StoredObject.objects.filter(current__isnull=False).values_list("name", flat=True))


def _put(account: Account, path: str, size: int, fill: bytes = b"x") -> None:
    assert account("PUT", path, fill * size).status_code == 201


def test_nothing_is_over(account: Account) -> None:
    _put(account, "/box/a", 20)
    result = run("enforce-resources-pithos")
    assert (result.code, result.out) == (0, "")


def test_the_trash_goes_first_and_by_age(account: Account) -> None:
    for name in ("/trash/old", "/trash/new", "/box/kept"):
        _put(account, name, 20)
    _limit(account, 45)
    shown = run("enforce-resources-pithos", "--output-format", "json")
    assert shown.code == 2
    assert [(row["container"], row["object"]) for row in json.loads(shown.out)["suggested actions"]] == [("trash", "old")]
    assert {row["type"] for row in json.loads(shown.out)["violations"]} == {"project", "user"}
    assert run("enforce-resources-pithos", "--fix").code == 1, "it asks"
    assert _names() == ["kept", "new", "old"]
    assert run("enforce-resources-pithos", "--fix", stdin="y\n").code == 0
    assert _names() == ["kept", "new"]
    assert usage(account) == 40
    assert run("enforce-resources-pithos").code == 0
    assert_sums_are_right()


def test_other_objects_only_when_asked_for_and_the_largest_first(account: Account) -> None:
    for name, size in (("small", 10), ("large", 50), ("middle", 30)):
        _put(account, f"/box/{name}", size)
    _limit(account, 15)
    refused = run("enforce-resources-pithos", "--fix", "--force")
    assert refused.code == 3
    assert "--delete-objects" in refused.err
    assert len(_names()) == 3
    capped = run("enforce-resources-pithos", "--fix", "--force", "--delete-objects", "--max-operations", "1")
    assert capped.code == 3
    assert _names() == ["middle", "small"]
    assert run("enforce-resources-pithos", "--fix", "--force", "--delete-objects").code == 0
    assert _names() == ["small"]
    assert usage(account) == 10


def test_what_others_rely_on_is_spared(account: Account) -> None:
    _put(account, "/trash/image", 20)
    item = StoredObject.objects.get(name="image")
    assert item.current is not None
    Attribute.objects.create(version=item.current, domain="plankton", key="plankton:name", value="debian")
    _limit(account, 5)
    assert run("enforce-resources-pithos", "--fix", "--force").code == 3
    assert _names() == ["image"]
    assert run("enforce-resources-pithos", "--fix", "--force", "--include-shared").code == 0
    assert _names() == []


def test_history_that_is_paid_for_goes_before_anything_else(account: Account, settings_override: Any) -> None:
    settings_override(PITHOS_BACKEND_FREE_VERSIONING=False)
    for fill in (b"a", b"b", b"c"):
        _put(account, "/box/it", 20, fill)
    _put(account, "/trash/it", 20, b"d")
    assert usage(account) == 80
    _limit(account, 45)
    assert run("enforce-resources-pithos", "--fix", "--force").code == 0
    assert usage(account) == 40
    assert account.read("/box/it") == b"c" * 20
    assert account.read("/trash/it") == b"d" * 20
    _limit(account, 20)
    assert run("enforce-resources-pithos", "--fix", "--force").code == 0
    assert usage(account) == 20
    assert run("reconcile-resources-pithos").code == 0
    with pytest.raises(Exception, match="An object has these contents"):
        history.purge_contents(account.user.uuid, "box", StoredObject.objects.get(name="it", current__isnull=False).current.mapfile)


def test_users_and_projects_can_be_left_out(account: Account) -> None:
    _put(account, "/trash/it", 20)
    _limit(account, 5)
    spared = run("enforce-resources-pithos", "--exclude-users", account.user.uuid, "--output-format", "json")
    assert spared.code == 2
    assert json.loads(spared.out)["suggested actions"] == []
    assert run("enforce-resources-pithos", "--exclude-projects", account.user.uuid).code == 0
    assert [row["type"] for row in json.loads(run("enforce-resources-pithos", "--users", account.user.uuid, "--output-format", "json").out)["violations"]] == ["user"]
    assert run("enforce-resources-pithos", "--max-operations", "-1").code == 2
