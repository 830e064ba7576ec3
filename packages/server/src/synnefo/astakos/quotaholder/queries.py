"""Reading the ledger without changing it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import BigIntegerField, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Abs, Coalesce

from synnefo.astakos.quotaholder.models import Holding, Provision


def holdings(*, holders: Iterable[str] | None = None, sources: Iterable[str] | None = None,
             resources: Iterable[str] | None = None) -> QuerySet[Holding]:
    """Holdings by exact names, by primary key; None means any."""
    rows = Holding.objects.order_by("pk")
    if holders is not None:
        rows = rows.filter(holder__in=list(holders))
    if sources is not None:
        rows = rows.filter(source__in=list(sources))
    if resources is not None:
        rows = rows.filter(resource__in=list(resources))
    return rows


def members_with_tops(*, holders: Iterable[str] | None = None, sources: Iterable[str] | None = None,
                      resources: Iterable[str] | None = None) -> QuerySet[Holding]:
    """Member holdings by holder, each with `top_limit`, `top_min` and `top_max` of the holding above it.

    One query that can be streamed. The three are None where the holding above is missing.
    """
    top = Holding.objects.filter(holder=OuterRef("source"), source="", resource=OuterRef("resource"))
    return holdings(holders=holders, sources=sources, resources=resources).exclude(source="").annotate(
        top_limit=Subquery(top.values("limit")), top_min=Subquery(top.values("usage_min")), top_max=Subquery(top.values("usage_max")),
    ).order_by("holder", "source", "resource")


def holder_names(*, after: str, limit: int, members: bool, resources: Iterable[str]) -> list[str]:
    """Names of at most `limit` holders after the given one, in order: of member holdings, or of those at the top."""
    rows = holdings(resources=resources).filter(holder__gt=after)
    rows = rows.exclude(source="") if members else rows.filter(source="")
    return list(rows.order_by("holder").values_list("holder", flat=True).distinct()[:limit])


def over_limit() -> Q:
    """Condition: more is used than the limit allows."""
    return Q(usage_max__gt=F("limit"))


def with_wrong_pending() -> QuerySet[Any]:
    """Holdings whose two counters differ by something else than their pending provisions, as `expected_pending`. Empty unless
    the database was tampered with. One statement, so that commissions under way cannot disturb it.
    """
    provisions = Provision.objects.filter(holder=OuterRef("holder"), source=OuterRef("source"), resource=OuterRef("resource"))
    total = provisions.order_by().values("resource").annotate(total=Sum(Abs("quantity"))).values("total")
    return Holding.objects.order_by("pk").annotate(
        expected_pending=Coalesce(Subquery(total), 0, output_field=BigIntegerField()),
    ).exclude(usage_max=F("usage_min") + F("expected_pending"))


def with_wrong_total() -> QuerySet[Any]:
    """Holdings at the top that do not count what their members count together, as `members_min` and `members_max`."""
    members = Holding.objects.filter(source=OuterRef("holder"), resource=OuterRef("resource")).order_by().values("resource")

    def total(column: str) -> Coalesce:
        return Coalesce(Subquery(members.annotate(total=Sum(column)).values("total")), 0, output_field=BigIntegerField())

    return Holding.objects.filter(source="").order_by("pk").annotate(members_min=total("usage_min"), members_max=total("usage_max")).exclude(
        usage_min=F("members_min"), usage_max=F("members_max"))
