"""Account API v1.0: names and uuids of users, the caller's own account and tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from pydantic import BaseModel, ConfigDict, Field

from synnefo.astakos.api import account_replies as replies
from synnefo.astakos.api.http import (
    header_token,
    json_body,
    json_reply,
    no_content,
    parse,
    raw_body,
    require_component,
    require_manager,
    require_user,
)
from synnefo.astakos.models import ApiToken
from synnefo.astakos.services import accounts, factors, feedback, memberships, throttle, tokens
from synnefo.common.describe import Body, describe
from synnefo.common.errors import InvalidInput, RequestTooLarge
from synnefo.common.settings import conf

FORM = "application/x-www-form-urlencoded"


class UserCatalogRequest(Body):
    uuids: list[str] | None = None
    displaynames: list[str] = []


class ServiceCatalogRequest(Body):
    uuids: list[str] | None = []
    displaynames: list[str] | None = []


@describe("Show whose token this is", auth="user", reply=replies.AuthenticateReply)
def authenticate(request: HttpRequest) -> HttpResponseBase:
    """The older way for services to learn who a token's user is."""
    token = require_user(request)
    user = token.user
    return json_reply({
        "id": user.pk, "username": user.email, "displayname": user.email, "uuid": user.uuid, "uniq": user.uuid,
        "email": [user.email], "name": user.realname, "groups": [group.name for group in user.groups.all()],
        "auth_token": header_token(request), "auth_token_created": _epoch_ms(token.created_at.timestamp()),
        "auth_token_expires": _epoch_ms(token.expires_at.timestamp())})


def _epoch_ms(seconds: float) -> int:
    return int(seconds * 1000)


@describe("Translate between uuids and e-mails", auth="user", body=UserCatalogRequest, reply=replies.CatalogsReply, errors=(429,))
def user_catalogs(request: HttpRequest) -> HttpResponseBase:
    """Translate uuids to e-mails and back, for a user, who may not gather everybody's addresses."""
    token = require_user(request)
    body = json_body(request)
    uuids = [] if body.get("uuids") is None else _texts(body["uuids"], "uuids")
    names = _texts(body["displaynames"], "displaynames") if "displaynames" in body else []
    if len(uuids) + len(names) > conf.ASTAKOS_CATALOG_MAX:
        raise RequestTooLarge(f"Ask for at most {conf.ASTAKOS_CATALOG_MAX} users at a time.")
    throttle.spend("catalog", token.user.uuid, len(uuids) + len(names), allowed=conf.ASTAKOS_CATALOG_A_MINUTE)
    return json_reply(_catalogs(uuids, names))


@describe("Translate between uuids and e-mails; null asks for all", auth="component", body=ServiceCatalogRequest, reply=replies.CatalogsReply)
def service_user_catalogs(request: HttpRequest) -> HttpResponseBase:
    """As `user_catalogs`, for a service; null asks for everybody."""
    require_component(request)
    body = json_body(request)
    uuids, names = _texts_or_none(body, "uuids"), _texts_or_none(body, "displaynames")
    if uuids is None or names is None:
        return StreamingHttpResponse(_everybody(uuids, names), content_type="application/json; charset=UTF-8")
    return json_reply(_catalogs(uuids, names))


def _texts_or_none(body: dict[str, Any], field: str) -> list[str] | None:
    return None if body.get(field, []) is None else _texts(body.get(field, []), field)


def _texts(value: Any, field: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidInput(f"{field} must be a list of strings.", field=field)
    return value


def _catalogs(uuids: list[str], names: list[str]) -> dict[str, dict[str, str]]:
    return {"uuid_catalog": accounts.names_by_uuid(uuids), "displayname_catalog": accounts.uuids_by_name(names)}


def _everybody(uuids: list[str] | None, names: list[str] | None) -> Iterator[str]:
    """The two maps in pieces: there may be very many users."""
    yield '{"uuid_catalog": '
    yield from _map(accounts.everybody()) if uuids is None else [json.dumps(accounts.names_by_uuid(uuids))]
    yield ', "displayname_catalog": '
    yield from (_map((email, uuid) for uuid, email in accounts.everybody()) if names is None
                else [json.dumps(accounts.uuids_by_name(names))])
    yield "}"


def _map(pairs: Iterator[tuple[str, str]]) -> Iterator[str]:
    separator = "{"
    for key, value in pairs:
        yield f"{separator}{json.dumps(key)}: {json.dumps(value)}"
        separator = ", "
    yield "{}" if separator == "{" else "}"


@describe("Show the caller's account", auth="user", reply=replies.AccountReply)
def myaccount(request: HttpRequest) -> HttpResponseBase:
    token = require_user(request)
    user = token.user
    return json_reply({
        "uuid": user.uuid, "email": user.email, "first_name": user.first_name, "last_name": user.last_name,
        "affiliation": user.affiliation, "groups": [group.name for group in user.groups.all()],
        "default_project": user.default_project_id, "email_verified": user.email_verified, "has_signed_terms": True,  # or he would not be here
        "token_expires": token.expires_at.isoformat(),
        "auth_providers": [{"module": method.module, "identifier": method.identifier or user.email,
                            "last_login": method.last_login_at.isoformat() if method.last_login_at else None}
                           for method in user.login_methods.filter(active=True)],
        "two_factor": factors.needed(user)})


class FeedbackRequest(Body):
    feedback_msg: str
    feedback_data: str = ""


@describe("Tell the helpdesk something", auth="user", body=FeedbackRequest, errors=(429,), body_type=FORM)
def send_feedback(request: HttpRequest) -> HttpResponseBase:
    """A mail goes to the helpdesk."""
    token = require_user(request)
    if request.headers.get("Content-Type", "").split(";")[0].strip().lower() != FORM:
        raise InvalidInput(f"The body must be of type {FORM}.")
    try:
        fields = QueryDict(raw_body(request).decode("utf-8"), encoding="utf-8")
    except (UnicodeDecodeError, TooManyFieldsSent):
        raise InvalidInput("The body cannot be read.") from None
    feedback.send(token.user, fields.get("feedback_msg", ""), fields.get("feedback_data", ""))
    return HttpResponse()


class NewTokenRequest(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    name: str = Field("", max_length=150)
    expires_in_days: float | int | None = None
    project_id: str = Field("", max_length=36)
    roles: list[str] | None = Field(None, max_length=50)


@describe("List the caller's lasting tokens", auth="account", reply=replies.TokensReply)
def list_tokens(request: HttpRequest) -> HttpResponseBase:
    token = require_manager(request)
    return json_reply({"tokens": [_render(item) for item in tokens.list_named(token.user)]})


@describe("Make a lasting token", auth="account", body=NewTokenRequest, reply=replies.NewTokenReply, status=201, errors=(404,))
def create_token(request: HttpRequest) -> HttpResponseBase:
    """A named token; its value is in this reply and nowhere else."""
    token = require_manager(request)
    asked = parse(NewTokenRequest, json_body(request))
    project_id = ""
    if asked.project_id:
        project_id = memberships.find_membership(
            memberships.all_memberships(token.user), project_id=asked.project_id).project_id
    issued = tokens.issue_named(token.user, asked.name, days=asked.expires_in_days, project_id=project_id,
                                roles=asked.roles, source=token)
    return json_reply({"token": {**_render(issued.token), "value": issued.secret}}, 201)


@describe("Revoke a lasting token", auth="account", status=204, errors=(404,))
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponseBase:
    tokens.revoke_named(require_manager(request).user, token_id)
    return no_content()


def _render(token: ApiToken) -> dict[str, Any]:
    return {"id": token.pk, "name": token.name, "kind": token.kind, "prefix": token.prefix,
            "project_id": token.project_id or None, "roles": token.roles,
            "created": token.created_at.isoformat(), "expires": token.expires_at.isoformat(),
            "last_used_at": token.last_used_at.isoformat() if token.last_used_at else None,
            "last_used_ip": token.last_used_ip or None}
