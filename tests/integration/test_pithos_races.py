"""Writers that meet on one object, and requests that are killed between any two of their steps."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from synnefo.astakos.quotaholder import services as ledger
from synnefo.common import ports
from synnefo.pithos.models import PendingSerial
from tests.support import commands
from tests.support.pithos import Account, assert_sums_are_right, register_resources, usage

SIZE = 16
THREADS = 6
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(tmp_path: Path, settings_override: Any) -> Account:
    settings_override(PITHOS_BACKEND_BLOCK_PATH=str(tmp_path), PITHOS_BACKEND_BLOCK_SIZE=SIZE)
    register_resources()
    made = Account()
    assert made("PUT", "/box").status_code == 201
    return made


def together(work: Callable[[int], Any], count: int) -> list[Any]:
    def run(number: int) -> Any:
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(count)))


def test_no_appended_byte_is_lost(account: Account) -> None:
    account("PUT", "/box/log", b"")
    lines = [f"line {number:02}\n".encode() for number in range(24)]

    def append(number: int) -> int:
        return int(account("POST", "/box/log?update", lines[number], content_range="bytes */*", content_type="application/octet-stream").status_code)

    assert together(append, len(lines)) == [204] * len(lines)
    assert sorted(account.read("/box/log").splitlines(keepends=True)) == lines
    assert usage(account) == sum(map(len, lines))
    assert_sums_are_right()


def test_the_last_writer_wins_and_the_sum_is_his(account: Account) -> None:
    assert set(together(lambda number: account("PUT", "/box/it", b"x" * number).status_code, 24)) == {201}
    assert usage(account) == len(account.read("/box/it"))
    assert_sums_are_right()


def test_only_one_creates_what_must_not_exist(account: Account) -> None:
    answers = together(lambda number: account("PUT", "/box/it", b"x" * (number + 1), if_none_match="*").status_code, 12)
    assert sorted(answers) == [201] + [412] * 11
    assert usage(account) == len(account.read("/box/it"))


def test_one_container_is_made_once(account: Account) -> None:
    assert sorted(together(lambda _: account("PUT", "/new").status_code, 8)) == [201] + [202] * 7


def test_moves_in_opposite_directions_do_not_block_each_other(account: Account) -> None:
    account("PUT", "/other")
    for number in range(8):
        account("PUT", f"/{('box', 'other')[number % 2]}/{number}", b"x" * 10)

    def swap(number: int) -> int:
        source, target = ("box", "other") if number % 2 == 0 else ("other", "box")
        return int(account("MOVE", f"/{source}/{number}", destination=f"/{target}/{number}").status_code)

    assert together(swap, 8) == [201] * 8
    assert usage(account) == 80
    assert_sums_are_right()


# Killed -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def killed(account: Account, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Upload in a child process that is killed at a point of the way."""

    def upload(point: str) -> None:
        _close_database()
        child = os.fork()
        if child == 0:
            try:
                arm(point, monkeypatch)
                account("PUT", "/box/it", b"x" * 40)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the upload never came by that point"

    return upload


def _close_database() -> None:
    """Parent and child must not share a socket to the database, not even one that waits in the pool."""
    connections.close_all()
    close_pool = getattr(connection, "close_pool", None)
    if close_pool is not None:
        close_pool()


def arm(point: str, patch: pytest.MonkeyPatch) -> None:
    def die(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    quota = ports.quota("pithos")
    if point == "after the blocks":
        patch.setattr("synnefo.pithos.services.blocks.new_map", die)
    elif point == "before the charge":
        patch.setattr(quota, "issue", die)
    elif point == "after the charge":
        patch.setattr("synnefo.pithos.services.containers.lock_unmoved", die)
    elif point == "in the transaction":
        patch.setattr("synnefo.pithos.services.charges.record", die)
    else:
        assert point == "after the commit"
        patch.setattr(quota, "resolve", die)


@pytest.mark.parametrize("point", ["after the blocks", "before the charge", "after the charge", "in the transaction", "after the commit"])
def test_a_killed_upload_is_whole_or_nothing(account: Account, killed: Callable[[str], None], point: str) -> None:
    account("PUT", "/box/it", b"before")
    killed(point)
    is_done = point == "after the commit"
    expected = b"x" * 40 if is_done else b"before"
    assert account.read("/box/it") == expected
    assert len(ledger.pending("pithos")) == (1 if point in {"after the charge", "in the transaction", "after the commit"} else 0)
    assert commands.run("reconcile-commissions-pithos", "--fix", "--now").code == 0
    assert (ledger.pending("pithos"), PendingSerial.objects.count()) == ([], 0)
    assert usage(account) == len(expected)
    assert_sums_are_right()
    assert account("PUT", "/box/it", b"after").status_code == 201
    assert usage(account) == 5
