"""Pending applications are counted like any resource: on the applicant, in his system project."""

from __future__ import annotations

import structlog

from synnefo.astakos.models import Resource, User
from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.models import Holding
from synnefo.astakos.services.limits import project_holder, user_holder
from synnefo.common.errors import NotFound, QuotaExceeded, StateConflict

log = structlog.get_logger(__name__)
RESOURCE = "astakos.pending_app"
COMPONENT = "astakos"


def may_apply(user: User) -> bool:
    """Whether one more application of the user may wait."""
    held = Holding.objects.filter(holder=user_holder(user.uuid), source=project_holder(user.uuid), resource=RESOURCE).first()
    return held is None or held.usage_max < held.limit


def replace(before: User | None, after: User | None, *, force: bool, name: str) -> None:
    """One application less of `before` and one more of `after`, in the caller's transaction.

    Raises `StateConflict` when `after` has no more left, unless forced.
    """
    if before == after or not Resource.objects.filter(name=RESOURCE).exists():
        return
    if before is not None:
        _release(before, name)
    if after is not None:
        try:
            ledger.charge_in_transaction(COMPONENT, _charges(after, 1), name=name, force=force)
        except (QuotaExceeded, NotFound):
            raise StateConflict("You have reached the limit of pending project applications. Cancel one, or wait for an answer.") from None


def _release(user: User, name: str) -> None:
    try:
        ledger.charge_in_transaction(COMPONENT, _charges(user, -1), name=name)
    except (QuotaExceeded, NotFound):
        log.exception("pending_app.not_counted", user=user.uuid, hint="snf-manage reconcile-resources-astakos")


def _charges(user: User, quantity: int) -> list[ledger.Charge]:
    project = project_holder(user.uuid)
    return [ledger.Charge(user_holder(user.uuid), project, RESOURCE, quantity), ledger.Charge(project, "", RESOURCE, quantity)]
