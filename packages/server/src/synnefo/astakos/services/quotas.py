"""Quotas as users, services and operators read them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import structlog
from django.db.models import Q

from synnefo.astakos.models import ACTIVE_MEMBERSHIPS, Project, ProjectState, Resource
from synnefo.astakos.quotaholder import queries
from synnefo.astakos.services.limits import project_holder, user_holder
from synnefo.common.errors import Forbidden, NotFound
from synnefo.common.ids import ProjectID, UserID
from synnefo.common.ports import Caller, QuotaUsage

log = structlog.get_logger(__name__)
BATCH = 1000
T = TypeVar("T")
type_usages = dict[ProjectID, dict[str, QuotaUsage]]
type_quotas = dict[str, dict[str, dict[str, int]]]


def visible_names() -> set[str]:
    """Names of the resources that users see."""
    return set(Resource.objects.filter(api_visible=True).values_list("name", flat=True))


def component_names(component: str) -> set[str]:
    """Names of the resources that the component counts."""
    return set(Resource.objects.filter(component=component).values_list("name", flat=True))


def usages(*, user_ids: Iterable[str] | None, project_ids: Iterable[str] | None,
           resources: Iterable[str]) -> dict[UserID, type_usages]:
    """Member holdings beside their project's, by user, project and resource. One query for each thousand users."""
    if user_ids is None:
        return dict(stream_usages(project_ids=project_ids, resources=resources))
    projects = None if project_ids is None else list(project_ids)
    names = list(resources)
    return dict(itertools.chain.from_iterable(
        stream_usages(user_ids=batch, project_ids=projects, resources=names) for batch in _batches(user_ids)))


def stream_usages(*, user_ids: Iterable[str] | None = None, project_ids: Iterable[str] | None = None,
                  resources: Iterable[str]) -> Iterator[tuple[UserID, type_usages]]:
    """As `usages`, user after user in the order of their uuids. One query, in bounded memory."""
    rows = queries.members_with_tops(
        holders=None if user_ids is None else [user_holder(item) for item in user_ids],
        sources=None if project_ids is None else [project_holder(item) for item in project_ids], resources=resources)
    for holder, group in itertools.groupby(rows.iterator(chunk_size=BATCH), key=lambda row: row.holder):
        found: type_usages = {}
        for row in group:
            found.setdefault(ProjectID(row.source.removeprefix("project:")), {})[row.resource] = _usage_of(row)
        yield UserID(holder.removeprefix("user:")), found


def _usage_of(row: Any) -> QuotaUsage:
    if row.top_limit is None:
        log.error("quota.holding.missing", holder=row.source, resource=row.resource)
        return QuotaUsage(row.limit, row.usage_max, row.usage_max - row.usage_min, 0, 0, 0)
    return QuotaUsage(row.limit, row.usage_max, row.usage_max - row.usage_min, row.top_limit, row.top_max, row.top_max - row.top_min)


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(values)
    while batch := list(itertools.islice(iterator, BATCH)):
        yield batch


def as_dict(usage: QuotaUsage) -> dict[str, int]:
    """The six fields of the API."""
    return {"limit": usage.limit, "usage": usage.usage, "pending": usage.pending, "project_limit": usage.project_limit,
            "project_usage": usage.project_usage, "project_pending": usage.project_pending}


def as_dicts(found: type_usages) -> type_quotas:
    """One user's quotas as the API shows them."""
    return {project: {name: as_dict(usage) for name, usage in resources.items()} for project, resources in found.items()}


def effective_limit(usage: QuotaUsage) -> int:
    """What the user can reach at most, given what the others in the project use."""
    return max(0, min(usage.limit, usage.project_limit - (usage.project_usage - usage.usage)))


def quotas_of(user_id: UserID, *, with_former: bool = False) -> type_quotas:
    """The user's quotas by project, visible resources only: of projects he is a member of, and with `with_former` of
    those he left while something of his is still counted there. Three queries.
    """
    found = usages(user_ids=[user_id], project_ids=None, resources=visible_names()).get(user_id, {})
    current = set(Project.objects.exclude(state=ProjectState.DELETED).filter(
        memberships__user__uuid=user_id, memberships__state__in=ACTIVE_MEMBERSHIPS).values_list("uuid", flat=True))
    return as_dicts({project: resources for project, resources in found.items()
                     if project in current or (with_former and any(usage.usage for usage in resources.values()))})


def project_quotas(project_ids: Iterable[str] | None, resources: Iterable[str]) -> type_quotas:
    """Project holdings by project and resource. One query."""
    holders = None if project_ids is None else [project_holder(item) for item in project_ids]
    found: type_quotas = {}
    for row in queries.holdings(holders=holders, sources=[""], resources=resources):
        found.setdefault(row.holder.removeprefix("project:"), {})[row.resource] = {
            "project_limit": row.limit, "project_usage": row.usage_max, "project_pending": row.usage_max - row.usage_min}
    return found


def page_of_users(after: str, limit: int, resources: Iterable[str]) -> tuple[list[str], bool]:
    """At most `limit` users with holdings after the given uuid, and whether there are more."""
    return _page("user:", after, limit, resources)


def page_of_projects(after: str, limit: int, resources: Iterable[str]) -> tuple[list[str], bool]:
    """At most `limit` projects with holdings after the given uuid, and whether there are more."""
    return _page("project:", after, limit, resources)


def _page(prefix: str, after: str, limit: int, resources: Iterable[str]) -> tuple[list[str], bool]:
    names = queries.holder_names(after=prefix + after, limit=limit + 1, members=prefix == "user:", resources=resources)
    return [name.removeprefix(prefix) for name in names[:limit]], len(names) > limit


def shared_project_quotas(caller: Caller, project_ids: Sequence[str] | None, *, with_members: bool) -> dict[str, dict[str, Any]]:
    """Totals of projects for a member, the owner or an administrator; with `with_members` also each member's counters,
    for the owner and administrators only. None means all projects the caller belongs to or owns.

    Raises `NotFound` for a project that does not exist or is none of the caller's, `Forbidden`.
    """
    belongs = Q(memberships__user__uuid=caller.user_id, memberships__state__in=ACTIVE_MEMBERSHIPS) | Q(owner__uuid=caller.user_id)
    rows = Project.objects.exclude(state=ProjectState.DELETED).select_related("owner")
    rows = rows.filter(uuid__in=project_ids) if project_ids is not None else rows.filter(belongs)
    if not caller.is_admin:
        rows = rows.filter(belongs)
    projects = list(rows.distinct().order_by("pk"))
    missing = set(project_ids or ()) - {project.uuid for project in projects}
    if missing:
        raise NotFound(f"Project {min(missing)} does not exist.")
    if with_members and not caller.is_admin and any(item.owner is None or item.owner.uuid != caller.user_id for item in projects):
        raise Forbidden("Only the owner of a project sees what each member uses.")
    uuids, names = [project.uuid for project in projects], visible_names()
    totals = project_quotas(uuids, names)
    answer: dict[str, dict[str, Any]] = {uuid: dict(totals.get(uuid, {})) for uuid in uuids}
    return _with_members(answer, names) if with_members else answer


def _with_members(answer: dict[str, dict[str, Any]], names: Iterable[str]) -> dict[str, dict[str, Any]]:
    members: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for user, projects in stream_usages(project_ids=answer, resources=names):
        for project, resources in projects.items():
            members.setdefault(project, {})[user] = {
                name: {"limit": item.limit, "usage": item.usage, "pending": item.pending} for name, item in resources.items()}
    return {project: {**resources, "members": members.get(project, {})} for project, resources in answer.items()}
