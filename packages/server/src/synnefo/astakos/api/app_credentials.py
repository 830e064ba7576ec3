"""Identity API v3: application credentials and their access rules."""

from __future__ import annotations

import datetime
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from pydantic import BaseModel, ConfigDict, Field

from synnefo.astakos.api import identity_replies as replies
from synnefo.astakos.api.http import json_body, json_reply, no_content, parse, require_user
from synnefo.astakos.api.identity_v2 import identity_url
from synnefo.astakos.api.identity_v3 import links
from synnefo.astakos.models import AccessRule, ApiToken, AppCredential
from synnefo.astakos.services import app_credentials
from synnefo.astakos.services.app_credentials import Rule, Wish
from synnefo.common.describe import describe
from synnefo.common.errors import Forbidden, InvalidInput
from synnefo.common.middleware import client_ip

_config = ConfigDict(extra="ignore", strict=True)


class _Role(BaseModel):
    model_config = _config
    id: str | None = Field(None, max_length=255)
    name: str | None = Field(None, max_length=255)


class _Rule(BaseModel):
    model_config = _config
    id: str | None = Field(None, max_length=64)
    service: str | None = Field(None, max_length=64)
    method: str | None = Field(None, max_length=16)
    path: str | None = Field(None, max_length=1024)


class _Credential(BaseModel):
    model_config = _config
    name: str = Field(max_length=1024)
    description: str | None = Field(None, max_length=10_000)
    secret: str | None = Field(None, max_length=5000)
    project_id: str | None = Field(None, max_length=64)
    expires_at: str | None = Field(None, max_length=64)
    roles: list[_Role] | None = Field(None, max_length=100)
    unrestricted: bool | None = None
    access_rules: list[_Rule] | None = Field(None, max_length=1000)


class AppCredentialRequest(BaseModel):
    model_config = _config
    application_credential: _Credential


def own_token(request: HttpRequest, user_id: str) -> ApiToken:
    """The token of a request below the caller's own user. Raises `Forbidden` for another one's."""
    token = require_user(request)
    if token.user.uuid != user_id.lower():
        raise Forbidden("You may look at your own account only.")
    return token


def _moment(text: str | None) -> datetime.datetime | None:
    """With or without fraction and zone; without a zone it is UTC."""
    if not text:
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
        return moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise InvalidInput("expires_at must look like 2030-01-31T12:00:00.", field="expires_at") from None


@describe("Make an application credential", auth="account", body=AppCredentialRequest, reply=replies.NewAppCredentialReply, status=201,
          errors=(403, 404, 409), only=("self",))
def create(request: HttpRequest, user_id: str) -> HttpResponseBase:
    """Make an application credential. Its secret is in this reply and nowhere else."""
    token = own_token(request, user_id)
    asked = parse(AppCredentialRequest, json_body(request)).application_credential
    credential, secret = app_credentials.create(token, _wish(asked), client_ip=client_ip(request))
    return json_reply({"application_credential": {**_render(credential), "secret": secret}}, 201)


def _wish(asked: _Credential) -> Wish:
    roles = None if asked.roles is None else [role.id or role.name or "" for role in asked.roles]
    rules = None if asked.access_rules is None else [
        Rule(rule.id or "", rule.service or "", rule.method or "", rule.path or "") for rule in asked.access_rules]
    return Wish(name=asked.name, description=asked.description or "", secret=asked.secret or "",
                project_id=asked.project_id or "", roles=roles, is_unrestricted=bool(asked.unrestricted),
                expires_at=_moment(asked.expires_at), access_rules=rules)


@describe("List the caller's application credentials", auth="user", reply=replies.AppCredentialsReply, query={"name": "Only of this name"},
          only=("self",))
def listing(request: HttpRequest, user_id: str) -> HttpResponseBase:
    """The caller's application credentials, or the one of a name."""
    found = app_credentials.list_of(own_token(request, user_id).user, name=request.GET.get("name", ""))
    return json_reply({"application_credentials": [_render(item) for item in found],
                       "links": links("users", user_id, "application_credentials")})


@describe("Show an application credential", auth="user", reply=replies.AppCredentialReply, errors=(404,), only=("self",))
def show(request: HttpRequest, user_id: str, credential_id: str) -> HttpResponseBase:
    return json_reply({"application_credential": _render(app_credentials.get(own_token(request, user_id).user, credential_id))})


@describe("Delete an application credential and its tokens", auth="account", status=204, errors=(404,), only=("self",))
def delete(request: HttpRequest, user_id: str, credential_id: str) -> HttpResponseBase:
    """The tokens that it gave die with it."""
    app_credentials.delete(own_token(request, user_id), credential_id)
    return no_content()


def _render(item: AppCredential) -> dict[str, Any]:
    """Without its secret. No zone after the time of expiry: common clients cannot read one."""
    expires = item.expires_at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") if item.expires_at else None
    body = {"id": item.id, "name": item.name, "description": item.description, "project_id": item.project_id,
            "user_id": item.user.uuid, "roles": [{"id": name, "name": name, "domain_id": None} for name in item.roles],
            "unrestricted": item.is_unrestricted, "expires_at": expires, "system": None,
            "links": {"self": identity_url("v3", "users", item.user.uuid, "application_credentials", item.id)}}
    return body if item.access_rules is None else {**body, "access_rules": item.access_rules}


@describe("List the caller's access rules", auth="user", reply=replies.AccessRulesReply, only=("self",))
def list_rules(request: HttpRequest, user_id: str) -> HttpResponseBase:
    """The access rules that the caller's credentials have or had."""
    found = app_credentials.list_rules(own_token(request, user_id).user)
    return json_reply({"access_rules": [_render_rule(item, user_id) for item in found],
                       "links": links("users", user_id, "access_rules")})


@describe("Show an access rule", auth="user", reply=replies.AccessRuleReply, errors=(404,), only=("self",))
def show_rule(request: HttpRequest, user_id: str, rule_id: str) -> HttpResponseBase:
    return json_reply({"access_rule": _render_rule(app_credentials.get_rule(own_token(request, user_id).user, rule_id), user_id)})


@describe("Delete an access rule that no credential has", auth="account", status=204, errors=(404,), only=("self",))
def delete_rule(request: HttpRequest, user_id: str, rule_id: str) -> HttpResponseBase:
    """Refused while a credential has it."""
    app_credentials.delete_rule(own_token(request, user_id), rule_id)
    return no_content()


def _render_rule(item: AccessRule, user_id: str) -> dict[str, Any]:
    return {"id": item.id, "service": item.service, "method": item.method, "path": item.path,
            "links": {"self": identity_url("v3", "users", user_id.lower(), "access_rules", item.id)}}
