"""Charging users for networks and floating IPs: one commission around one transaction.

The commission is issued before the transaction (the ledger may be on another host), its serial is recorded with the
rows as decided, and the ledger is told afterwards. Whatever dies in between is settled by reconciliation: a serial with
a committed record is accepted, one without is rejected.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TypeVar

import structlog

from synnefo.common.errors import InvalidInput, NotFound
from synnefo.common.ids import ProjectID, Serial, UserID
from synnefo.common.ports import quota
from synnefo.cyclades.services import commissions

log = structlog.get_logger(__name__)

NETWORK, FLOATING_IP = "cyclades.network.private", "cyclades.floating_ip"

T = TypeVar("T")


def charged(
    user_id: str, charges: Mapping[tuple[str, str], int], name: str, write: Callable[[Serial | None], T], *,
    force: bool = False,
) -> T:
    """Run `write(serial)`, which opens and commits its own transaction, under a commission for these charges.

    `charges` is {(project, resource): quantity}; entries of 0 are dropped and with none left no commission is issued.
    Raises `QuotaExceeded`, `InvalidInput` (not a member of the project), and whatever `write` raises; then nothing
    stays charged. Not inside a transaction.
    """
    wanted = {(ProjectID(project), resource): count for (project, resource), count in charges.items() if count}
    if not wanted:
        return write(None)
    serial = _issue(user_id, wanted, name, force=force)
    try:
        answer = write(serial)
    except BaseException:
        commissions.reject_now(serial)
        raise
    commissions.accept_now(serial)
    return answer


def _issue(user_id: str, charges: Mapping[tuple[ProjectID, str], int], name: str, *, force: bool) -> Serial:
    try:
        return quota("cyclades").issue(
            UserID(user_id), charges, request_id=str(uuid.uuid4()), name=f"client: api, resource: {name}", force=force)
    except NotFound as error:
        raise InvalidInput("The user is not a member of that project.", field="project") from error
