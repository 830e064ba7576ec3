"""What is stored against what the ledger says is used, and the commissions that requests left open when they died."""

from __future__ import annotations

import datetime
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from synnefo.common.errors import NotFound, QuotaExceeded
from synnefo.common.ids import ProjectID, Serial, UserID
from synnefo.common.ports import QuotaUsage, quota
from synnefo.pithos.models import Container, PendingSerial
from synnefo.pithos.services import charges, containers
from synnefo.pithos.services.charges import DISKSPACE

BATCH = 500


@dataclass(frozen=True, slots=True)
class OpenCommissions:
    """Serials that the ledger has not settled: ours are to be accepted, the rest belongs to requests that died."""

    to_accept: tuple[Serial, ...]
    to_reject: tuple[Serial, ...]


def open_commissions(*, older_than: datetime.timedelta | None = None) -> OpenCommissions:
    """Those old enough that no request can be working on them, or than what is given; 0 is all."""
    limit = timezone.now() - (charges.LONGEST_REQUEST if older_than is None else older_than)
    serials = [info.serial for info in quota("pithos").pending() if older_than == datetime.timedelta() or info.issued_at < limit]
    known: set[int] = set()
    for start in range(0, len(serials), BATCH):
        known |= set(PendingSerial.objects.filter(serial__in=serials[start : start + BATCH]).values_list("serial", flat=True))
    return OpenCommissions(tuple(serial for serial in serials if serial in known), tuple(serial for serial in serials if serial not in known))


def settle(found: OpenCommissions) -> tuple[Serial, ...]:
    """Accept and reject; returns the serials that failed, for somebody else had settled them. Repeatable."""
    answer = quota("pithos").resolve(accept=found.to_accept, reject=found.to_reject)
    for start in range(0, len(found.to_accept), BATCH):
        PendingSerial.objects.filter(serial__in=found.to_accept[start : start + BATCH]).delete()
    return answer.failed


def settle_abandoned() -> None:
    """What requests that died left behind. For the clock of `snf-worker`."""
    found = open_commissions()
    if found.to_accept or found.to_reject:
        settle(found)


@dataclass(frozen=True, slots=True)
class Difference:
    user_id: UserID
    project_id: ProjectID
    stored: int
    recorded: int | None
    """None: the ledger has no such holding."""
    is_pending: bool
    """A commission on it is open: it may be right in a moment."""


def differences(*, user_id: str | None = None, project_id: str | None = None) -> list[Difference]:
    """Where the ledger is wrong about somebody's stored bytes, by user and project."""
    stored = _stored(user_id, project_id)
    recorded = _recorded(user_id, project_id)
    found = []
    for user, project in sorted(stored.keys() | recorded.keys()):
        usage, used = recorded.get((user, project)), stored.get((user, project), 0)
        if (usage.usage if usage is not None else 0) != used:
            found.append(Difference(UserID(user), ProjectID(project), used, None if usage is None else usage.usage,
                                    is_pending=usage is not None and usage.pending != 0))
    return found


def _stored(user_id: str | None, project_id: str | None) -> dict[tuple[str, str], int]:
    rows = Container.objects.all()
    if user_id is not None:
        rows = rows.filter(account=user_id)
    if project_id is not None:
        rows = rows.filter(project_id=project_id)
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for container in rows.iterator(chunk_size=2000):
        totals[container.account, container.project_id] += containers.charged_bytes(container)
    return totals


def _recorded(user_id: str | None, project_id: str | None) -> dict[tuple[str, str], QuotaUsage]:
    usages = quota("pithos").usages(user_ids=None if user_id is None else [UserID(user_id)],
                                    project_ids=None if project_id is None else [ProjectID(project_id)])
    return {(user, project): resources[DISKSPACE] for user, projects in usages.items()
            for project, resources in projects.items() if DISKSPACE in resources}


def repair(found: Sequence[Difference], *, force: bool = False, atomic: bool = False) -> list[tuple[Difference, str]]:
    """Correct the holdings on which no commission is open; returns what the ledger refused, with the reason. With `force` limits do not matter.

    An accepted commission for each holding, so that one over its limit holds up no other; with `atomic` one for all, or nothing.
    """
    name = f"client: reconcile-resources-pithos, time: {timezone.now().isoformat(timespec='seconds')}"
    open_ = [item for item in found if not item.is_pending and item.recorded is not None]
    refused: list[tuple[Difference, str]] = []
    for group in [open_] if atomic and open_ else [[item] for item in open_]:
        lines: dict[UserID, dict[tuple[ProjectID, str], int]] = defaultdict(dict)
        for item in group:
            lines[item.user_id][item.project_id, DISKSPACE] = item.stored - (item.recorded or 0)
        try:
            quota("pithos").issue_many(lines, request_id=str(uuid.uuid4()), name=name, force=force, auto_accept=True)
        except (NotFound, QuotaExceeded) as error:
            refused += [(item, error.public) for item in group]
    return refused
