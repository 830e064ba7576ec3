"""Pages of projects: what there is, what one is made of, and what people may do with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from synnefo.astakos.models import (
    SEATED,
    ApplicationState,
    MembershipState,
    Project,
    ProjectMembership,
    ProjectState,
    User,
)
from synnefo.astakos.services import applications, project_members, project_rules, projects, quotas
from synnefo.astakos.services.project_status import pending_application, status_of
from synnefo.astakos.ui.applications import answers, described
from synnefo.astakos.ui.project_frame import amount_text, project_page, user_of
from synnefo.common import resource_texts
from synnefo.common.errors import NotFound, StateConflict
from synnefo.common.settings import conf

MAX_EMAILS = 200
ANSWERS: Mapping[str, tuple[Callable[..., None], str]] = {
    "approve": (applications.approve, "The application is approved."), "deny": (applications.deny, "The application is denied."),
    "cancel": (applications.cancel, "The application is withdrawn."), "dismiss": (applications.dismiss, "The denied application is put away.")}
LABELS = {"leave": "Leave", "cancel": "Cancel request", "accept": "Accept", "reject": "Reject", "remove": "Remove",
          "deny_leave": "Refuse to let go", "cancel_leave": "Stay after all"}
RESULTS = {MembershipState.ACCEPTED: "You are a member now.", MembershipState.REQUESTED: "Your request waits for the owner of the project.",
           MembershipState.REMOVED: "You have left. What you have in the project stays, and counts there, until you remove or move it.",
           MembershipState.LEAVE_REQUESTED: "Your request to leave waits for the owner.", MembershipState.CANCELLED: "Your request is withdrawn."}


@project_page("GET", "HEAD")
def index(request: HttpRequest) -> HttpResponse:
    """The user's projects; for administrators all of them. Deleted ones are hidden."""
    is_admin = project_rules.is_admin(user_of(request))
    rows = Project.objects.exclude(state=ProjectState.DELETED)
    rows = rows if is_admin else rows.filter(project_rules.related_to(user_of(request)))
    if not (is_admin and request.GET.get("show_base")):
        rows = rows.filter(is_base=False)
    return _listed(request, rows, is_search=False, is_admin=is_admin)


@project_page("GET", "HEAD")
def search(request: HttpRequest) -> HttpResponse:
    """Projects that everybody may ask to join."""
    rows = Project.objects.filter(state=ProjectState.ACTIVE, private=False, is_base=False)
    text = request.GET.get("q", "").replace("\0", "")[:80]
    return _listed(request, rows.filter(realname__icontains=text) if text else rows, is_search=True, text=text)


def _listed(request: HttpRequest, rows: Any, *, is_search: bool, is_admin: bool = False, text: str = "") -> HttpResponse:
    counts = {"members": Count("memberships", filter=Q(memberships__state__in=SEATED)),
              "waiting": Count("memberships", filter=Q(memberships__state=MembershipState.REQUESTED))}
    found = Paginator(rows.select_related("owner", "last_application").annotate(**counts).order_by("-pk"), conf.ASTAKOS_PAGINATE_BY_ALL if is_search or is_admin else conf.ASTAKOS_PAGINATE_BY).get_page(request.GET.get("page"))
    mine = dict(ProjectMembership.objects.filter(user=user_of(request), project__in=list(found)).values_list("project_id", "state"))
    lines = [{"project": item, "status": status_of(item), "mine": mine.get(item.pk, "").replace("_", " "), "is_owner": item.owner_id == user_of(request).pk,
              "is_changing": item.state != ProjectState.UNINITIALIZED and pending_application(item) is not None} for item in found]
    return render(request, "astakos/projects/list.html", {"lines": lines, "page": found, "query": f"&q={quote(text)}" if text else "",
                  "is_search": is_search, "is_admin": is_admin, "text": text})


@project_page("GET", "HEAD", "POST")
def detail(request: HttpRequest, uuid: str) -> HttpResponse:
    """One project; a POST adds members by their e-mails."""
    project = projects.get_project(uuid)
    project_rules.require_visible(user_of(request), project)
    if request.method == "POST":
        _enroll(request, project, request.POST.get("emails", ""))
        return redirect("astakos-project-members", uuid=project.uuid)
    is_admin, is_manager = project_rules.is_admin(user_of(request)), project_rules.is_manager(user_of(request), project)
    membership = project.memberships.select_related("project", "user").filter(user=user_of(request)).first()
    own = project_members.allowed_actions(membership, user_of(request), is_admin=False) if membership is not None else []
    is_inside = is_manager or (membership is not None and membership.state in SEATED)
    can_join = project.is_alive and project.join_policy != "closed" and (membership is None or membership.state in project_members.OUTSIDE)
    return render(request, "astakos/projects/detail.html", {
        "project": project, "status": status_of(project), "limits": _limits(project, with_usage=is_inside), "with_usage": is_inside,
        "membership": membership, "actions": [(name, LABELS[name]) for name in own if name in {"leave", "cancel", "cancel_leave"}], "can_join": can_join,
        "is_manager": is_manager, "max_members": amount_text(project.max_members, ""), "application": _application(user_of(request), project, is_admin=is_admin),
        **project.memberships.aggregate(seats=Count("pk", filter=Q(state__in=SEATED)),
                                        waiting=Count("pk", filter=Q(state__in=(MembershipState.REQUESTED, MembershipState.LEAVE_REQUESTED))))})


def _application(user: User, project: Project, *, is_admin: bool) -> dict[str, Any] | None:
    """The last one while it needs an answer, for those who may see it."""
    last = project.last_application
    if last is None or last.state not in {ApplicationState.PENDING, ApplicationState.DENIED}:
        return None
    if last.applicant_id != user.pk and not project_rules.is_manager(user, project):
        return None
    last.project = project
    return described(last) | {"actions": answers(last, user, is_admin=is_admin)}


def _limits(project: Project, *, with_usage: bool) -> list[dict[str, str]]:
    rows = sorted(project.quotas.select_related("resource").filter(resource__ui_visible=True), key=lambda row: resource_texts.of(row.resource.name).order)
    usage = quotas.project_quotas([project.uuid], [item.resource.name for item in rows]).get(project.uuid, {}) if with_usage else {}
    return [{"name": resource_texts.of(item.resource.name).label, "member": amount_text(item.member_capacity, item.resource.unit),
             "project": amount_text(item.project_capacity, item.resource.unit),
             "usage": amount_text(usage.get(item.resource.name, {}).get("project_usage", 0), item.resource.unit)} for item in rows]


@project_page("POST")
def join(request: HttpRequest, uuid: str) -> HttpResponse:
    found = project_members.join(user_of(request), uuid)
    messages.success(request, RESULTS[MembershipState(found.state)])
    return redirect("astakos-project", uuid=uuid)


@project_page("POST")
def act(request: HttpRequest, uuid: str, number: int, action: str) -> HttpResponse:
    """Something with a membership of the project."""
    if action not in LABELS or project_members.get(number).project.uuid != uuid.lower():
        raise NotFound("There is no such membership.")
    found = project_members.act(user_of(request), number, action)
    own = found.user_id == user_of(request).pk
    messages.success(request, RESULTS.get(MembershipState(found.state), "Done.") if own else f"{found.user.email} is {found.state.replace('_', ' ')} now.")
    if own:
        return redirect("astakos-projects") if found.project.private else redirect("astakos-project", uuid=uuid)
    return redirect("astakos-project-members", uuid=uuid)


@project_page("POST")
def answer(request: HttpRequest, uuid: str, number: int, action: str) -> HttpResponse:
    """Answer the last application of a project, or withdraw it."""
    if action not in ANSWERS:
        raise NotFound("There is no such action.")
    verb, text = ANSWERS[action]
    verb(user_of(request), number, request.POST.get("reason", "").replace("\0", ""), uuid=uuid)
    messages.success(request, text)
    return redirect("astakos-projects") if action in {"cancel", "dismiss"} else redirect("astakos-project", uuid=uuid)


def _enroll(request: HttpRequest, project: Project, text: str) -> None:
    """Nobody when one of them is unknown; those that cannot be members are named. Raises `Forbidden`, `StateConflict`."""
    project_rules.require_manager(user_of(request), project)
    emails = list(dict.fromkeys(part.lower() for part in re.split(r"[\s,;]+", text.replace("\0", "")) if part))
    if not emails or len(emails) > MAX_EMAILS:
        raise StateConflict(f"Give 1 to {MAX_EMAILS} e-mails, each on its own line.")
    known = set(User.objects.filter(email__in=emails, email_verified=True, moderated=True, is_rejected=False, is_active=True).values_list("email", flat=True))
    unknown = [email for email in emails if email not in known]
    if unknown:
        raise StateConflict(f"Nobody was added: there is no active user {', '.join(unknown)}.")
    added = 0
    for email in emails:
        try:
            project_members.enroll(user_of(request), project.uuid, email)
            added += 1
        except StateConflict as error:
            messages.error(request, f"{email}: {error.public}")
    if added:
        messages.success(request, f"{added} members were added.")
