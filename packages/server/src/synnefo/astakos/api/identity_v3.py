"""Identity API v3: tokens, their scopes and the catalog (the subset of Keystone's API that clients use)."""

from __future__ import annotations

import datetime
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field

from synnefo.astakos.api import identity_replies as replies
from synnefo.astakos.api.http import checked, header_token, json_body, json_reply, no_content, parse, require_user
from synnefo.astakos.api.identity_v2 import identity_url, render_credential, version_v3
from synnefo.astakos.models import ApiToken, Component
from synnefo.astakos.services import app_credentials, authentication, catalog, components, factors, memberships, tokens
from synnefo.astakos.services.authentication import Grant, Proof, Scope
from synnefo.common import access
from synnefo.common.describe import Parameter, describe
from synnefo.common.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from synnefo.common.middleware import client_ip
from synnefo.common.settings import conf

DOMAIN = {"id": "default", "name": "Default"}
_config = ConfigDict(extra="ignore", strict=True)
_METHODS = ("password", "token", "application_credential", "totp")
RECEIPT = "Openstack-Auth-Receipt"


class _Domain(BaseModel):
    model_config = _config
    id: str | None = Field(None, max_length=255)
    name: str | None = Field(None, max_length=255)

    def require_default(self) -> None:
        if (self.id is not None and self.id != DOMAIN["id"]) or (
                self.name is not None and self.name.lower() != DOMAIN["name"].lower()):
            raise Unauthenticated("There is only the domain default.")


class _User(BaseModel):
    model_config = _config
    id: str | None = Field(None, max_length=255)
    name: str | None = Field(None, max_length=255)
    domain: _Domain | None = None
    password: str = Field(max_length=1024)


class _Password(BaseModel):
    model_config = _config
    user: _User


class _Token(BaseModel):
    model_config = _config
    id: str = Field(max_length=1024)


class _CredentialUser(BaseModel):
    model_config = _config
    id: str | None = Field(None, max_length=255)
    name: str | None = Field(None, max_length=255)
    domain: _Domain | None = None


class _TotpUser(_CredentialUser):
    passcode: str = Field(max_length=20)


class _Totp(BaseModel):
    model_config = _config
    user: _TotpUser


class _AppCredential(BaseModel):
    model_config = _config
    id: str | None = Field(None, max_length=255)
    name: str | None = Field(None, max_length=255)
    secret: str = Field(max_length=5000)
    user: _CredentialUser | None = None


class _Identity(BaseModel):
    model_config = _config
    methods: list[str] = Field(min_length=1, max_length=5)
    password: _Password | None = None
    token: _Token | None = None
    application_credential: _AppCredential | None = None
    totp: _Totp | None = None


class _Project(BaseModel):
    model_config = _config
    id: str | None = Field(None, max_length=255)
    name: str | None = Field(None, max_length=255)
    domain: _Domain | None = None


class _Scope(BaseModel):
    model_config = _config
    project: _Project | None = None
    unscoped: dict[str, Any] | None = None


class _Auth(BaseModel):
    model_config = _config
    identity: _Identity
    scope: _Scope | str | None = None


class TokenRequestV3(BaseModel):
    model_config = _config
    auth: _Auth


def moment(value: datetime.datetime) -> str:
    """A time as v3 writes it."""
    return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@describe("Show the version", auth="none", reply=replies.VersionReply)
def discovery(request: HttpRequest) -> HttpResponseBase:
    return json_reply({"version": version_v3()})


@describe("Exchange credentials for a token", auth="none", body=TokenRequestV3, reply=replies.TokenReply, status=201, errors=(401, 403, 429),
          query={"nocatalog": "Leave the catalog out"}, reply_headers={"X-Subject-Token": "The new token"})
def issue(request: HttpRequest) -> HttpResponseBase:
    """Exchange credentials for a token, which travels in a header."""
    auth = parse(TokenRequestV3, json_body(request)).auth
    scope = _scope(auth.scope)
    proof = _proof(request, auth.identity)
    if authentication.lacks_factor(proof):
        return _receipt_reply(proof)
    return token_reply(request, authentication.grant(proof, scope), status=201)


def _proof(request: HttpRequest, identity: _Identity) -> Proof:
    methods = list(dict.fromkeys(identity.methods))
    receipt = request.headers.get(RECEIPT, "")
    if receipt and "password" not in methods:
        first = [authentication.by_receipt(receipt)]
    elif "totp" in methods and "password" not in methods:
        raise Unauthenticated("A passcode is good only together with the password.")
    else:
        first = []
    methods.sort(key=lambda method: method == "totp")  # a passcode is used up: look at it last
    return authentication.combine([*first, *(_prove(identity, method, client_ip(request)) for method in methods)])


def _receipt_reply(proof: Proof) -> HttpResponseBase:
    """The password is right, but the account asks for more."""
    receipt, expires = factors.make_receipt(proof.user)
    user = {"id": proof.user.uuid, "name": proof.user.email, "domain": DOMAIN}
    return json_reply({"receipt": {"methods": list(proof.methods), "user": user, "expires_at": moment(expires),
                                   "issued_at": moment(timezone.now())},
                       "required_auth_methods": factors.REQUIRED}, 401, {RECEIPT: receipt})


def _prove(identity: _Identity, method: str, address: str) -> Proof:
    if method not in _METHODS:
        raise InvalidInput(f"The method {method[:50]!r} is not one of: {', '.join(_METHODS)}.")
    if method == "token":
        if identity.token is None:
            raise InvalidInput("The method token needs a block auth.identity.token.")
        return authentication.by_token(identity.token.id, client_ip=address)
    if method == "totp":
        return _by_totp(identity.totp, address)
    if method == "application_credential":
        return _by_app_credential(identity.application_credential, address)
    if identity.password is None:
        raise InvalidInput("The method password needs a block auth.identity.password.")
    return _by_password(identity.password.user, address)


def _by_totp(block: _Totp | None, address: str) -> Proof:
    login = None if block is None else block.user.id or block.user.name
    if block is None or not login:
        raise InvalidInput("The method totp needs a block auth.identity.totp.user with id or name, and passcode.")
    if block.user.domain is not None:
        block.user.domain.require_default()
    return authentication.by_totp(login, block.user.passcode, client_ip=address)


def _by_app_credential(block: _AppCredential | None, address: str) -> Proof:
    if block is None:
        raise InvalidInput("The method application_credential needs a block auth.identity.application_credential.")
    if block.id:
        return authentication.by_app_credential(block.id, "", "", block.secret, client_ip=address)
    user = block.user or _CredentialUser(id=None, name=None)
    login = user.id or user.name
    if not block.name or not login:
        raise InvalidInput("Name the application credential by id, or by name and user.")
    if user.domain is not None:
        user.domain.require_default()
    return authentication.by_app_credential("", block.name, login, block.secret, client_ip=address)


def _by_password(user: _User, address: str) -> Proof:
    login = user.id or user.name
    if not login:
        raise InvalidInput("Name the user by auth.identity.password.user.id, or by name and domain.")
    if user.domain is not None:
        user.domain.require_default()
    return authentication.by_password(login, user.password, client_ip=address, asks_more=True)


def _scope(asked: _Scope | str | None) -> Scope:
    if asked is None:
        return Scope()
    if isinstance(asked, str):
        if asked != "unscoped":
            raise InvalidInput('scope is an object, or the word "unscoped".')
        return Scope(is_unscoped=True)
    if asked.unscoped is not None:
        return Scope(is_unscoped=True)
    if asked.project is None:
        raise Unauthenticated("Only projects can be a scope.")
    return _project_scope(asked.project)


def _project_scope(project: _Project) -> Scope:
    if project.domain is not None:
        project.domain.require_default()
    if project.id:
        return Scope(project_id=project.id)
    if not project.name:
        raise InvalidInput("Name the project of the scope by id, or by name and domain.")
    return Scope(project_name=project.name)


def token_reply(request: HttpRequest, grant: Grant, status: int = 200) -> HttpResponseBase:
    body = render_token(grant, with_catalog="nocatalog" not in request.GET)
    return json_reply({"token": body}, status, {"X-Subject-Token": grant.secret})


def render_token(grant: Grant, *, with_catalog: bool) -> dict[str, Any]:
    """The token's description."""
    token = grant.token
    body: dict[str, Any] = {
        "methods": token.methods, "user": {"id": grant.user.uuid, "name": grant.user.email, "domain": DOMAIN,
                                           "password_expires_at": None},
        "audit_ids": [item for item in (token.audit_id, token.parent_audit_id) if item],
        "issued_at": moment(token.created_at), "expires_at": moment(token.expires_at),
    }
    if token.app_credential is not None:
        body["application_credential"] = render_credential(token.app_credential)
    if grant.membership is not None:
        project = grant.membership
        body |= {"project": {"id": project.project_id, "name": project.name, "domain": DOMAIN}, "is_domain": False,
                 "roles": [{"id": role.id, "name": role.name} for role in grant.roles]}
        if with_catalog:
            body["catalog"] = catalog.v3_catalog(grant.user.uuid, project.project_id)
    return body


@describe("Describe a token", auth="caller", only=("self", "admin"), reply=replies.TokenReply, errors=(403, 404), reply_headers={"X-Subject-Token": "The token"},
          query={"nocatalog": "Leave the catalog out", "allow_expired": "Also one that expired a short while ago; for services"},
          headers={"X-Subject-Token": Parameter("The token that is meant", required=True), "X-Service-Token": "The token of a service that relays a user's",
                   access.HEADER: "1, by those who enforce access rules"})
def show(request: HttpRequest) -> HttpResponseBase:
    """Describe the token in X-Subject-Token, to its user or a service."""
    secret, token = _subject(request)
    require_announced(request, token)
    try:
        return token_reply(request, authentication.describe(secret, token))
    except Unauthenticated as error:
        raise NotFound("There is no such token.") from error


def require_announced(request: HttpRequest, token: ApiToken) -> None:
    """A token with access rules is shown to those alone who say that they hold it to them. Raises `NotFound`."""
    credential = token.app_credential
    if credential is not None and credential.access_rules is not None and request.headers.get(access.HEADER) != access.VERSION:
        raise NotFound("There is no such token.")


def _subject(request: HttpRequest) -> tuple[str, ApiToken]:
    caller = _caller(request)
    secret = request.headers.get("X-Subject-Token", "")
    if not secret:
        raise InvalidInput("The header X-Subject-Token is missing.")
    is_service = isinstance(caller, Component) or _is_relayed(request)
    if isinstance(caller, ApiToken) and secret == header_token(request):
        return secret, caller
    token = _find_subject(secret, may_be_expired=is_service and _is_set(request, "allow_expired"))
    if isinstance(caller, ApiToken) and not is_service and caller.user_id != token.user_id and not _is_trusted(caller):
        raise Forbidden("You may look at your own tokens only.")
    return secret, token


def _is_set(request: HttpRequest, name: str) -> bool:
    return request.GET.get(name, "0").lower() not in {"0", "false"}


def _is_relayed(request: HttpRequest) -> bool:
    """A service that asks with a user's token may prove itself by its own beside it."""
    secret = request.headers.get("X-Service-Token", "")
    return bool(secret) and components.require_component(secret) is not None


def _caller(request: HttpRequest) -> ApiToken | Component:
    secret = header_token(request)
    found = tokens.find_token(secret)
    return components.require_component(secret) if found is None else checked(request, found)


def _is_trusted(caller: ApiToken) -> bool:
    groups = {group.name for group in caller.user.groups.all()}
    return not groups.isdisjoint(conf.ASTAKOS_ADMIN_API_PERMITTED_GROUPS)


def _find_subject(secret: str, *, may_be_expired: bool) -> ApiToken:
    token = tokens.find_token(secret)
    window = datetime.timedelta(seconds=conf.ASTAKOS_ALLOW_EXPIRED_WINDOW if may_be_expired else 0)
    if token is None or token.revoked_at is not None or not token.user.is_active or token.is_expired(
            timezone.now() - window):
        raise NotFound("There is no such token.")
    return token


@describe("Revoke a token", auth="caller", only=("self", "admin"), status=204, errors=(403, 404),
          headers={"X-Subject-Token": Parameter("The token that is meant", required=True), "X-Service-Token": "The token of a service that relays a user's"})
def revoke(request: HttpRequest) -> HttpResponseBase:
    """One's own token, whichever it is; another one of the same user only with a token that stands for the account."""
    secret, token = _subject(request)
    own = header_token(request)
    caller = tokens.find_token(own) if own != secret else None
    if caller is not None:
        app_credentials.require_manager(caller)
    tokens.end(token)
    return no_content()


@describe("Show the catalog of the token's project", auth="user", reply=replies.CatalogReply)
def show_catalog(request: HttpRequest) -> HttpResponseBase:
    token = require_user(request)
    grant = authentication.describe("", token)
    if grant.membership is None:
        raise Forbidden("This token has no project, so it has no catalog.")
    return json_reply({"catalog": catalog.v3_catalog(token.user.uuid, grant.membership.project_id),
                       "links": {"self": identity_url("v3", "auth", "catalog")}})


@describe("List the projects that the token may be exchanged for", auth="user", reply=replies.ProjectsReply)
def auth_projects(request: HttpRequest) -> HttpResponseBase:
    """The projects for which the token may be exchanged."""
    token = require_user(request)
    found = memberships.reachable(token.user, token)
    return json_reply({"projects": [render_project(item) for item in found],
                       "links": links("auth", "projects")})


@describe("List the domains that the token may be exchanged for", auth="user", reply=replies.DomainsReply)
def auth_domains(request: HttpRequest) -> HttpResponseBase:
    require_user(request)
    return json_reply({"domains": [render_domain()], "links": links("auth", "domains")})


@describe("List the systems that the token may be exchanged for: none", auth="user", reply=replies.SystemReply)
def auth_system(request: HttpRequest) -> HttpResponseBase:
    require_user(request)
    return json_reply({"system": [], "links": links("auth", "system")})


def links(*parts: str, after: str = "") -> dict[str, str | None]:
    """The links of a list; `after` is the query of its next page, if it has one."""
    here = identity_url("v3", *parts)
    return {"self": here, "next": f"{here}?{after}" if after else None, "previous": None}


def render_project(item: memberships.Membership) -> dict[str, Any]:
    return {"id": item.project_id, "name": item.name, "domain_id": DOMAIN["id"], "description": item.description,
            "enabled": True, "parent_id": DOMAIN["id"], "is_domain": False, "tags": [], "options": {},
            "links": {"self": identity_url("v3", "projects", item.project_id)}}


def render_domain() -> dict[str, Any]:
    return {**DOMAIN, "description": "The only domain", "enabled": True, "tags": [], "options": {},
            "links": {"self": identity_url("v3", "domains", DOMAIN["id"])}}
