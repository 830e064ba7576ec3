"""Memberships of projects over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from synnefo.astakos.api import http
from synnefo.astakos.api import project_replies as replies
from synnefo.astakos.api.project_requests import chosen, reason_of
from synnefo.astakos.api.projects import PAGE, done, number_of, page_of, text_of
from synnefo.astakos.models import MembershipState
from synnefo.astakos.services import project_members, project_rules
from synnefo.common.describe import describe
from synnefo.common.errors import InvalidInput, NotFound, StateConflict

ACTIONS = ("leave", "cancel", "accept", "reject", "remove", "deny_leave", "cancel_leave")


@describe("List memberships", auth="user", reply=list[replies.MembershipReply],
          query={"project": "Only of this project", "state": "Only these states, with commas between", **PAGE})
def listing(request: HttpRequest) -> HttpResponse:
    """The caller's, and those of projects that he owns; all for administrators."""
    user = http.require_user(request).user
    rows = project_rules.visible_memberships(user).order_by("pk")
    project, states, marker = (text_of(request, key) for key in ("project", "state", "marker"))
    if project is not None:
        rows = rows.filter(project__uuid=project.lower())
    if states is not None:
        if set(states.split(",")) - set(MembershipState.values):
            raise InvalidInput(f"state must be of: {', '.join(MembershipState.values)}.", field="state")
        rows = rows.filter(state__in=states.split(","))
    if marker:
        rows = rows.filter(pk__gt=http.natural(marker, "marker", default=0, most=10**9))
    return http.json_list(replies.memberships(list(rows[: page_of(request)]), user))


@describe("Join a project, or make somebody a member", auth="account", body=dict[str, Any], reply=replies.MembershipIdReply, errors=(404, 409))
def add(request: HttpRequest) -> HttpResponse:
    """`{"join": {"project": id}}` for the caller, `{"enroll": {"project": id, "user": e-mail}}` for owners. Joining may end in a request:
    look at the state.
    """
    user = http.require_manager(request).user
    action, value = chosen(http.json_body(request), ("join", "enroll"))
    if action == "join":
        return http.json_reply({"id": project_members.join(user, _text(value, "project")).pk})
    project, email = _text(value, "project"), _text(value, "user")
    try:
        return http.json_reply({"id": project_members.enroll(user, project, email).pk})
    except NotFound as error:
        raise StateConflict(error.public) from None


def _text(value: Any, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, str) or not 0 < len(found) <= 255:
        raise InvalidInput(f"{key} must be a text.", field=key)
    return found


@describe("Show a membership", auth="user", reply=replies.MembershipReply, errors=(404,), only=("self", "owner", "project_admin"))
def show(request: HttpRequest, membership_id: str) -> HttpResponse:
    """For the member, the owner of the project and administrators; `allowed_actions` is what the caller may do now."""
    user = http.require_user(request).user
    found = project_members.get(number_of(membership_id, "membership"))
    project_rules.require_may_see(user, found)
    return http.json_reply(replies.memberships([found], user)[0])


@describe("Act on a membership", auth="account", body=dict[str, Any], errors=(404, 409))
def act(request: HttpRequest, membership_id: str) -> HttpResponse:
    """One of leave, cancel, accept, reject, remove, deny_leave and cancel_leave, with the reason."""
    user = http.require_manager(request).user
    action, value = chosen(http.json_body(request), ACTIONS)
    project_members.act(user, number_of(membership_id, "membership"), action, reason_of(value))
    return done()
