"""Pages about who is in a project and what each uses of it, for its owner and administrators."""

from __future__ import annotations

import csv
import io
from typing import Any, cast
from urllib.parse import quote

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from synnefo.astakos.models import SEATED, MembershipState, Project, ProjectMembership, User
from synnefo.astakos.services import project_members, project_rules, projects, quotas
from synnefo.astakos.ui.project_frame import amount_text, project_page, user_of
from synnefo.astakos.ui.projects import LABELS, MAX_EMAILS
from synnefo.common import resource_texts
from synnefo.common.errors import DomainError, NotFound
from synnefo.common.settings import conf

TABS = {"all": ("All", (*SEATED, MembershipState.REQUESTED)), "approved": ("Members", SEATED),
        "pending": ("Waiting", (MembershipState.REQUESTED, MembershipState.LEAVE_REQUESTED))}
DONE = {"accept": "Accepted", "reject": "Rejected", "remove": "Removed"}
OF_OTHERS = {"accept", "reject", "remove", "deny_leave"}
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""How texts begin that spreadsheets would compute."""


def _managed(request: HttpRequest, uuid: str) -> Project:
    """Raises `NotFound`, `Forbidden`."""
    project = projects.get_project(uuid)
    project_rules.require_visible(user_of(request), project)
    project_rules.require_manager(user_of(request), project)
    if project.is_base:
        raise NotFound("A user's own project has no other members.")
    return project


@project_page("GET", "HEAD")
def members(request: HttpRequest, uuid: str, tab: str = "all") -> HttpResponse:
    project = _managed(request, uuid)
    counts = project.memberships.aggregate(**{name: Count("pk", filter=Q(state__in=states)) for name, (_, states) in TABS.items()})
    found = Paginator(_rows(project, TABS[tab][1]), conf.ASTAKOS_PAGINATE_BY).get_page(request.GET.get("page"))
    is_admin = project_rules.is_admin(user_of(request))
    lines = []
    for row in found:
        row.project = project
        allowed = project_members.allowed_actions(row, user_of(request), is_admin=is_admin)
        lines.append({"row": row, "state": row.state.replace("_", " "), "since": row.since, "actions": [(name, LABELS[name]) for name in allowed if name in OF_OTHERS]})
    return render(request, "astakos/projects/members.html", {
        "project": project, "lines": lines, "page": found, "tab": tab,
        "tabs": [(name, label, counts[name]) for name, (label, _) in TABS.items()]})


def _rows(project: Project, states: Any) -> QuerySet[ProjectMembership, Any]:
    """Those who wait first. `since`: when the present state began."""
    return (project.memberships.select_related("user").filter(state__in=states).annotate(since=Max("log__date"))
            .order_by("-state", "user__email"))


@project_page("POST")
def act_on_several(request: HttpRequest, uuid: str, action: str) -> HttpResponse:
    """Accept, reject or remove the members of the field `members`: each for himself, and whoever has changed meanwhile is named."""
    if action not in DONE:
        raise NotFound("There is no such action.")
    project = projects.get_project(uuid)
    user = user_of(request)
    project_rules.require_manager(user, project)
    numbers = {int(text) for text in request.POST.getlist("members")[:MAX_EMAILS] if text.isascii() and text.isdigit() and len(text) < 19}
    done = []
    for row in project.memberships.select_related("user").filter(pk__in=numbers).order_by("user__email"):
        try:
            project_members.act(user, row.pk, action)
            done.append(row.user.email)
        except DomainError as error:
            messages.error(request, f"{row.user.email}: {error.public}")
    if done:
        messages.success(request, f"{DONE[action]}: {', '.join(done)}.")
    elif not numbers:
        messages.info(request, "Choose members first.")
    return redirect("astakos-project-members", uuid=project.uuid)


@project_page("GET", "HEAD")
def usage(request: HttpRequest, uuid: str) -> HttpResponse:
    """What each member uses of the project, by `sort` (a resource); former members stay listed while they use something. `format=csv`: as a file."""
    project = _managed(request, uuid)
    resources = [row.resource for row in sorted(project.quotas.select_related("resource").filter(resource__ui_visible=True),
                                                key=lambda row: resource_texts.of(row.resource.name).order)]
    names = [item.name for item in resources]
    seated = dict(project.memberships.filter(state__in=SEATED).values_list("user__uuid", "user__email"))
    found = {str(uuid): used.get(cast(Any, project.uuid), {}) for uuid, used in quotas.stream_usages(project_ids=[project.uuid], resources=names)}
    former = {uuid for uuid, used in found.items() if uuid not in seated and any(item.usage for item in used.values())}
    emails = seated | dict(User.objects.filter(uuid__in=former).values_list("uuid", "email"))
    lines = [(email, uuid in seated, [getattr(found.get(uuid, {}).get(name), "usage", 0) for name in names]) for uuid, email in emails.items()]
    chosen = request.GET.get("sort", "")
    column = names.index(chosen) if chosen in names else None
    lines.sort(key=lambda line: line[0] if column is None else (-line[2][column], line[0]))
    if request.GET.get("format") == "csv":
        return _as_csv(project, names, lines)
    page = Paginator(lines, conf.ASTAKOS_PAGINATE_BY).get_page(request.GET.get("page"))
    shown = [(email, is_member, [amount_text(value, item.unit) for value, item in zip(values, resources, strict=True)]) for email, is_member, values in page]
    return render(request, "astakos/projects/usage.html", {
        "project": project, "columns": [(name, resource_texts.of(name).label) for name in names], "lines": shown, "page": page,
        "sort": chosen if column is not None else "", "query": f"&sort={quote(chosen)}" if column is not None else ""})


def _as_csv(project: Project, names: list[str], lines: list[tuple[str, bool, list[int]]]) -> HttpResponse:
    """Amounts in bytes and counts, for spreadsheets."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["e-mail", "member", *names])
    for email, is_member, values in lines:
        writer.writerow([f"'{email}" if email.startswith(FORMULAS) else email, "yes" if is_member else "no", *values])
    return HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8",
                        headers={"Content-Disposition": f'attachment; filename="usage-{project.uuid}.csv"'})
