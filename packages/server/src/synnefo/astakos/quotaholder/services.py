"""The verbs of the ledger. Each opens its own outermost transaction (the `*_in_transaction` ones need one of the caller), locks the holdings
it touches in one order (primary key) and may be run again after a conflict.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from django.db import IntegrityError
from django.db.models import Q, QuerySet
from django.utils import timezone
from prometheus_client import Counter

from synnefo.astakos.quotaholder.models import Commission, Holding, IssuedRequest, Provision, ProvisionLog
from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, BrokenInvariant, InvalidInput, NotFound, QuotaExceeded
from synnefo.common.ids import Serial
from synnefo.common.ports import INFINITE, CommissionInfo, ResolveResult

log = structlog.get_logger(__name__)
COMMISSIONS = Counter("synnefo_quota_commissions", "Commissions by what became of them", ["outcome"])
REQUESTS_KEPT = datetime.timedelta(days=7)
MAX_PROVISIONS = 10_000
BATCH = 200
type_key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Charge:
    """How much on which holding. `source` is empty for a holding at the top."""

    holder: str
    source: str
    resource: str
    quantity: int

    @property
    def key(self) -> type_key:
        return self.holder, self.source, self.resource

    def describe(self) -> dict[str, object]:
        return {"holder": self.holder, "source": self.source or None, "resource": self.resource, "quantity": self.quantity}


class NoHolding(NotFound):
    """A holding that a commission names does not exist: the holder has no such source or resource."""


@dataclass(slots=True)
class _Failures:
    accepted: list[Serial] = field(default_factory=list)
    rejected: list[Serial] = field(default_factory=list)
    failed: list[Serial] = field(default_factory=list)


def issue(client_key: str, charges: Sequence[Charge], *, name: str = "", force: bool = False, auto_accept: bool = False,
          request_id: str | None = None) -> Serial:
    """Check and record charges in one transaction. With `force` limits are not checked (non-negativity always is).

    A repeated `request_id` gives the first serial back; with other charges it raises `AlreadyExists`. Raises `QuotaExceeded` naming the
    first charge, in request order, that does not fit; `NoHolding`.
    """
    if len(charges) > MAX_PROVISIONS:
        raise InvalidInput(f"A commission has at most {MAX_PROVISIONS} provisions.")
    lines = _summed(charges)
    try:
        serial = _issue(client_key, lines, name[:4096], force, auto_accept, request_id)
    except IntegrityError:
        if not request_id:
            raise
        # A rival with the same request id won the race; its serial is ours.
        serial = _issue(client_key, lines, name[:4096], force, auto_accept, request_id)
    COMMISSIONS.labels("issued").inc()
    return serial


def charge_in_transaction(client_key: str, charges: Sequence[Charge], *, name: str = "", force: bool = False) -> None:
    """Charge for good, as part of what the caller's transaction does. Raises `QuotaExceeded`, `NoHolding`; nothing is charged then."""
    _charge_now(client_key, _summed(charges), name[:4096], force, True, None)
    COMMISSIONS.labels("issued").inc()


@transactional()
def _issue(client_key: str, charges: list[Charge], name: str, force: bool, auto_accept: bool, request_id: str | None) -> Serial:
    return _charge_now(client_key, charges, name, force, auto_accept, request_id)


def _charge_now(client_key: str, charges: list[Charge], name: str, force: bool, auto_accept: bool, request_id: str | None) -> Serial:
    digest = _digest(charges, force, auto_accept)
    known = _find_request(client_key, request_id, digest) if request_id else None
    if known is not None:
        return known
    commission = Commission.objects.create(client_key=client_key, name=name)
    serial = Serial(commission.pk)
    if request_id:
        # Before the holdings: a rival with the same id waits here, and then finds this serial rather than a full holding.
        IssuedRequest.objects.create(client_key=client_key, request_id=request_id, serial=serial, digest=digest)
    holdings = _lock_holdings(charge.key for charge in charges)
    _charge(holdings, charges, force)
    provisions = Provision.objects.bulk_create(
        [Provision(commission=commission, holder=c.holder, source=c.source, resource=c.resource, quantity=c.quantity)
         for c in charges if c.quantity], batch_size=BATCH)
    if auto_accept:
        _settle([commission], {commission.pk: provisions}, holdings, accept=True)
    return serial


def _find_request(client_key: str, request_id: str, digest: str) -> Serial | None:
    """The serial that an earlier request with this id got, unless that is too long ago to be a repetition."""
    known = IssuedRequest.objects.filter(client_key=client_key, request_id=request_id).first()
    if known is None:
        return None
    if known.created_at < timezone.now() - REQUESTS_KEPT:
        known.delete()
        return None
    if known.digest != digest:
        raise AlreadyExists("This request id was used for another commission.")
    return Serial(known.serial)


def _charge(holdings: dict[type_key, Holding], charges: Iterable[Charge], force: bool) -> None:
    """Count pending charges on locked holdings. All must exist before any is checked."""
    charges = list(charges)
    for charge in charges:
        if charge.key not in holdings:
            raise NoHolding(f"There is no holding of {charge.resource} for {charge.holder}.",
                            data={"name": "NoHoldingError", "provision": charge.describe()})
    for charge in charges:
        _apply(holdings[charge.key], charge, force)
    Holding.objects.bulk_update([holdings[charge.key] for charge in charges if charge.quantity], ["usage_min", "usage_max"],
                                batch_size=BATCH)


def _summed(charges: Iterable[Charge]) -> list[Charge]:
    """One charge a holding, in the order of first appearance."""
    sums: dict[type_key, int] = {}
    for charge in charges:
        sums[charge.key] = sums.get(charge.key, 0) + charge.quantity
    return [Charge(*key, quantity) for key, quantity in sums.items()]


def _digest(charges: list[Charge], force: bool, auto_accept: bool) -> str:
    content = [sorted([*charge.key, str(charge.quantity)] for charge in charges), force, auto_accept]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _lock_holdings(keys: Iterable[type_key]) -> dict[type_key, Holding]:
    """The holdings that exist, locked until the transaction ends. All lockers go by primary key: the names would be
    sorted otherwise by each database's collation.
    """
    wanted = sorted(set(keys))
    if len(wanted) <= BATCH:
        return {row.key: row for row in Holding.objects.select_for_update().filter(_any_of(wanted)).order_by("pk")} if wanted else {}
    ids: list[int] = []
    for start in range(0, len(wanted), BATCH):
        ids += Holding.objects.filter(_any_of(wanted[start : start + BATCH])).values_list("pk", flat=True)
    ids.sort()
    found: dict[type_key, Holding] = {}
    for start in range(0, len(ids), BATCH):
        rows = Holding.objects.select_for_update().filter(pk__in=ids[start : start + BATCH]).order_by("pk")
        found |= {row.key: row for row in rows}
    return found


def _any_of(keys: Iterable[type_key]) -> Q:
    condition = Q()
    for holder, source, resource in keys:
        condition |= Q(holder=holder, source=source, resource=resource)
    return condition


def _apply(holding: Holding, charge: Charge, force: bool) -> None:
    """Count a pending charge, or raise `QuotaExceeded`. A sum of zero only proves that the holding exists."""
    quantity = charge.quantity
    if quantity > 0:
        room = INFINITE if force else holding.limit
        if holding.usage_max + quantity > room:
            raise _exceeded("NoCapacityError", holding, charge, holding.limit, holding.usage_max)
        holding.usage_max += quantity
    elif quantity < 0:
        if holding.usage_min + quantity < 0:
            raise _exceeded("NoQuantityError", holding, charge, 0, holding.usage_min)
        holding.usage_min += quantity


def _exceeded(name: str, holding: Holding, charge: Charge, limit: int, usage: int) -> QuotaExceeded:
    level = "member" if holding.source else "project"
    data = {"name": name, "provision": charge.describe(), "limit": limit, "usage": usage, "level": level}
    if name == "NoQuantityError":
        return QuotaExceeded(f"Quota of {charge.resource}: more would be released than is used ({usage}).", data=data)
    text = f"Quota exceeded: {charge.resource} needs {charge.quantity}, but only {max(0, limit - usage)} of {limit} is left."
    return QuotaExceeded(text, data=data)


def resolve(client_key: str, *, accept: Sequence[Serial] = (), reject: Sequence[Serial] = ()) -> ResolveResult:
    """Settle serials of this client. Serials in both lists, unknown, foreign or already resolved ones come back as failed; the others are
    settled all the same.
    """
    both = set(accept) & set(reject)
    result = _Failures(failed=sorted(both))
    for serials, is_accept, done in ((accept, True, result.accepted), (reject, False, result.rejected)):
        wanted = sorted(set(serials) - both)
        # What no serial can be never reaches the database, which could not even compare it.
        result.failed += [serial for serial in wanted if not 0 < serial <= INFINITE]
        wanted = [serial for serial in wanted if 0 < serial <= INFINITE]
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            settled = set(_resolve(client_key, batch, is_accept))
            done.extend(serial for serial in batch if serial in settled)
            result.failed += [serial for serial in batch if serial not in settled]
    COMMISSIONS.labels("accepted").inc(len(result.accepted))
    COMMISSIONS.labels("rejected").inc(len(result.rejected))
    return ResolveResult(tuple(result.accepted), tuple(result.rejected), tuple(result.failed))


@transactional()
def _resolve(client_key: str, serials: list[Serial], accept: bool) -> list[Serial]:
    commissions = list(Commission.objects.select_for_update().filter(client_key=client_key, pk__in=serials).order_by("pk"))
    provisions: dict[int, list[Provision]] = {commission.pk: [] for commission in commissions}
    for provision in Provision.objects.filter(commission__in=commissions):
        provisions[provision.commission_id].append(provision)
    holdings = _lock_holdings(provision.key for group in provisions.values() for provision in group)
    _settle(commissions, provisions, holdings, accept=accept)
    return [Serial(commission.pk) for commission in commissions]


def _settle(commissions: list[Commission], provisions: Mapping[int, list[Provision]], holdings: dict[type_key, Holding], *, accept: bool) -> None:
    """Make pending charges definite, or undo them; log every line. Needs the locks."""
    touched: dict[type_key, Holding] = {}
    logs = []
    for commission in commissions:
        for provision in provisions[commission.pk]:
            holding = holdings.get(provision.key)
            if holding is None:
                raise BrokenInvariant("Internal error.", reason="a provision has no holding", serial=commission.pk, holding=provision.key)
            _finish(holding, provision.quantity, accept)
            touched[holding.key] = holding
            logs.append(_log_of(commission, provision, holding, accept))
    Holding.objects.bulk_update(touched.values(), ["usage_min", "usage_max"], batch_size=BATCH)
    ProvisionLog.objects.bulk_create(logs, batch_size=BATCH)
    Commission.objects.filter(pk__in=[commission.pk for commission in commissions]).delete()


def _finish(holding: Holding, quantity: int, accept: bool) -> None:
    """Accepting a charge, or rejecting a release, moves the lower bound up; the two others move the upper bound down."""
    if accept == (quantity > 0):
        holding.usage_min += abs(quantity)
    else:
        holding.usage_max -= abs(quantity)


def _log_of(commission: Commission, provision: Provision, holding: Holding, accept: bool) -> ProvisionLog:
    return ProvisionLog(
        serial=commission.pk, client_key=commission.client_key, name=commission.name, holder=provision.holder, source=provision.source,
        resource=provision.resource, limit=holding.limit, usage_min=holding.usage_min, usage_max=holding.usage_max,
        delta=provision.quantity if accept else 0, issued_at=commission.issued_at, reason="ACCEPT" if accept else "REJECT")


def get_commission(client_key: str, serial: int) -> tuple[Commission, list[Provision]]:
    """A pending commission of this client. Raises `NotFound`."""
    commission = Commission.objects.filter(client_key=client_key, pk=serial).first() if 0 < serial <= INFINITE else None
    if commission is None:
        raise NotFound(f"There is no pending commission {serial}.")
    return commission, list(commission.provisions.all())


def pending(client_key: str) -> list[CommissionInfo]:
    """Unresolved commissions of this client, by serial."""
    rows = Commission.objects.filter(client_key=client_key).order_by("pk")
    return [CommissionInfo(Serial(row.pk), row.name, row.issued_at) for row in rows]


def forget_old_requests() -> int:
    """Drop request ids that are too old to be repeated, a thousand at a time. Returns how many. Repeatable."""
    return _delete_in_steps(IssuedRequest.objects.filter(created_at__lt=timezone.now() - REQUESTS_KEPT))


def forget_old_logs(days: int) -> int:
    """Drop audit rows older than `days`, a thousand at a time. Returns how many. Repeatable."""
    return _delete_in_steps(ProvisionLog.objects.filter(logged_at__lt=timezone.now() - datetime.timedelta(days=days)))


def _delete_in_steps(rows: QuerySet[IssuedRequest] | QuerySet[ProvisionLog]) -> int:
    total = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:1000]):
        total += rows.model._default_manager.filter(pk__in=keys).delete()[0]
    return total


# Limits -----------------------------------------------------------------------------------------------------------


def set_limits_in_transaction(limits: Mapping[type_key, int]) -> None:
    """Set limits, making holdings that do not exist. Usage is never touched. Needs the caller's transaction; repeatable."""
    for limit in limits.values():
        if not 0 <= limit <= INFINITE:
            raise InvalidInput("A limit lies between 0 and 2^63-1.")
    known = _lock_holdings(limits)
    changed = []
    for key, holding in known.items():
        if holding.limit != limits[key]:
            holding.limit = limits[key]
            changed.append(holding)
    Holding.objects.bulk_update(changed, ["limit"], batch_size=BATCH)
    new = [Holding(holder=key[0], source=key[1], resource=key[2], limit=limits[key]) for key in sorted(limits) if key not in known]
    Holding.objects.bulk_create(new, batch_size=BATCH)


def drop_idle_in_transaction(keys: Iterable[type_key], *, only_without_limit: bool = False) -> int:
    """Delete those holdings that count nothing, pending included, and with `only_without_limit` have a limit of 0. Needs the caller's
    transaction. Returns how many.
    """
    idle = [row.pk for row in _lock_holdings(keys).values() if row.usage_max == 0 and not (only_without_limit and row.limit)]
    return sum(Holding.objects.filter(pk__in=idle[start : start + BATCH]).delete()[0] for start in range(0, len(idle), BATCH))
