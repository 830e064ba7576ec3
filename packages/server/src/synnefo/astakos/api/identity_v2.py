"""Identity API v2.0: tokens, tenants, versions (as the Identity API guide and OpenStack clients have it)."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from pydantic import BaseModel, ConfigDict, Field

from synnefo.astakos.api import identity_replies as replies
from synnefo.astakos.api import xml
from synnefo.astakos.api.http import header_token, json_body, json_reply, parse, raw_body, require_user
from synnefo.astakos.models import ApiToken, AppCredential
from synnefo.astakos.services import authentication, catalog, components, memberships, tokens
from synnefo.astakos.services.authentication import Grant, Proof, Scope
from synnefo.astakos.services.oauth2 import grants, scopes
from synnefo.common import access
from synnefo.common.describe import Parameter, describe
from synnefo.common.errors import InvalidInput, MethodNotAllowed, NotFound, Unauthenticated
from synnefo.common.middleware import client_ip
from synnefo.common.settings import conf

_config = ConfigDict(extra="ignore", strict=True)


class _PasswordCredentials(BaseModel):
    model_config = _config
    username: str | None = Field(None, max_length=254)
    user_id: str | None = Field(None, max_length=254, alias="userId")
    password: str | None = Field(None, max_length=1024)


class _Token(BaseModel):
    model_config = _config
    id: str | None = Field(None, max_length=1024)


class _Auth(BaseModel):
    model_config = _config
    token: _Token | None = None
    password_credentials: _PasswordCredentials | None = Field(None, alias="passwordCredentials")
    tenant_name: str | None = Field(None, max_length=255, alias="tenantName")
    tenant_id: str | None = Field(None, max_length=255, alias="tenantId")


class TokenRequestV2(BaseModel):
    model_config = _config
    auth: _Auth


def identity_url(*parts: str) -> str:
    """An absolute URL of the identity API, from the configured base and never from the request's host."""
    return "/".join([conf.ASTAKOS_BASE_URL.rstrip("/"), "identity", *parts])


def _media_types(version: str) -> list[dict[str, str]]:
    return [{"base": "application/json", "type": f"application/vnd.openstack.identity-{version}+json"}]


def version_v3() -> dict[str, Any]:
    return {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": identity_url("v3", "")}], "media-types": _media_types("v3")}


def version_v2(*, status: Literal["SUPPORTED"] = "SUPPORTED") -> dict[str, Any]:
    return {"id": "v2.0", "status": status, "updated": "2014-04-17T00:00:00Z",
            "links": [{"rel": "self", "href": identity_url("v2.0", "")}], "media-types": _media_types("v2.0")}


@describe("List the versions", auth="none", reply=replies.VersionsReply)
def versions(request: HttpRequest) -> HttpResponseBase:
    return json_reply({"versions": {"values": [version_v3(), version_v2()]}})


@describe("Show the version", auth="none", reply=replies.VersionReply)
def show_version(request: HttpRequest) -> HttpResponseBase:
    version = version_v2()
    version["links"].append({"rel": "describedby", "type": "text/html", "href": identity_url("v2.0", "")})
    return json_reply({"version": version})


@describe("Exchange credentials for a token and the catalog", auth="none", body=TokenRequestV2, is_body_optional=True,
          reply=replies.AccessReply, reply_types=("application/json", "application/xml"), errors=(401, 429),
          query={"format": Parameter("Form of the reply", schema={"type": "string", "enum": ["json", "xml"]})},
          headers={"X-Client-IP": "Where the user is, said by a trusted proxy", access.HEADER: "1, by those who enforce access rules"})
def authenticate(request: HttpRequest) -> HttpResponseBase:
    """Exchange credentials for a token and the catalog; without a body show the catalog alone."""
    raw = raw_body(request)
    if not raw:
        return _reply(request, {"access": {"serviceCatalog": catalog.v2_catalog()}})
    auth = parse(TokenRequestV2, json_body(request, raw)).auth
    announced = request.headers.get(access.HEADER) == access.VERSION
    return _reply(request, {"access": _access(auth, _address(request), shows_rules=announced)})


def _address(request: HttpRequest) -> str:
    """Of the user: services that ask for him say where he is, and those that we trust are believed."""
    stated = request.headers.get("X-Client-IP", "").strip()
    trusted = str(request.META.get("REMOTE_ADDR", "")) in conf.TRUSTED_PROXIES
    return stated[:45] if stated and trusted else client_ip(request)


def _access(auth: _Auth, address: str, *, shows_rules: bool) -> dict[str, Any]:
    if auth.token is not None:
        if auth.token.id is None:
            raise InvalidInput("Malformed request: missing token")
        proof, by_password = authentication.by_token(auth.token.id, client_ip=address), False
    else:
        proof, by_password = _by_password(auth.password_credentials, address), True
    if not shows_rules and memberships.rules_of(proof.token) is not None:
        raise Unauthenticated("Invalid token")
    return _render(_granted(proof, _scope(auth, proof)), explicit=_wants_project(auth, proof), expanded=by_password)


def _by_password(credentials: _PasswordCredentials | None, address: str) -> Proof:
    login = (credentials.username or credentials.user_id) if credentials is not None else None
    if credentials is None or login is None or credentials.password is None:
        raise InvalidInput("Malformed request: give either auth.token.id, or auth.passwordCredentials with username "
                           "and password.")
    return authentication.by_password(login, credentials.password, client_ip=address)


def render_credential(credential: AppCredential) -> dict[str, Any]:
    """What a token says of the application credential that it was given for."""
    body: dict[str, Any] = {"id": credential.id, "name": credential.name, "restricted": not credential.is_unrestricted}
    return body if credential.access_rules is None else {**body, "access_rules": credential.access_rules}


def _wants_project(auth: _Auth, proof: Proof) -> bool:
    """The user's own uuid as tenant name means no more than "me"."""
    return bool(auth.tenant_id) or bool(auth.tenant_name and auth.tenant_name.lower() != proof.user.uuid)


def _scope(auth: _Auth, proof: Proof) -> Scope:
    if not _wants_project(auth, proof):
        return Scope()
    found = memberships.reachable(proof.user, proof.token)
    for wanted in ({"project_id": auth.tenant_id or auth.tenant_name or ""}, {"name": auth.tenant_name or ""}):
        try:
            return Scope(project_id=memberships.find_membership(found, **wanted).project_id)
        except NotFound:
            continue
    raise InvalidInput("Not conforming tenantName")


def _granted(proof: Proof, scope: Scope) -> Grant:
    """A token is echoed, whatever kind it is: services ask on every request. A password is exchanged for a new one."""
    if proof.token is None:
        return authentication.grant(proof, scope)
    shown = authentication.describe(proof.secret, proof.token)
    if not scope.is_explicit:
        return shown
    membership = memberships.find_membership(shown.memberships, project_id=scope.project_id)
    return Grant(proof.secret, proof.token, proof.user, membership, shown.memberships, shown.roles)


def _render(grant: Grant, *, explicit: bool, expanded: bool) -> dict[str, Any]:
    project_id = grant.membership.project_id if grant.membership else grant.user.uuid
    name = grant.membership.name if grant.membership and explicit else grant.user.realname
    credential = grant.token.app_credential
    return {
        **({"application_credential": render_credential(credential)} if credential is not None else {}),
        "token": {"id": grant.secret, "expires": grant.token.expires_at.isoformat(),
                  "issued_at": grant.token.created_at.isoformat(),
                  "tenant": {"id": project_id, "name": name, "enabled": True}},
        "serviceCatalog": catalog.v2_catalog(user_id=grant.user.uuid if expanded else "", project_id=project_id),
        "user": {"id": grant.user.uuid, "name": grant.user.realname, "username": grant.user.email,
                 "roles": [{"id": role.id, "name": role.name} for role in grant.roles], "roles_links": [],
                 "projects": [item.project_id for item in grant.memberships]},
    }


@describe("List the projects that a token may be exchanged for", auth="user", reply=replies.TenantsReply)
def tenants(request: HttpRequest) -> HttpResponseBase:
    token = _live(request)
    found = memberships.within_scope(memberships.all_memberships(token.user), token)
    return json_reply({"tenants": [{"id": item.project_id, "name": item.name, "description": item.description,
                                    "enabled": True} for item in found], "tenants_links": []})


def _live(request: HttpRequest) -> ApiToken:
    return require_user(request)


@describe("List the endpoints that a token may use", auth="caller", only=("self",), reply=replies.EndpointsV2Reply)
def token_endpoints(request: HttpRequest, secret: str) -> HttpResponseBase:
    """The endpoints a token may use, for its owner or a component."""
    shown = tokens.require_live(secret, unknown="Invalid token")
    caller = header_token(request)
    if caller != secret:
        _require_same_user(caller, shown)
    found = [{"name": service["name"], "type": service["type"], **item}
             for service in catalog.v2_catalog() for item in service["endpoints"]]
    return json_reply({"endpoints": found, "endpoints_links": []})


def _require_same_user(caller: str, shown: ApiToken) -> None:
    found = tokens.find_token(caller)
    if found is None:
        components.require_component(caller)
    elif tokens.require_live(caller).user_id != shown.user_id:
        raise Unauthenticated("Invalid credentials")


@describe("Show an OAuth2 access token", auth="none", reply=replies.OAuthTokenReply, errors=(404,),
          query={"belongsTo": "A path that its scope must cover"})
def validate(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Show an OAuth2 access token; with `belongsTo`, only if its scope covers that path. API tokens are none, whoever asks."""
    found = grants.require_access(secret)
    path = request.GET.get("belongsTo")
    if path is not None and not scopes.belongs(path, found.grant.scope):
        raise NotFound("There is no such access token.")
    user = found.grant.user
    return json_reply({"access": {
        "token": {"id": secret, "expires": found.expires_at.isoformat(), "tenant": {"id": user.uuid, "name": user.realname}},
        "user": {"id": user.uuid, "name": user.realname, "roles_links": [],
                 "roles": [{"id": role.id, "name": role.name} for role in memberships.roles_of(user)]}}})


@describe("Refused: ask by GET", auth="none", status=405)
def no_head(request: HttpRequest, secret: str) -> HttpResponseBase:
    raise MethodNotAllowed(("GET",))


def unknown(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    raise InvalidInput("API endpoint not found")


def _reply(request: HttpRequest, body: dict[str, Any]) -> HttpResponse:
    if xml.is_wanted(request):
        return xml.reply(body["access"])
    return json_reply(body)

