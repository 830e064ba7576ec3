"""Charging for stored bytes: the commission is issued before the transaction, its serial committed with the rows, and accepted after."""

from __future__ import annotations

import datetime
import random
import time
import uuid
from collections.abc import Callable, Mapping
from typing import TypeVar

import structlog
from django.db import DatabaseError

from synnefo.common.errors import DomainError, Forbidden, NotFound, QuotaExceeded, StateConflict
from synnefo.common.ids import ProjectID, Serial, UserID
from synnefo.common.ports import quota
from synnefo.pithos.models import PendingSerial

log = structlog.get_logger(__name__)
DISKSPACE = "pithos.diskspace"
LONGEST_REQUEST = datetime.timedelta(minutes=5)
"""A commission without a row here is older than this only when its request died: it is issued after the data has come."""
ATTEMPTS = 12
T = TypeVar("T")


def charged(account: str, deltas: Mapping[str, int], what: str, write: Callable[[Serial | None], T]) -> T:
    """Run `write(serial)`, which opens and commits its own transaction and calls `record(serial)` in it, under a commission.

    `deltas` is {project: bytes}. Raises `QuotaExceeded`, `Forbidden` (no member of the project), and what `write` raises; then nothing stays
    charged. Not inside a transaction.
    """
    wanted = {(ProjectID(project), DISKSPACE): amount for project, amount in deltas.items() if amount}
    if not wanted:
        return write(None)
    try:
        serial = quota("pithos").issue(UserID(account), wanted, request_id=str(uuid.uuid4()), name=what[:1000])
    except QuotaExceeded as error:
        if (error.data or {}).get("name") == "NoQuantityError":
            # Others who change the same thing have its release under way already: one of the two gives up in a moment.
            raise ChangedMeanwhile("Others change this, or the quota service counts less than is stored. Try again.") from error
        raise
    except NotFound as error:
        raise Forbidden("The project of this container gives you no storage any more. Move the container to another project.") from error
    try:
        answer = write(serial)
    except BaseException:
        _give_back(serial)
        raise
    settle([serial])
    return answer


class ChangedMeanwhile(StateConflict):
    """What was charged for is no longer what is there. `retrying` starts again."""

    retryable = True


def retrying(attempt: Callable[[], T]) -> T:
    """Run it, again while others change the same thing in between. Raises `ChangedMeanwhile` when that never ends."""
    for number in range(ATTEMPTS):
        try:
            return attempt()
        except ChangedMeanwhile:
            if number + 1 == ATTEMPTS:
                raise
            time.sleep(random.uniform(0.0, 0.02) * (number + 1))  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")


def record(serial: Serial | None) -> None:
    """The rows of this transaction are what the commission paid for."""
    if serial is not None:
        PendingSerial.objects.create(serial=serial)


def _give_back(serial: Serial) -> None:
    try:
        if PendingSerial.objects.filter(serial=serial).exists():
            settle([serial])  # it did commit; only its answer was lost
            return
        quota("pithos").resolve(reject=[serial])
    except (DomainError, DatabaseError) as error:
        # Whether the rows are there is not known or the ledger did not hear: reconcile-commissions-pithos settles it.
        log.warning("commission.reject_later", serial=serial, reason=str(error))


def settle(serials: list[Serial] | None = None) -> int:
    """Tell the ledger to accept what is committed. Never fails: the rest is told by reconciliation. Returns how many."""
    rows = PendingSerial.objects.all() if serials is None else PendingSerial.objects.filter(serial__in=serials)
    known = [Serial(serial) for serial in rows.values_list("serial", flat=True)[:1000]]
    if not known:
        return 0
    try:
        failed = quota("pithos").resolve(accept=known).failed
    except DomainError as error:
        log.warning("commission.settle_later", serials=known, reason=error.public)
        return 0
    if failed:
        log.warning("commission.settled_otherwise", serials=failed)
    PendingSerial.objects.filter(serial__in=known).delete()
    return len(known)
