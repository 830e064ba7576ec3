"""Where new servers go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from synnefo.common.errors import NoCapacity, NotFound
from synnefo.common.ids import UserID
from synnefo.cyclades.models import Backend, Flavor, VolumeType
from synnefo.cyclades.services import allocator

pytestmark = pytest.mark.django_db(transaction=True)
USER = UserID("8efd4e2f-4b1f-4d33-9bd7-2a7e4d1c0a11")
GIB = 1024


def _backend(name: str, index: int, **changes: Any) -> Backend:
    row = Backend(clustername=name, username="u", index=index, drained=False, disk_templates=["file", "drbd", "ext"], refreshed_at=timezone.now(),
                  mfree=64 * GIB, mtotal=64 * GIB, dfree=1000 * GIB, dtotal=1000 * GIB, ctotal=64, pinst_cnt=0)
    row.password = "p"
    for key, value in changes.items():
        setattr(row, key, value)
    row.save()
    return row


def _flavor(template: str = "file") -> Flavor:
    return Flavor.objects.create(cpu=1, ram=GIB, disk=10, volume_type=VolumeType.objects.create(name=template, disk_template=template))


def test_the_least_loaded() -> None:
    _backend("full.test", 0, mfree=8 * GIB)
    _backend("free.test", 1)
    _backend("busy.test", 2, pinst_cnt=40)
    assert allocator.allocate(USER, _flavor()).clustername == "free.test"


def test_many_in_a_row_are_spread() -> None:
    for index in range(4):
        _backend(f"c{index}.test", index)
    flavor = _flavor()
    chosen = [allocator.allocate(USER, flavor).clustername for _ in range(40)]
    assert {chosen.count(f"c{index}.test") for index in range(4)} == {10}


def test_the_choice_counts_at_once() -> None:
    row = _backend("c.test", 0, mfree=GIB // 2)
    allocator.allocate(USER, _flavor("drbd"))
    row.refresh_from_db()
    assert (row.mfree, row.dfree, row.pinst_cnt) == (0, 980 * GIB, 1), "never below nothing; mirrored disks count twice"


@pytest.mark.parametrize("changes", [{"drained": True}, {"offline": True}, {"disk_templates": ["plain"]}])
def test_a_backend_that_takes_nothing(changes: dict[str, Any]) -> None:
    _backend("c.test", 0, **changes)
    with pytest.raises(NoCapacity):
        allocator.allocate(USER, _flavor())


def test_no_backend_at_all() -> None:
    with pytest.raises(NoCapacity):
        allocator.allocate(USER, _flavor())


@pytest.mark.parametrize("changes", [{"ctotal": 0}, {"mtotal": 0, "mfree": 0}, {"dtotal": 0, "dfree": 0}, {"pinst_cnt": 10**6}])
def test_figures_that_say_full_leave_the_word_to_ganeti(changes: dict[str, Any]) -> None:
    _backend("c.test", 0, **changes)
    assert allocator.allocate(USER, _flavor()).clustername == "c.test"


def test_room_goes_before_load() -> None:
    """A nearly empty but small cluster is no place for a server that does not fit."""
    _backend("small.test", 0, mtotal=GIB, mfree=GIB)
    _backend("large.test", 1, mfree=20 * GIB, pinst_cnt=20)
    assert allocator.allocate(USER, _flavor()).clustername == "large.test"


def test_external_storage() -> None:
    _backend("c.test", 0, disk_templates=["ext"])
    assert allocator.allocate(USER, _flavor("ext_rbd")).clustername == "c.test"


def test_users_with_a_backend_of_their_own(settings_override: Callable[..., None]) -> None:
    _backend("theirs.test", 0, drained=True)
    _backend("common.test", 1)
    settings_override(BACKEND_PER_USER={USER: "theirs.test"})
    flavor = _flavor()
    assert allocator.allocate(USER, flavor).clustername == "theirs.test"
    assert allocator.allocate(UserID("somebody"), flavor).clustername == "common.test"
    settings_override(BACKEND_PER_USER={USER: "gone.test"})
    with pytest.raises(NotFound):
        allocator.allocate(USER, flavor)
