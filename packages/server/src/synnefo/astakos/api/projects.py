"""Projects over HTTP: lists, details, applications and what is decided about them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from synnefo.astakos.api import http
from synnefo.astakos.api import project_replies as replies
from synnefo.astakos.api.project_requests import ProjectRequest, application_of, chosen, reason_of
from synnefo.astakos.models import ProjectApplication, User
from synnefo.astakos.services import applications, project_lists, project_rules, project_states
from synnefo.astakos.services.projects import get_project
from synnefo.common.describe import Parameter, describe, number
from synnefo.common.errors import Forbidden, NotFound

MAX_PAGE = 1000
_STATES: dict[str, Callable[[User, str, str], None]] = {
    "suspend": project_states.suspend, "unsuspend": project_states.unsuspend, "terminate": project_states.terminate,
    "reinstate": project_states.reinstate}
_ANSWERS: dict[str, Callable[..., None]] = {
    "approve": applications.approve, "deny": applications.deny, "cancel": applications.cancel, "dismiss": applications.dismiss}
PAGE: dict[str, Parameter | str] = {"limit": number("Size of the page, at most 1000"), "marker": "The last id of the page before"}


def page_of(request: HttpRequest) -> int:
    return max(1, http.natural(request.GET.get("limit", ""), "limit", default=MAX_PAGE, most=MAX_PAGE))


def text_of(request: HttpRequest, key: str) -> str | None:
    """A text of the query that any database can compare."""
    return request.GET[key].replace("\0", "")[:255] if key in request.GET else None


def done() -> HttpResponse:
    return HttpResponse(content_type="application/json")


@describe("List projects", auth="user", reply=list[replies.ProjectReply], query={
    "mode": "default, member, related or active", "state": "Only these states, with commas between", "owner": "Uuid of the owner",
    "name": "The whole name", **PAGE})
def list_projects(request: HttpRequest) -> HttpResponse:
    """Those of the caller and the public active ones; `member`: active ones he belongs to; `related`: his in any state; `active`: the public
    ones. Administrators see all but with `member`.
    """
    user = http.require_user(request).user
    states = text_of(request, "state")
    found = project_lists.projects(
        user, mode=request.GET.get("mode", "default"), states=None if states is None else states.split(","), owner=text_of(request, "owner"),
        name=text_of(request, "name"), marker=text_of(request, "marker") or "", limit=page_of(request))
    return http.json_list(replies.projects(found, user))


@describe("Show a project", auth="user", reply=replies.ProjectReply, errors=(404,))
def show(request: HttpRequest, project_id: str) -> HttpResponse:
    """Whoever has to do with it, and everybody when it is active and not private. Managers also see its last application."""
    user = http.require_user(request).user
    return http.json_reply(replies.projects([project_lists.get_visible(user, project_id)], user)[0])


@describe("Apply for a new project", auth="account", body=ProjectRequest, reply=replies.SubmittedReply, status=201, errors=(409,))
def create(request: HttpRequest) -> HttpResponse:
    """The project exists from now on, and is active once the application is approved. `name` and `end_date` are needed."""
    user = http.require_manager(request).user
    asked = http.parse(ProjectRequest, http.json_body(request))
    return _submitted(applications.submit(user, asked.definition(), asked.hints()))


@describe("Apply for changes of a project", auth="account", body=ProjectRequest, reply=replies.SubmittedReply, status=201,
          errors=(404, 409), only=("owner", "project_admin"))
def modify(request: HttpRequest, project_id: str) -> HttpResponse:
    """What is missing or null stays. Administrators of projects may, too."""
    user = http.require_manager(request).user
    project_rules.require_manager(user, get_project(project_id))
    asked = http.parse(ProjectRequest, http.json_body(request))
    return _submitted(applications.submit_modification(user, project_id, asked.definition(), asked.hints()))


def _submitted(application: ProjectApplication) -> HttpResponse:
    return http.json_reply({"id": application.project.uuid, "application": application.pk}, 201)


@describe("Decide about a project or its last application", auth="account", body=dict[str, Any], errors=(404, 409))
def act(request: HttpRequest, project_id: str) -> HttpResponse:
    """One of suspend, unsuspend, terminate, reinstate, approve, deny (administrators), cancel, dismiss (the applicant), with
    `reason` and, for applications, `app_id`.
    """
    user = http.require_manager(request).user
    action, value = chosen(http.json_body(request), (*_STATES, *_ANSWERS))
    reason = reason_of(value)
    if action in _STATES:
        _STATES[action](user, project_id, reason)
    else:
        wanted = application_of(value)
        _ANSWERS[action](user, wanted, reason, uuid=get_project(project_id).uuid)
    return done()


@describe("Show what became of a project", auth="user", reply=list[dict[str, str | None]], errors=(404,), only=("owner", "project_admin"))
def show_log(request: HttpRequest, project_id: str) -> HttpResponse:
    """Transitions of the project and its memberships. Administrators of projects may, too."""
    user = http.require_user(request).user
    project = get_project(project_id)
    project_rules.require_manager(user, project)
    return http.json_list(replies.log(project))


@describe("List applications", auth="user", reply=list[replies.ApplicationOfProject],
          query={"project": "Only of this project", "state": "Only these states, with commas between", **PAGE})
def list_applications(request: HttpRequest) -> HttpResponse:
    """The caller's, and those of projects that he owns."""
    user = http.require_user(request).user
    states, marker = text_of(request, "state"), text_of(request, "marker")
    found = project_lists.applications(
        user, project=text_of(request, "project"), states=None if states is None else states.split(","),
        after=http.natural(marker or "", "marker", default=0, most=10**18), limit=page_of(request))
    return http.json_list([_of_project(row, item) for row, item in zip(found, replies.applications(found), strict=True)])


def _of_project(row: ProjectApplication, shown: dict[str, Any]) -> dict[str, Any]:
    return {**shown, "project": row.project.uuid}


def number_of(text: str, kind: str) -> int:
    """Raises `NotFound` for what cannot be a number of a row."""
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
        raise NotFound(f"There is no such {kind}.")
    return int(text)


@describe("Show an application", auth="user", reply=replies.ApplicationOfProject, errors=(404,), only=("owner", "project_admin"))
def show_application(request: HttpRequest, app_id: str) -> HttpResponse:
    """For its applicant, the owner of the project and administrators."""
    user = http.require_user(request).user
    found = applications.get(number_of(app_id, "application"))
    if found.applicant_id != user.pk and not project_rules.is_manager(user, found.project):
        raise Forbidden("You have no access to this application.")
    return http.json_reply(_of_project(found, replies.applications([found])[0]))


@describe("Decide about an application", auth="account", body=dict[str, Any], errors=(404, 409))
def act_on_application(request: HttpRequest, app_id: str) -> HttpResponse:
    """One of approve, deny, dismiss and cancel, with the reason."""
    user = http.require_manager(request).user
    action, value = chosen(http.json_body(request), tuple(_ANSWERS))
    _ANSWERS[action](user, number_of(app_id, "application"), reason_of(value))
    return done()
