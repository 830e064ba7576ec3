"""Threads that approve, accept and charge at once: one name, one seat, no limit passed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.db import connection

from synnefo.astakos.models import Project, ProjectMembership
from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.models import Commission, Holding
from synnefo.astakos.services import applications, project_members
from synnefo.common.errors import AlreadyExists, DomainError, QuotaExceeded, StateConflict
from synnefo.common.ids import Serial
from tests.support.projects import VM, apply_for, assert_limits, define_resources, pending_of, person, running

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")


@pytest.fixture(autouse=True)
def _resources() -> None:
    define_resources()


def _race(count: int, work: Callable[[int], T]) -> list[T | DomainError]:
    """`work(number)` on threads that start together; domain errors are answers."""
    start = threading.Barrier(count)

    def run(number: int) -> T | DomainError:
        start.wait(10)
        try:
            return work(number)
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_of_approvals_of_one_name_one_wins() -> None:
    ann = person("ann")
    numbers = [apply_for(ann).pk for _ in range(4)]
    answers = _race(4, lambda number: applications.approve(None, numbers[number]))
    assert answers.count(None) == 1
    assert sum(isinstance(answer, AlreadyExists) for answer in answers) == 3
    assert Project.objects.filter(name="one.example.org").count() == 1
    assert pending_of(ann) == 3
    assert_limits()


def test_of_accepts_of_the_last_seat_one_wins() -> None:
    ann = person("ann")
    project = running(ann, max_members=1, join_policy="moderated")
    asked = [project_members.join(person(f"p{number}"), project.uuid).pk for number in range(4)]
    answers = _race(4, lambda number: project_members.act(ann, asked[number], "accept"))
    assert sum(isinstance(answer, StateConflict) for answer in answers) == 3
    assert ProjectMembership.objects.filter(project=project, state="accepted").count() == 1
    assert_limits()


def test_one_approval_sent_twice_counts_once() -> None:
    ann = person("ann")
    number = apply_for(ann).pk
    apply_for(ann, "two.example.org")
    answers = _race(4, lambda _: applications.approve(None, number))
    assert answers.count(None) == 1
    assert pending_of(ann) == 1


def test_members_of_a_pool_never_pass_either_limit() -> None:
    ann = person("ann")
    project = running(ann, resources={VM: (3, 7)})
    people = [person(f"m{number}") for number in range(4)]
    for member in people:
        project_members.join(member, project.uuid)
    pool = f"project:{project.uuid}"

    def work(number: int) -> int:
        """Make five, release every second, and die over every third."""
        done = 0
        for step in range(5):
            lines = [ledger.Charge(f"user:{people[number].uuid}", pool, VM, 1), ledger.Charge(pool, "", VM, 1)]
            try:
                serial = ledger.issue("cyclades", lines)
            except QuotaExceeded:
                continue
            if step % 3 != 2:  # else killed before it settled
                ledger.resolve("cyclades", accept=[Serial(serial)])
                done += 1
            if step % 2:
                ledger.issue("cyclades", [ledger.Charge(line.holder, line.source, VM, -1) for line in lines], auto_accept=True)
                done -= 1
        return done

    answers = _race(4, work)
    assert all(isinstance(answer, int) for answer in answers), answers
    left = [Serial(number) for number in Commission.objects.values_list("pk", flat=True)]
    ledger.resolve("cyclades", reject=left)
    total = Holding.objects.get(holder=pool, resource=VM)
    members = Holding.objects.filter(source=pool, resource=VM)
    assert total.usage_min == total.usage_max == sum(row.usage_max for row in members) == sum(answer for answer in answers if isinstance(answer, int))
    assert total.usage_max <= 7
    assert all(row.usage_min == row.usage_max <= 3 for row in members)
    assert not Commission.objects.exists()
    assert_limits()
