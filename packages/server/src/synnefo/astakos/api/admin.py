"""The API for administrators: other people's accounts (`identity/v2.0/users`), and statistics (`admin/stats`)."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from pydantic import Field

from synnefo.astakos.api import admin_replies as replies
from synnefo.astakos.api.http import json_body, json_reply, parse, require_manager
from synnefo.astakos.api.identity_v2 import unknown
from synnefo.astakos.api.project_requests import chosen
from synnefo.astakos.models import LOCAL, User
from synnefo.astakos.services import admin_users, audit, statistics, terms, user_changes
from synnefo.astakos.services.user_changes import Changes
from synnefo.common.describe import Body, describe, number
from synnefo.common.errors import Forbidden, InvalidInput
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
PAGE = 1000
ACTIONS = ("activate", "deactivate", "renewToken", "signTerms", "setDefaultProject")
Name = Annotated[str, Field(max_length=150)]


class NewUser(Body):
    username: Annotated[str, Field(max_length=254)]
    first_name: Name = ""
    last_name: Name = ""
    password: Annotated[str, Field(max_length=1024)] | None = None
    affiliation: Annotated[str, Field(max_length=255)] = ""
    metadata: Annotated[dict[str, str], Field(max_length=50)] = {}


class NewUserRequest(Body):
    user: NewUser


class ChangedUser(Body):
    username: Annotated[str, Field(max_length=254)] | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    password: Annotated[str, Field(max_length=1024)] | None = None
    affiliation: Annotated[str, Field(max_length=255)] | None = None
    metadata: Annotated[dict[str, str], Field(max_length=50)] | None = None


class ChangedUserRequest(Body):
    user: ChangedUser


def _administrator(request: HttpRequest, groups: list[str]) -> User:
    """The caller, when a group of his is permitted. Raises `Unauthenticated`, `Forbidden`."""
    user = require_manager(request).user
    if not user.groups.filter(name__in=groups).exists():
        audit.record("admin_api.refused", actor=user.uuid, target=user.uuid, path=request.path[:255])
        raise Forbidden("Only members of certain groups may do this.")
    return user


def _admitted(request: HttpRequest) -> User:
    """Raises also `InvalidInput`: where the API is switched off, its addresses do not exist."""
    if not conf.ASTAKOS_ADMIN_API_ENABLED:
        unknown(request)
    return _administrator(request, conf.ASTAKOS_ADMIN_API_PERMITTED_GROUPS)


@describe("List all users", auth="admin", reply=replies.AdminUsersReply, errors=(400,),
          query={"limit": number("At most so many", most=PAGE), "marker": "Only after the user with this id",
                 "email": "Only of this e-mail", "status": "active, inactive, pending_verification, pending_moderation or rejected"})
def users(request: HttpRequest) -> HttpResponseBase:
    _admitted(request)
    given = request.GET
    found = admin_users.page(marker=given.get("marker", ""), email=given.get("email", ""), status=given.get("status", ""), limit=_limit(given.get("limit")))
    return json_reply({"users": _rendered(found)})


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidInput("limit must be a number.", field="limit")
    return min(int(text), PAGE)


def _rendered(found: list[User]) -> list[dict[str, Any]]:
    ends = admin_users.token_ends(found)
    return [{
        "id": user.uuid, "first_name": user.first_name, "last_name": user.last_name, "email": user.email, "is_active": user.is_active,
        "is_rejected": user.is_rejected, "rejected_reason": user.rejected_reason, "deactivated_reason": user.deactivated_reason,
        "accepted_policy": user.accepted_policy, "roles": [group.name for group in user.groups.all()],
        "authentication_methods": [{
            "identifier": user.email if method.module == LOCAL else method.identifier, "active": method.active, "affiliation": method.affiliation,
            "backend": method.module, "metadata": method.info or {}} for method in user.login_methods.all()],
        "date_joined": _date(user.date_joined), "moderated_at": _date(user.moderated_at), "verified_at": _date(user.verified_at),
        "auth_token_expires": ends.get(user.pk)} for user in found]


def _date(value: datetime.datetime | None) -> str | None:
    return value.isoformat() if value is not None else None


@describe("Show a user", auth="admin", reply=replies.AdminUserReply, errors=(404,))
def user(request: HttpRequest, user_id: str) -> HttpResponseBase:
    _admitted(request)
    return json_reply({"user": _rendered([admin_users.get(user_id)])[0]})


@describe("Make an account that is open at once", auth="admin", body=NewUserRequest, reply=replies.CreatedReply, errors=(409,))
def create(request: HttpRequest) -> HttpResponseBase:
    """No mail is sent. The password is made up when none is given."""
    actor = _admitted(request)
    asked = parse(NewUserRequest, json_body(request)).user
    made, password, token = admin_users.create(
        actor, email=asked.username, first_name=asked.first_name, last_name=asked.last_name, password=asked.password,
        affiliation=asked.affiliation, metadata=asked.metadata)
    return json_reply({"user": {"id": made.uuid, "password": password, "auth_token": token}})


@describe("Change a user", auth="admin", body=ChangedUserRequest, reply=replies.AdminUserReply, errors=(404, 409))
def update(request: HttpRequest, user_id: str) -> HttpResponseBase:
    actor = _admitted(request)
    asked = parse(ChangedUserRequest, json_body(request)).user
    found = admin_users.get(user_id)
    email = asked.username if asked.username is not None and asked.username.strip().lower() != found.email else None
    changes = Changes(email=email, first_name=asked.first_name, last_name=asked.last_name, password=asked.password)
    admin_users.change(actor, found, changes, affiliation=asked.affiliation, metadata=asked.metadata)
    return json_reply({"user": _rendered([admin_users.get(user_id)])[0]})


@describe("Do something with a user: one of activate, deactivate, renewToken, signTerms, setDefaultProject", auth="admin",
          body=dict[str, Any], reply=replies.ActedReply, errors=(404, 409))
def act(request: HttpRequest, user_id: str) -> HttpResponseBase:
    actor = _admitted(request)
    try:
        action, options = chosen(json_body(request), ACTIONS)
    except InvalidInput:
        raise InvalidInput("Invalid action") from None
    found = admin_users.get(user_id)
    if not isinstance(options, dict):
        raise InvalidInput(f"{action} takes an object.")
    result = _act(actor, found, action, options)
    return json_reply({"user": {"id": found.uuid, **result}})


def _act(actor: User, found: User, action: str, options: dict[str, Any]) -> dict[str, Any]:
    if action == "renewToken":
        return {"auth_token": admin_users.renew_token(actor, found.user_id)}
    if action == "setDefaultProject":
        project = _text(options, "project_id")
        admin_users.set_default_project(found.user_id, project)
        return {"default_project": project.lower()}
    if action == "signTerms":
        user_changes.modify_user(found.user_id, Changes(sign_terms=True), actor=actor.uuid)
        return {"has_signed_terms": terms.has_signed(admin_users.get(found.uuid))}
    reason = _text(options, "reason") if "reason" in options else ""
    user_changes.modify_user(found.user_id, Changes(active=action == "activate", inactive_reason=reason), actor=actor.uuid)
    return {"is_active": action == "activate"}


def _text(options: dict[str, Any], name: str) -> str:
    value = options.get(name)
    if not isinstance(value, str) or not value.isprintable() or len(value) > 1000:
        raise InvalidInput(f"{name} must be a text.", field=name)
    return value


@describe("Count the users", auth="none", reply=replies.StatsReply)
def stats(request: HttpRequest) -> HttpResponseBase:
    return json_reply({"users": statistics.totals()})


@describe("Count users by provider, and what is used", auth="admin", reply=replies.DetailedStatsReply)
def detailed_stats(request: HttpRequest) -> HttpResponseBase:
    _administrator(request, conf.ASTAKOS_ADMIN_STATS_PERMITTED_GROUPS)
    return json_reply(statistics.detailed())
