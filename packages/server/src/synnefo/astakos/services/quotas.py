"""Quotas as users, services and operators read them, and the check of limits against the rule that gives them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from synnefo.astakos.models import ACTIVE_MEMBERSHIPS, Project, ProjectState, Resource
from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.models import Holding
from synnefo.astakos.services import limits
from synnefo.astakos.services.limits import project_holder, user_holder
from synnefo.common.db import transactional
from synnefo.common.ids import ProjectID, UserID
from synnefo.common.ports import QuotaUsage

type_quotas = dict[str, dict[str, dict[str, int]]]


def visible_names() -> set[str]:
    return set(Resource.objects.filter(api_visible=True).values_list("name", flat=True))


def component_names(component: str) -> set[str]:
    """Names of the resources that the component counts."""
    return set(Resource.objects.filter(component=component).values_list("name", flat=True))


def usages(*, user_ids: Iterable[str] | None, project_ids: Iterable[str] | None, resources: set[str]) -> dict[UserID, dict[ProjectID, dict[str, QuotaUsage]]]:
    """Member holdings beside their project's, by user, project and resource. Two queries."""
    holders = None if user_ids is None else [user_holder(item) for item in user_ids]
    sources = None if project_ids is None else [project_holder(item) for item in project_ids]
    members = [item for item in ledger.holdings(holders=holders, sources=sources, resources=resources) if item.source]
    tops = {(item.holder, item.resource): item for item in ledger.holdings(
        holders={item.source for item in members}, sources=[""], resources=resources)}
    found: dict[UserID, dict[ProjectID, dict[str, QuotaUsage]]] = {}
    for item in members:
        top = tops[(item.source, item.resource)]
        usage = QuotaUsage(item.limit, item.usage_max, item.usage_max - item.usage_min, top.limit, top.usage_max, top.usage_max - top.usage_min)
        user, project = UserID(item.holder.removeprefix("user:")), ProjectID(item.source.removeprefix("project:"))
        found.setdefault(user, {}).setdefault(project, {})[item.resource] = usage
    return found


def quotas_of(user_id: UserID) -> type_quotas:
    """The user's quotas by project and resource, as the API shows them: visible resources of projects he is a member of."""
    active = {project.uuid for project in _projects_of(user_id)}
    found = usages(user_ids=[user_id], project_ids=active, resources=visible_names()).get(user_id, {})
    return {project: {name: as_dict(usage) for name, usage in resources.items()} for project, resources in found.items()}


def _projects_of(user_id: UserID) -> Sequence[Project]:
    return list(Project.objects.filter(memberships__user__uuid=user_id, memberships__state__in=ACTIVE_MEMBERSHIPS).exclude(
        state=ProjectState.DELETED))


def as_dict(usage: QuotaUsage) -> dict[str, int]:
    """The six fields of the API."""
    return {"limit": usage.limit, "usage": usage.usage, "pending": usage.pending, "project_limit": usage.project_limit,
            "project_usage": usage.project_usage, "project_pending": usage.project_pending}


def project_quotas(project_ids: Iterable[str] | None, resources: set[str]) -> type_quotas:
    """Project holdings by project and resource."""
    holders = None if project_ids is None else [project_holder(item) for item in project_ids]
    found: type_quotas = {}
    for item in ledger.holdings(holders=holders, sources=[""], resources=resources):
        found.setdefault(item.holder.removeprefix("project:"), {})[item.resource] = {
            "project_limit": item.limit, "project_usage": item.usage_max, "project_pending": item.usage_max - item.usage_min}
    return found


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A limit that is not what project and membership say; `found` is None when the holding is missing."""

    key: ledger.type_key
    expected: int
    found: int | None


def verify() -> Iterator[Mismatch]:
    """Every limit of the ledger against the rule."""
    known: dict[ledger.type_key, Holding] = {item.key: item for item in ledger.holdings()}
    for key, limit in limits.expected(list(Project.objects.all())):
        holding = known.get(key)
        if holding is None or holding.limit != limit:
            yield Mismatch(key, limit, holding.limit if holding else None)


@transactional()
def repair(mismatches: Sequence[Mismatch]) -> None:
    """Set the limits right. Usage is never touched."""
    ledger.set_limits_in_transaction({item.key: item.expected for item in mismatches})


__all__ = ["Mismatch", "as_dict", "component_names", "project_quotas", "quotas_of", "repair", "usages", "verify", "visible_names"]
