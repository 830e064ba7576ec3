"""What the projects API shows."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from django.db.models import Max

from synnefo.astakos.models import (
    ApplicationQuota,
    MembershipLog,
    Project,
    ProjectApplication,
    ProjectLog,
    ProjectMembership,
    ProjectResourceQuota,
    ProjectState,
    User,
)
from synnefo.astakos.services import project_members, project_rules
from synnefo.common.describe import Reply

Word = Literal["auto", "moderated", "closed"]
ENDED = (ProjectState.SUSPENDED, ProjectState.TERMINATED)


class CapacitiesReply(Reply):
    member_capacity: int
    project_capacity: int


class ApplicationReply(Reply):
    id: int
    state: Literal["pending", "approved", "replaced", "denied", "dismissed", "cancelled"]
    name: str | None
    owner: str | None
    applicant: str
    homepage: str | None
    description: str | None
    start_date: str | None
    end_date: str | None
    comments: str
    join_policy: Word | None
    leave_policy: Word | None
    max_members: int | None
    private: bool | None
    resources: dict[str, CapacitiesReply]


class ApplicationOfProject(ApplicationReply):
    project: str


class ProjectReply(Reply):
    id: str
    state: Literal["uninitialized", "active", "suspended", "terminated", "deleted"]
    creation_date: str
    name: str
    owner: str | None
    homepage: str
    description: str
    end_date: str
    join_policy: Word
    leave_policy: Word
    max_members: int
    private: bool
    system_project: bool
    resources: dict[str, CapacitiesReply]
    last_application: ApplicationReply | None = None
    deactivation_date: str = ""


class SubmittedReply(Reply):
    id: str
    application: int


class MembershipIdReply(Reply):
    id: int


class MembershipReply(Reply):
    id: int
    user: str
    project: str
    state: Literal["requested", "accepted", "leave_requested", "suspended", "rejected", "cancelled", "removed"]
    allowed_actions: list[str]
    requested: str = ""
    accepted: str = ""
    leave_requested: str = ""
    suspended: str = ""
    rejected: str = ""
    cancelled: str = ""
    removed: str = ""


def date(value: datetime.datetime) -> str:
    """ISO 8601 in UTC, with its offset."""
    return value.astimezone(datetime.UTC).isoformat()


def _capacities(rows: Iterable[ProjectResourceQuota | ApplicationQuota]) -> dict[str, dict[str, int]]:
    return {item.resource.name: {"member_capacity": item.member_capacity, "project_capacity": item.project_capacity} for item in rows}


def projects(rows: Sequence[Project], actor: User) -> list[dict[str, Any]]:
    """Details of projects with `owner` and `last_application` loaded; what only managers see only for them. Four queries."""
    is_admin = project_rules.is_admin(actor)
    quotas: dict[int, list[ProjectResourceQuota]] = {}
    for item in ProjectResourceQuota.objects.filter(project__in=rows, resource__api_visible=True).select_related("resource").order_by("resource__name"):
        quotas.setdefault(item.project_id, []).append(item)
    managed = [row for row in rows if is_admin or row.owner_id == actor.pk
               or (row.last_application is not None and row.last_application.applicant_id == actor.pk)]
    ended = dict(ProjectLog.objects.filter(project__in=managed, to_state__in=ENDED).order_by().values_list("project").annotate(Max("date")))
    shown = {item["id"]: item for item in applications([row.last_application for row in managed if row.last_application is not None])}
    answers = []
    for row in rows:
        answer = _project(row, quotas.get(row.pk, []))
        if row in managed:
            answer["last_application"] = shown.get(row.last_application_id)
            if row.pk in ended:
                answer["deactivation_date"] = date(ended[row.pk])
        answers.append(answer)
    return answers


def _project(row: Project, quotas: Iterable[ProjectResourceQuota]) -> dict[str, Any]:
    return {
        "id": row.uuid, "state": row.state, "creation_date": date(row.created_at), "name": row.realname,
        "owner": row.owner.uuid if row.owner else None, "homepage": row.homepage, "description": row.description,
        "end_date": date(row.end_date), "join_policy": row.join_policy, "leave_policy": row.leave_policy, "max_members": row.max_members,
        "private": row.private, "system_project": row.is_base, "resources": _capacities(quotas)}


def applications(rows: Sequence[ProjectApplication]) -> list[dict[str, Any]]:
    """Applications with `applicant` and `owner` loaded. One query."""
    quotas: dict[int, list[ApplicationQuota]] = {}
    found = ApplicationQuota.objects.filter(application__in=rows, resource__api_visible=True)
    for item in found.select_related("resource").order_by("resource__name"):
        quotas.setdefault(item.application_id, []).append(item)
    return [{
        "id": row.pk, "state": row.state, "name": row.name, "owner": row.owner.uuid if row.owner else None, "applicant": row.applicant.uuid,
        "homepage": row.homepage, "description": row.description, "start_date": date(row.start_date) if row.start_date else None,
        "end_date": date(row.end_date) if row.end_date else None, "comments": row.comments, "join_policy": row.join_policy,
        "leave_policy": row.leave_policy, "max_members": row.max_members, "private": row.private,
        "resources": _capacities(quotas.get(row.pk, []))} for row in rows]


def memberships(rows: Sequence[ProjectMembership], actor: User) -> list[dict[str, Any]]:
    """Memberships with `project` and `user` loaded, and when each state was reached last. Two queries."""
    is_admin = project_rules.is_admin(actor)
    dates: dict[int, dict[str, str]] = {}
    found = MembershipLog.objects.filter(membership__in=rows).order_by().values_list("membership", "to_state").annotate(Max("date"))
    for number, state, when in found:
        dates.setdefault(number, {})[state] = date(when)
    return [{"id": row.pk, "user": row.user.uuid, "project": row.project.uuid, "state": row.state,
             "allowed_actions": project_members.allowed_actions(row, actor, is_admin=is_admin), **dates.get(row.pk, {})} for row in rows]


def log(project: Project) -> list[dict[str, Any]]:
    """What became of the project and of its members, in the order of time. Two queries."""
    rows = [(row, "project") for row in ProjectLog.objects.filter(project=project)]
    members = [(row, "membership") for row in MembershipLog.objects.filter(membership__project=project)]
    return [{"date": date(row.date), "from": row.from_state or None, "to": row.to_state, "actor": row.actor or None, "reason": row.reason,
             "kind": kind} for row, kind in sorted([*rows, *members], key=lambda item: item[0].date)]
