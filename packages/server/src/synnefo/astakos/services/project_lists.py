"""Lists of projects, memberships and applications, as far as the caller may see them."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from synnefo.astakos.models import (
    ACTIVE_MEMBERSHIPS,
    ApplicationState,
    Project,
    ProjectApplication,
    ProjectMembership,
    ProjectState,
    User,
)
from synnefo.astakos.services import project_rules
from synnefo.astakos.services.projects import get_project
from synnefo.common.errors import InvalidInput

MODES = ("default", "member", "related", "active")


def _loaded() -> QuerySet[Project]:
    return Project.objects.select_related("owner", "last_application", "last_application__applicant", "last_application__owner")


def get_visible(actor: User, uuid: str) -> Project:
    """Raises `NotFound`, `Forbidden`."""
    project = _loaded().get(pk=get_project(uuid).pk)
    project_rules.require_visible(actor, project)
    return project


def projects(actor: User, *, mode: str, states: list[str] | None, owner: str | None, name: str | None, marker: str, limit: int) -> list[Project]:
    """By creation and uuid, at most `limit` after the project `marker`. Raises `InvalidInput`."""
    if mode not in MODES:
        raise InvalidInput(f"mode must be one of: {', '.join(MODES)}.", field="mode")
    unknown = set(states or ()) - set(ProjectState.values)
    if unknown:
        raise InvalidInput(f"state must be of: {', '.join(ProjectState.values)}.", field="state")
    rows = _loaded().filter(_of_mode(actor, mode))
    if states is not None:
        rows = rows.filter(state__in=states)
    if owner is not None:
        rows = rows.filter(owner__uuid=owner.lower())
    if name is not None:
        rows = rows.filter(realname=name)
    return list(_after(rows, marker).order_by("created_at", "uuid")[:limit])


def _after(rows: QuerySet[Project], marker: str) -> QuerySet[Project]:
    if not marker:
        return rows
    last = rows.filter(uuid=marker.lower()).first()
    if last is None:
        raise InvalidInput("marker is not a project of this list.", field="marker")
    return rows.filter(Q(created_at__gt=last.created_at) | Q(created_at=last.created_at, uuid__gt=last.uuid))


def _of_mode(actor: User, mode: str) -> Q:
    if mode == "member":
        mine = ProjectMembership.objects.filter(user=actor, state__in=ACTIVE_MEMBERSHIPS)
        return Q(state=ProjectState.ACTIVE, pk__in=mine.values("project"))
    if project_rules.is_admin(actor):
        return Q()
    public = Q(state=ProjectState.ACTIVE, private=False)
    return {"related": project_rules.related_to(actor), "active": public, "default": project_rules.related_to(actor) | public}[mode]


def applications(actor: User, *, project: str | None, states: list[str] | None, after: int, limit: int) -> list[ProjectApplication]:
    """Those of which the caller is the applicant or owns the project; all for administrators. By number, at most `limit` after the
    number `after`. Raises `InvalidInput`.
    """
    if set(states or ()) - set(ApplicationState.values):
        raise InvalidInput(f"state must be of: {', '.join(ApplicationState.values)}.", field="state")
    rows = ProjectApplication.objects.select_related("project", "project__owner", "applicant", "owner").filter(pk__gt=after)
    if not project_rules.is_admin(actor):
        rows = rows.filter(Q(applicant=actor) | Q(project__owner=actor))
    if project is not None:
        rows = rows.filter(project__uuid=project.lower())
    if states is not None:
        rows = rows.filter(state__in=states)
    return list(rows.order_by("pk")[:limit])
