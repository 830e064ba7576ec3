"""Commissions of the quota ledger, as this service decides and settles them.

A commission is issued before a transaction and recorded in it. What was decided is told to the ledger after commit; if that fails the record
stays, and the worker tells it later. A serial that is pending in the ledger and has no record here belongs to a transaction that never
committed: it is rejected once it is older than any request may take.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

import structlog
from django.db import transaction
from django.utils import timezone

from synnefo.common.db import transactional
from synnefo.common.errors import DependencyUnavailable, DomainError, QuotaExceeded
from synnefo.common.ids import ProjectID, Serial, UserID
from synnefo.common.ports import quota
from synnefo.cyclades.models import CommissionRecord, Server

log = structlog.get_logger(__name__)
COMPONENT = "cyclades"
LONGEST_REQUEST = datetime.timedelta(minutes=15)
"""An undecided commission without a record is older than this only when its request died."""
BATCH = 200


def record_accepted(serial: Serial | None) -> None:
    """The rows of this transaction are what the commission paid for. Tells the ledger after commit."""
    if serial is not None:
        CommissionRecord.objects.create(serial=serial, pending=False, accept=True, decided_at=timezone.now())


def record_pending(serial: Serial) -> None:
    """The commission will be decided when a job ends."""
    CommissionRecord.objects.create(serial=serial)


def decide(serial: int | None, *, accept: bool) -> None:
    """Decide a recorded commission, in the transaction that sees the job's end. Settled after commit."""
    if serial is None:
        return
    changed = CommissionRecord.objects.filter(serial=serial, pending=True).update(pending=False, accept=accept, decided_at=timezone.now())
    if changed:
        transaction.on_commit(lambda: settle([Serial(serial)]))


def accept_now(serial: Serial) -> None:
    """Tell the ledger about a recorded decision. Never fails: what cannot be told now is told by the worker."""
    settle([serial])


def reject_now(serial: Serial) -> None:
    """Give back what a transaction that failed had asked for. Never fails."""
    if CommissionRecord.objects.filter(serial=serial).exists():
        settle([serial])  # the transaction did commit; only its answer was lost
        return
    try:
        quota(COMPONENT).resolve(reject=[serial])
    except DomainError as error:
        log.warning("commission.reject_later", serial=serial, reason=error.public)


def settle(serials: Sequence[int] | None = None) -> int:
    """Tell the ledger what was decided, and forget what it knows. Returns how many. Never fails."""
    rows = CommissionRecord.objects.filter(pending=False)
    if serials is not None:
        rows = rows.filter(serial__in=serials)
    decided = list(rows.order_by("serial")[:BATCH])
    if not decided:
        return 0
    try:
        quota(COMPONENT).resolve(accept=[Serial(row.serial) for row in decided if row.accept],
                                 reject=[Serial(row.serial) for row in decided if not row.accept])
    except DomainError as error:
        log.warning("commission.settle_later", serials=[row.serial for row in decided], reason=error.public)
        return 0
    # Serials that the ledger does not know any more were settled before: our answer was lost, not the decision.
    CommissionRecord.objects.filter(serial__in=[row.serial for row in decided]).delete()
    return len(decided)


def follow(user_id: UserID, charges: Mapping[tuple[ProjectID, str], int], *, request_id: str, name: str) -> None:
    """Make the ledger follow what has already happened: forced, settled at once, and by its `request_id` only once.

    Raises `DependencyUnavailable` when more would be given back than the ledger counts: what is given back may have been taken by a
    decision or an operation that has not reached the ledger yet, so that it is to be tried again.
    """
    try:
        quota(COMPONENT).issue(user_id, charges, request_id=request_id, name=name, force=True, auto_accept=True)
        return
    except QuotaExceeded:
        settle()
    try:
        quota(COMPONENT).issue(user_id, charges, request_id=request_id, name=name, force=True, auto_accept=True)
    except QuotaExceeded as error:
        raise DependencyUnavailable("The ledger has not heard yet of what is given back.") from error


def follow_for() -> datetime.timedelta:
    """How long `follow` is tried. What the ledger refuses for longer is an error of its own that reconciling corrects."""
    return datetime.timedelta(days=1)


def abandoned(now: datetime.datetime | None = None, *, older_than: datetime.timedelta | None = None) -> list[Serial]:
    """Serials that the ledger holds for transactions of ours that never committed."""
    limit = (now or timezone.now()) - (LONGEST_REQUEST if older_than is None else older_than)
    old = [item.serial for item in quota(COMPONENT).pending() if item.issued_at < limit]
    known = set(CommissionRecord.objects.filter(serial__in=old).values_list("serial", flat=True))
    return [serial for serial in old if serial not in known]


def reject_abandoned(now: datetime.datetime | None = None, *, older_than: datetime.timedelta | None = None) -> list[Serial]:
    """Give back what nobody uses. Returns the serials."""
    serials = abandoned(now, older_than=older_than)
    if serials:
        quota(COMPONENT).resolve(reject=serials)
        log.warning("commission.abandoned.rejected", serials=serials)
    return serials


def undecided(*, older_than: datetime.timedelta) -> tuple[list[Serial], list[Serial]]:
    """Recorded serials that no job has decided: (those that a server waits for, those that nothing points to)."""
    old = CommissionRecord.objects.filter(pending=True, created_at__lt=timezone.now() - older_than)
    serials = [Serial(serial) for serial in old.order_by("serial").values_list("serial", flat=True)]
    waiting = set(Server.objects.filter(serial__in=serials).values_list("serial", flat=True))
    return [serial for serial in serials if serial in waiting], [serial for serial in serials if serial not in waiting]


@transactional()
def reject_undecided(serials: Sequence[Serial]) -> None:
    """Give up what no job has decided. Should its job succeed after all, its event charges it."""
    for server in Server.objects.select_for_update().filter(serial__in=serials).order_by("pk"):
        server.serial = None
        server.save(update_fields=["serial"])
    for serial in serials:
        decide(serial, accept=False)
