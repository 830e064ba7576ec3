"""Pages about applications: what one would change, and those that wait for an administrator."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from synnefo.astakos.models import (
    ApplicationQuota,
    ApplicationState,
    ProjectApplication,
    ProjectResourceQuota,
    ProjectState,
    Resource,
    User,
)
from synnefo.astakos.services import applications, project_definitions, project_rules
from synnefo.astakos.ui.project_frame import amount_text, project_page, user_of
from synnefo.common import resource_texts
from synnefo.common.errors import Forbidden
from synnefo.common.ports import INFINITE
from synnefo.common.settings import conf

LABELS = {"owner": "Owner", "homepage": "Homepage", "description": "Description", "end_date": "Ends", "join_policy": "Joining",
          "leave_policy": "Leaving", "max_members": "Members at most", "private": "Private"}


def described(application: ProjectApplication) -> dict[str, Any]:
    """What templates show of one: `rows` of (what, now, asked for); `now` is empty where the project is new."""
    project = application.project
    is_change = application.is_modification
    rows = []
    if application.name is not None:
        rows.append(("Name", project.realname if is_change else "", application.name))
    for name in project_definitions.PLAIN:
        value = getattr(application, name)
        now = getattr(project, name) if is_change else None
        if value not in (None, "", application.applicant) and value != now:
            rows.append((LABELS[name], _in_words(name, now), _in_words(name, value)))
    known = {item.resource_id: item for item in project.quotas.select_related("resource")} if is_change else {}
    rows += [(resource_texts.of(item.resource.name).label, _limits(known[item.resource_id]) if item.resource_id in known else "", _limits(item))
             for item in application.quotas.select_related("resource").order_by("resource__name")]
    return {"row": application, "rows": rows, "is_change": is_change}


def _limits(item: ApplicationQuota | ProjectResourceQuota) -> str:
    unit = item.resource.unit
    return f"{amount_text(item.member_capacity, unit)} each, {amount_text(item.project_capacity, unit)} together"


def _in_words(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "end_date":
        return f"{value:%Y-%m-%d}"
    if name == "private":
        return "yes" if value else "no"
    return amount_text(value, "") if name == "max_members" else str(value)


def answers(application: ProjectApplication, user: User, *, is_admin: bool) -> list[tuple[str, str]]:
    """What the user may do with it, as (name, label)."""
    mine = is_admin or application.applicant_id == user.pk
    if application.project.last_application_id != application.pk:
        names = []
    elif application.state == ApplicationState.PENDING:
        names = (["approve", "deny"] if is_admin else []) + (["cancel"] if mine else [])
    else:
        names = ["dismiss"] if mine and application.state == ApplicationState.DENIED else []
    return [(name, name.capitalize()) for name in names]


@project_page("GET", "HEAD")
def show(request: HttpRequest, number: int) -> HttpResponse:
    """For its applicant, the owner of the project and administrators."""
    user = user_of(request)
    application = applications.get(number)
    if application.applicant_id != user.pk and not project_rules.is_manager(user, application.project):
        raise Forbidden("You have no access to this application.")
    context = described(application) | {"actions": answers(application, user, is_admin=project_rules.is_admin(user))}
    return render(request, "astakos/projects/application.html", {"application": context, "project": application.project})


@project_page("GET", "HEAD")
def inbox(request: HttpRequest) -> HttpResponse:
    """Applications that wait, oldest first, and what projects may use already, for administrators."""
    project_rules.require_admin(user_of(request))
    waiting = ProjectApplication.objects.filter(state=ApplicationState.PENDING).select_related("project", "applicant").order_by("issued_at", "pk")
    page = Paginator(waiting.prefetch_related("quotas__resource"), conf.ASTAKOS_PAGINATE_BY).get_page(request.GET.get("page"))
    lines = [{"row": item, "asked": [f"{resource_texts.of(quota.resource.name).label}: {amount_text(quota.project_capacity, quota.resource.unit)}"
                                     for quota in sorted(item.quotas.all(), key=lambda quota: resource_texts.of(quota.resource.name).order)]} for item in page]
    return render(request, "astakos/projects/inbox.html", {"lines": lines, "page": page, "totals": _totals()})


def _totals() -> list[tuple[str, str, str]]:
    """(resource, given to active projects, asked for): finite amounts only. Two queries."""
    given, asked = (dict(rows.filter(project_capacity__lt=INFINITE).values_list("resource").annotate(total=Sum("project_capacity"))) for rows in (
        ProjectResourceQuota.objects.filter(project__state=ProjectState.ACTIVE, project__is_base=False),
        ApplicationQuota.objects.filter(application__state=ApplicationState.PENDING)))
    found = sorted(Resource.objects.filter(pk__in=asked), key=lambda row: resource_texts.of(row.name).order)
    return [(resource_texts.of(item.name).label, amount_text(given.get(item.pk, 0), item.unit), amount_text(asked[item.pk], item.unit)) for item in found]
