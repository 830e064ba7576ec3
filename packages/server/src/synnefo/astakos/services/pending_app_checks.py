"""Pending applications against what the ledger counts for them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count
from django.utils import timezone

from synnefo.astakos.models import ApplicationState, ProjectApplication
from synnefo.astakos.quotaholder import queries
from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.services.limits import project_holder, user_holder
from synnefo.astakos.services.pending_apps import COMPONENT, RESOURCE
from synnefo.common.errors import NotFound, QuotaExceeded


@dataclass(frozen=True, slots=True)
class Difference:
    """`recorded` is None where there is no holding. `source` is empty for the project's own counter."""

    holder: str
    source: str
    counted: int
    recorded: int | None
    is_pending: bool


def differences(*, user_id: str | None = None, project_id: str | None = None) -> list[Difference]:
    """Where the ledger is wrong about somebody's pending applications: members' counters and projects' ones. Two queries."""
    rows = ProjectApplication.objects.filter(state=ApplicationState.PENDING).values("applicant__uuid").annotate(n=Count("pk")).order_by()
    counted = {row["applicant__uuid"]: row["n"] for row in rows}
    wanted = {(user_holder(uuid), project_holder(uuid)): count for uuid, count in counted.items()}
    wanted |= {(project_holder(uuid), ""): count for uuid, count in counted.items()}
    known = {(row.holder, row.source): row for row in queries.holdings(resources=[RESOURCE])}
    found = []
    for key in sorted(wanted.keys() | known.keys()):
        row, count = known.get(key), wanted.get(key, 0)
        if (row.usage_max if row is not None else 0) != count and _is_wanted(key, user_id, project_id):
            found.append(Difference(*key, count, None if row is None else row.usage_max, row is not None and row.usage_max != row.usage_min))
    return found


def _is_wanted(key: tuple[str, str], user_id: str | None, project_id: str | None) -> bool:
    """A user's applications are all counted in his system project, so that its own counter is his too."""
    holder, source = key
    own = {user_holder(user_id), project_holder(user_id)} if user_id is not None else {holder}
    return holder in own and (project_id is None or project_holder(project_id) == (source or holder))


def repair(found: list[Difference], *, force: bool = False, atomic: bool = False) -> list[tuple[Difference, str]]:
    """Correct the counters without pending commissions; returns what was refused, with the reason. With `force` limits do not matter.

    Each on its own, so that one over a limit holds up no other; with `atomic` all or none.
    """
    name = f"client: reconcile-resources-astakos, time: {timezone.now().isoformat(timespec='seconds')}"
    open_ = [item for item in found if item.recorded is not None and not item.is_pending]
    refused: list[tuple[Difference, str]] = []
    for group in [open_] if atomic and open_ else [[item] for item in open_]:
        charges = [ledger.Charge(item.holder, item.source, RESOURCE, item.counted - (item.recorded or 0)) for item in group]
        try:
            ledger.issue(COMPONENT, charges, name=name, force=force, auto_accept=True)
        except (NotFound, QuotaExceeded) as error:
            refused += [(item, error.public) for item in group]
    return refused
