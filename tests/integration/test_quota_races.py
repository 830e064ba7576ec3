"""Threads racing for the last units, and processes killed while they charge: nothing is given twice, nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from django.db import connection, transaction

from synnefo.astakos.models import Project, Resource
from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.models import Commission, Holding, IssuedRequest, ProvisionLog
from synnefo.astakos.services import quota_checks, resources, users
from synnefo.common.errors import DomainError, QuotaExceeded
from synnefo.common.ids import Serial
from tests.support.quota import assert_balanced, charge, counters, holding

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 6
ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


def _race(count: int, work: Callable[[int], T]) -> list[T | DomainError]:
    """Run `work(number)` `count` times on threads that start together; domain errors are answers."""
    start = threading.Barrier(THREADS)

    def run(number: int) -> T | DomainError:
        if number < THREADS:
            start.wait(10)
        try:
            return work(number)
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(count)))


def test_exactly_the_last_units_are_given() -> None:
    member, project = holding("user:a", "project:p", limit=100), holding("project:p", limit=7)
    answers = _race(24, lambda number: ledger.issue("c", [charge(member, 1), charge(project, 1)]))
    assert sum(isinstance(answer, int) for answer in answers) == 7
    assert sum(isinstance(answer, QuotaExceeded) for answer in answers) == 17
    assert counters(member) == counters(project) == (0, 7)
    assert_balanced()


def test_charges_in_opposite_order_do_not_block_each_other() -> None:
    keys = [holding(f"h{number}", limit=1000) for number in range(8)]
    answers = _race(24, lambda number: ledger.issue(
        "c", [charge(key, 1) for key in (keys if number % 2 else keys[::-1])], auto_accept=True))
    assert all(isinstance(answer, int) for answer in answers)
    assert {counters(key) for key in keys} == {(24, 24)}


def test_one_request_sent_many_times_charges_once() -> None:
    key = holding("one", limit=1)
    answers = _race(THREADS, lambda number: ledger.issue("c", [charge(key, 1)], auto_accept=True, request_id="same"))
    assert len(set(answers)) == 1
    assert isinstance(answers[0], int)
    assert counters(key) == (1, 1)
    assert Commission.objects.count() == 0
    assert ProvisionLog.objects.count() == 1


def test_a_serial_settled_from_all_sides_is_settled_once() -> None:
    key = holding("one")
    serial = ledger.issue("c", [charge(key, 3)])
    results = _race(12, lambda number: ledger.resolve("c", **{"accept" if number % 2 else "reject": [Serial(serial)]}))
    done = [item for item in results if not isinstance(item, DomainError) and not item.failed]
    assert len(done) == 1
    assert counters(key) == ((3, 3) if done[0].accepted else (0, 0))
    assert_balanced()


def test_limits_change_while_charges_run() -> None:
    key = holding("one", limit=5)

    def work(number: int) -> object:
        if number % 6 == 0:
            return holding("one", limit=5 + number)
        serial = ledger.issue("c", [charge(key, 1)])
        return ledger.resolve("c", accept=[serial])

    _race(24, work)
    assert Holding.objects.get().limit in {5, 11, 17, 23}
    assert 5 <= counters(key)[0] <= 23
    assert_balanced(was_forced=True)


def test_resources_and_users_made_at_once_know_each_other() -> None:
    def work(number: int) -> object:
        if number % 2:
            return users.create_user(f"user{number}@example.org").uuid
        with transaction.atomic():
            definition = {"name": f"r{number}", "service_type": "t", "service_origin": "s"}
            return resources.register_resource(definition, "c").name

    answers = _race(12, work)
    assert not [answer for answer in answers if isinstance(answer, DomainError)]
    assert (Project.objects.count(), Resource.objects.count()) == (6, 6)
    assert Holding.objects.count() == 6 * 6 * 2
    assert list(quota_checks.verify(with_unexpected=True)) == []


def _database_url() -> str:
    config = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{config['NAME']}"
    return f"postgresql://{config['USER']}:{config['PASSWORD']}@{config['HOST']}:{config['PORT']}/{config['NAME']}"


def test_killed_processes_leave_a_ledger_that_adds_up(tmp_path: Path) -> None:
    for key in (("user:a", "project:p", "vm"), ("user:b", "project:p", "vm"), ("project:p", "", "vm")):
        holding(*key, limit=30)
    names = ("cyclades", "pithos")
    environment = {**os.environ, "SYNNEFO_DATABASE_URL": _database_url(), "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    workers = [subprocess.Popen([sys.executable, "-m", "tests.support.quota_worker", name, "12", str(tmp_path / name)], cwd=ROOT,
                                env=environment, stderr=subprocess.PIPE, text=True) for name in names]
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors
    assert_balanced()
    for name in names:
        attempts = int((tmp_path / name).read_text())
        issued = IssuedRequest.objects.filter(client_key=name)
        assert 5 < issued.count() <= attempts + 1
        assert issued.values("serial").distinct().count() == issued.count()
        ledger.resolve(name, reject=[info.serial for info in ledger.pending(name)])
    assert_balanced()
    assert Commission.objects.count() == 0
    assert all(row.usage_min == row.usage_max for row in Holding.objects.all())
