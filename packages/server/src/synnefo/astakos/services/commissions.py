"""Commissions of components: what a component may charge, on top of the ledger, which knows no components."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog

from synnefo.astakos.models import Resource
from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.services import Charge
from synnefo.astakos.services.refusals import explained
from synnefo.common.errors import Forbidden, InvalidInput
from synnefo.common.ids import Serial
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)


def issue(component: str, charges: Sequence[Charge], *, name: str = "", force: bool = False, auto_accept: bool = False,
          is_unbalanced: bool = False, request_id: str | None = None) -> Serial:
    """Issue a commission of a component, with its name as client key.

    Raises `Forbidden` for a resource of another component, `InvalidInput` where member and project charges differ
    and strict provisions are on, and what `ledger.issue` raises. A transaction of its own; repeatable with a request id.
    """
    if len(charges) > ledger.MAX_PROVISIONS:
        raise InvalidInput(f"A commission has at most {ledger.MAX_PROVISIONS} provisions.")
    _require_own(component, {charge.resource for charge in charges})
    if conf.ASTAKOS_STRICT_PROVISIONS and not is_unbalanced:
        require_balance(charges)
    with explained():
        serial = ledger.issue(component, charges, name=name, force=force, auto_accept=auto_accept, request_id=request_id)
    log.info("commission.issued", serial=serial, component=component, provisions=len(charges), force=force)
    return serial


def _require_own(component: str, names: set[str]) -> None:
    """Names nobody registered pass: the ledger finds no holding of theirs."""
    foreign = Resource.objects.filter(name__in=names).exclude(component=component).values_list("name", flat=True).first()
    if foreign is not None:
        raise Forbidden(f"Resource {foreign} is counted by another component.")


def require_balance(charges: Iterable[Charge]) -> None:
    """What members are charged in a project and what the project is charged must be the same, or the two drift apart.

    Raises `InvalidInput`.
    """
    difference: dict[tuple[str, str], int] = {}
    for charge in charges:
        key, sign = ((charge.source, charge.resource), 1) if charge.source else ((charge.holder, charge.resource), -1)
        difference[key] = difference.get(key, 0) + sign * charge.quantity
    for (project, resource), amount in difference.items():
        if amount:
            raise InvalidInput(f"The charges of {resource} on members of {project} and on {project} itself differ by {abs(amount)}. "
                               'Charge both, or say "unbalanced": true.', field="provisions")
