"""Limits of the ledger against the rule that gives them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from synnefo.astakos.models import Project
from synnefo.astakos.quotaholder import queries
from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.models import Holding
from synnefo.astakos.services import limits
from synnefo.astakos.services.limits import project_holder, user_holder
from synnefo.common.db import transactional

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A limit that is not what project and membership say. `found` is None when the holding is missing, `expected`
    when no project or membership explains the holding.
    """

    key: ledger.type_key
    expected: int | None
    found: int | None
    is_idle: bool = True
    """Nothing is used nor pending, so that an unexplained holding can go."""


def verify(*, user_id: str | None = None, with_unexpected: bool = False) -> Iterator[Mismatch]:
    """Differences of all limits, or of those on one user's own holdings. Works through a hundred projects at a time."""
    projects = Project.objects.order_by("pk")
    if user_id is not None:
        projects = projects.filter(memberships__user__uuid=user_id)
    uuids: set[str] = set()
    for chunk in _chunks(projects.iterator()):
        uuids |= {project.uuid for project in chunk}
        yield from _of_user(_differences(chunk, with_unexpected), user_id)
    if with_unexpected and user_id is None:
        yield from _without_project(uuids)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A counter that does not agree with the others, and why."""

    key: ledger.type_key
    text: str


def verify_usage() -> Iterator[Contradiction]:
    """Counters against pending commissions, and projects against the sum of their members. Two queries, streamed.

    Only unbalanced commissions and hands in the database make such differences; the reconcile-resources-* commands of
    the services set them right.
    """
    for row in queries.with_wrong_pending().iterator(chunk_size=1000):
        yield Contradiction(row.key, f"pending is {row.usage_max - row.usage_min}, commissions say {row.expected_pending}")
    for row in queries.with_wrong_total().iterator(chunk_size=1000):
        yield Contradiction(row.key, f"counts {row.usage_min} to {row.usage_max}, its members {row.members_min} to {row.members_max}")


def _chunks(projects: Iterator[Project]) -> Iterator[list[Project]]:
    while chunk := list(itertools.islice(projects, limits.CHUNK)):
        yield chunk


def _of_user(found: Iterator[Mismatch], user_id: str | None) -> Iterator[Mismatch]:
    if user_id is None:
        return found
    own = {user_holder(user_id), project_holder(user_id)}
    return (item for item in found if item.key[0] in own)


def _differences(projects: Sequence[Project], with_unexpected: bool) -> Iterator[Mismatch]:
    names = [project_holder(project.uuid) for project in projects]
    known: dict[ledger.type_key, Holding] = {row.key: row for row in queries.holdings(holders=names, sources=[""])}
    known |= {row.key: row for row in queries.holdings(sources=names)}
    wanted = dict(limits.expected(projects))
    unneeded = {key for key in limits.inactive(projects) if key not in known}
    for key, limit in wanted.items():
        holding = known.get(key)
        if (holding is None and key not in unneeded) or (holding is not None and holding.limit != limit):
            yield Mismatch(key, limit, holding.limit if holding else None)
    if with_unexpected:
        yield from (_unexplained(known[key]) for key in sorted(known.keys() - wanted.keys()))


def _without_project(uuids: set[str]) -> Iterator[Mismatch]:
    names = {project_holder(uuid) for uuid in uuids}
    for row in queries.holdings().iterator(chunk_size=1000):
        if (row.source or row.holder) not in names:
            yield _unexplained(row)


def _unexplained(row: Holding) -> Mismatch:
    return Mismatch(row.key, None, row.limit, is_idle=row.usage_max == 0)


@transactional()
def repair(mismatches: Sequence[Mismatch]) -> int:
    """Set limits right and delete unexplained holdings that count nothing. Usage is never touched. Returns how many
    differences are gone.
    """
    wanted = {item.key: item.expected for item in mismatches if item.expected is not None}
    ledger.set_limits_in_transaction(wanted)
    gone = ledger.drop_idle_in_transaction([item.key for item in mismatches if item.expected is None])
    log.info("quota.repaired", limits=len(wanted), unexpected=gone)
    return len(wanted) + gone


def prune() -> int:
    """Delete the holdings of projects that ended and members that left where the limit is 0 and nothing is used nor pending.

    They come back when the project or the membership does. A hundred projects a transaction; returns how many. Repeatable.
    """
    return sum(_prune(chunk) for chunk in _chunks(Project.objects.order_by("pk").iterator()))


@transactional()
def _prune(projects: Sequence[Project]) -> int:
    locked = list(Project.objects.select_for_update().filter(pk__in=[project.pk for project in projects]).order_by("pk"))
    gone = ledger.drop_idle_in_transaction(limits.inactive(locked), only_without_limit=True)
    log.info("quota.pruned", holdings=gone)
    return gone
