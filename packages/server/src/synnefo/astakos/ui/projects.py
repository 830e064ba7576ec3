"""Pages of projects: what there is, what one is made of, and what people may do with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import SEATED, MembershipState, Project, ProjectMembership, ProjectState, User
from synnefo.astakos.services import applications, project_definitions, project_members, project_rules, projects, quotas
from synnefo.astakos.services.project_status import pending_application, status_of
from synnefo.astakos.ui.guards import has_required_methods
from synnefo.astakos.ui.redirects import login_redirect
from synnefo.common.commands import Amount, format_amount
from synnefo.common.errors import DomainError, Forbidden, NotFound, StateConflict
from synnefo.common.settings import conf

PAGE = 50
MAX_EMAILS = 200
ANSWERS: Mapping[str, tuple[Callable[..., None], str]] = {
    "approve": (applications.approve, "The application is approved."), "deny": (applications.deny, "The application is denied."),
    "cancel": (applications.cancel, "The application is withdrawn."), "dismiss": (applications.dismiss, "The denied application is put away.")}
LABELS = {"leave": "Leave", "cancel": "Cancel request", "accept": "Accept", "reject": "Reject", "remove": "Remove",
          "deny_leave": "Refuse to let go", "cancel_leave": "Stay after all"}
RESULTS = {MembershipState.ACCEPTED: "You are a member now.", MembershipState.REQUESTED: "Your request waits for the owner of the project.",
           MembershipState.REMOVED: "You have left. What you have in the project stays, and counts there, until you remove or move it.",
           MembershipState.LEAVE_REQUESTED: "Your request to leave waits for the owner.", MembershipState.CANCELLED: "Your request is withdrawn."}
DONE = {"accept": "Accepted", "reject": "Rejected", "remove": "Removed"}
type_page = Callable[..., HttpResponse]


def project_page(*methods: str) -> Callable[[type_page], type_page]:
    """A page for signed-in people. What the services refuse is told in words."""

    def decorate(view: type_page) -> type_page:
        @never_cache
        @csrf_protect
        @require_http_methods(list(methods))
        @wraps(view)
        def shown(request: HttpRequest, **parts: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return HttpResponseRedirect(login_redirect(request.get_full_path()))
            try:
                _require_shown(request)
                return cast(HttpResponse, has_required_methods(view)(request, **parts))
            except NotFound as error:
                raise Http404(error.public) from error
            except DomainError as error:
                messages.error(request, error.public)
                if request.method == "POST" and "uuid" in parts and not isinstance(error, Forbidden):
                    return redirect("astakos-project", uuid=parts["uuid"])
                return render(request, "astakos/refused.html", status=403 if isinstance(error, Forbidden) else 409)
        return shown

    return decorate


def _require_shown(request: HttpRequest) -> None:
    if not (conf.ASTAKOS_PROJECTS_VISIBLE or project_rules.is_admin(_user(request))):
        raise NotFound("There is no such page.")


def _user(request: HttpRequest) -> User:
    """Who is signed in, as `project_page` saw to."""
    return cast(User, request.user)


@project_page("GET", "HEAD")
def index(request: HttpRequest) -> HttpResponse:
    """The user's projects; for administrators all of them. Deleted ones are hidden."""
    is_admin = project_rules.is_admin(_user(request))
    rows = Project.objects.exclude(state=ProjectState.DELETED)
    rows = rows if is_admin else rows.filter(project_rules.related_to(_user(request)))
    if not (is_admin and request.GET.get("show_base")):
        rows = rows.filter(is_base=False)
    return _listed(request, rows, is_search=False, is_admin=is_admin)


@project_page("GET", "HEAD")
def search(request: HttpRequest) -> HttpResponse:
    """Projects that everybody may ask to join."""
    rows = Project.objects.filter(state=ProjectState.ACTIVE, private=False, is_base=False)
    text = request.GET.get("q", "").replace("\0", "")[:80]
    return _listed(request, rows.filter(realname__icontains=text) if text else rows, is_search=True, text=text)


def _listed(request: HttpRequest, rows: Any, **context: Any) -> HttpResponse:
    counts = {"members": Count("memberships", filter=Q(memberships__state__in=SEATED)),
              "waiting": Count("memberships", filter=Q(memberships__state=MembershipState.REQUESTED))}
    found = Paginator(rows.select_related("owner", "last_application").annotate(**counts).order_by("-pk"), PAGE).get_page(request.GET.get("page"))
    mine = dict(ProjectMembership.objects.filter(user=_user(request), project__in=list(found)).values_list("project_id", "state"))
    lines = [{"project": item, "status": status_of(item), "mine": mine.get(item.pk, "").replace("_", " "), "is_owner": item.owner_id == _user(request).pk,
              "is_changing": item.state != ProjectState.UNINITIALIZED and pending_application(item) is not None} for item in found]
    return render(request, "astakos/projects/list.html", {"lines": lines, "page": found, **context})


@project_page("GET", "HEAD", "POST")
def detail(request: HttpRequest, uuid: str) -> HttpResponse:
    """One project; a POST adds members by their e-mails."""
    project = projects.get_project(uuid)
    project_rules.require_visible(_user(request), project)
    if request.method == "POST":
        _enroll(request, project, request.POST.get("emails", ""))
        return redirect("astakos-project", uuid=project.uuid)
    is_admin, is_manager = project_rules.is_admin(_user(request)), project_rules.is_manager(_user(request), project)
    membership = project.memberships.select_related("project", "user").filter(user=_user(request)).first()
    own = project_members.allowed_actions(membership, _user(request), is_admin=False) if membership is not None else []
    is_inside = is_manager or (membership is not None and membership.state in SEATED)
    can_join = project.is_alive and project.join_policy != "closed" and (membership is None or membership.state in project_members.OUTSIDE)
    members = [{"row": item, "state": item.state.replace("_", " "), "actions": [
        (name, LABELS[name]) for name in project_members.allowed_actions(item, _user(request), is_admin=is_admin) if name in {"accept", "reject", "remove", "deny_leave"}]}
        for item in project.memberships.select_related("user", "project").filter(state__in=(*SEATED, MembershipState.REQUESTED)).order_by("state", "user__email")
    ] if is_manager else []
    return render(request, "astakos/projects/detail.html", {
        "project": project, "status": status_of(project), "limits": _limits(project, with_usage=is_inside), "with_usage": is_inside,
        "membership": membership, "actions": [(name, LABELS[name]) for name in own if name in {"leave", "cancel", "cancel_leave"}], "can_join": can_join,
        "members": members, "is_manager": is_manager, "max_members": format_amount(Amount(project.max_members, ""), "none") if project.max_members < 2**63 - 1 else "unlimited",
        "seats": project.memberships.filter(state__in=SEATED).count(), "application": _application(_user(request), project, is_admin)})


def _limits(project: Project, *, with_usage: bool) -> list[dict[str, str]]:
    rows = list(project.quotas.select_related("resource").filter(resource__ui_visible=True).order_by("resource__name"))
    usage = quotas.project_quotas([project.uuid], [item.resource.name for item in rows]).get(project.uuid, {}) if with_usage else {}
    return [{"name": item.resource.name, "member": _amount(item.member_capacity, item.resource.unit),
             "project": _amount(item.project_capacity, item.resource.unit),
             "usage": _amount(usage.get(item.resource.name, {}).get("project_usage", 0), item.resource.unit)} for item in rows]


def _amount(value: int, unit: str) -> str:
    return "Unlimited" if value >= 2**63 - 1 else format_amount(Amount(value, unit), "auto")


def _application(user: User, project: Project, is_admin: bool) -> dict[str, Any] | None:
    """The last one while it needs an answer, for those who may see it."""
    last = project.last_application
    if last is None or last.state not in {"pending", "denied"} or not (project_rules.is_manager(user, project) or last.applicant_id == user.pk):
        return None
    mine = is_admin or last.applicant_id == user.pk
    names = (["approve", "deny"] if is_admin else []) + (["cancel"] if mine else []) if last.state == "pending" else (["dismiss"] if mine else [])
    fields = [(name.replace("_", " "), getattr(last, name)) for name in project_definitions.PLAIN if getattr(last, name) not in (None, "")]
    limits = [(item.resource.name, _amount(item.member_capacity, item.resource.unit), _amount(item.project_capacity, item.resource.unit))
              for item in last.quotas.select_related("resource").order_by("resource__name")]
    return {"row": last, "fields": fields, "limits": limits, "actions": [(name, name.capitalize()) for name in names]}


@project_page("POST")
def join(request: HttpRequest, uuid: str) -> HttpResponse:
    found = project_members.join(_user(request), uuid)
    messages.success(request, RESULTS[MembershipState(found.state)])
    return redirect("astakos-project", uuid=uuid)


@project_page("POST")
def act(request: HttpRequest, uuid: str, number: int, action: str) -> HttpResponse:
    """Something with a membership of the project."""
    if action not in LABELS or project_members.get(number).project.uuid != uuid.lower():
        raise NotFound("There is no such membership.")
    found = project_members.act(_user(request), number, action)
    own = found.user_id == _user(request).pk
    messages.success(request, RESULTS.get(MembershipState(found.state), "Done.") if own else f"{found.user.email} is {found.state.replace('_', ' ')} now.")
    return redirect("astakos-projects") if own and found.project.private else redirect("astakos-project", uuid=uuid)


@project_page("POST")
def act_on_several(request: HttpRequest, uuid: str, action: str) -> HttpResponse:
    """Accept, reject or remove the members of the field `members`: each for himself, and whoever has changed meanwhile is named."""
    if action not in DONE:
        raise NotFound("There is no such action.")
    project = projects.get_project(uuid)
    project_rules.require_manager(_user(request), project)
    numbers = {int(text) for text in request.POST.getlist("members")[:MAX_EMAILS] if text.isascii() and text.isdigit() and len(text) < 19}
    done = []
    for row in project.memberships.select_related("user").filter(pk__in=numbers).order_by("user__email"):
        try:
            project_members.act(_user(request), row.pk, action)
            done.append(row.user.email)
        except DomainError as error:
            messages.error(request, f"{row.user.email}: {error.public}")
    if done:
        messages.success(request, f"{DONE[action]}: {', '.join(done)}.")
    elif not numbers:
        messages.info(request, "Choose members first.")
    return redirect("astakos-project", uuid=project.uuid)


@project_page("POST")
def answer(request: HttpRequest, uuid: str, number: int, action: str) -> HttpResponse:
    """Answer the last application of a project, or withdraw it."""
    if action not in ANSWERS:
        raise NotFound("There is no such action.")
    verb, text = ANSWERS[action]
    verb(_user(request), number, request.POST.get("reason", "").replace("\0", ""), uuid=uuid)
    messages.success(request, text)
    return redirect("astakos-projects") if action in {"cancel", "dismiss"} else redirect("astakos-project", uuid=uuid)


def _enroll(request: HttpRequest, project: Project, text: str) -> None:
    """Nobody when one of them is unknown; those that cannot be members are named. Raises `Forbidden`, `StateConflict`."""
    project_rules.require_manager(_user(request), project)
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
            project_members.enroll(_user(request), project.uuid, email)
            added += 1
        except StateConflict as error:
            messages.error(request, f"{email}: {error.public}")
    if added:
        messages.success(request, f"{added} members were added.")
