"""Identity API v3: projects, users, domains, roles, services, endpoints and regions, all read-only."""

from __future__ import annotations

from typing import Any

from django.db.models import prefetch_related_objects
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from synnefo.astakos.api import identity_replies as replies
from synnefo.astakos.api.http import json_reply, natural, require_user
from synnefo.astakos.api.identity_v2 import identity_url
from synnefo.astakos.api.identity_v3 import DOMAIN, auth_projects, links, render_domain, render_project
from synnefo.astakos.models import ApiToken, Group, User
from synnefo.astakos.services import accounts, authentication, catalog, memberships
from synnefo.common.describe import Parameter, describe, number
from synnefo.common.errors import Forbidden, NotFound
from synnefo.common.settings import conf

MAX_PAGE = 1000
_PAGE: dict[str, Parameter | str] = {"limit": number("Size of the page, for administrators"), "marker": "The last id of the page before"}


def is_admin(token: ApiToken) -> bool:
    """An administrator's token that was not made without that role."""
    return token.user.is_superuser and (token.roles is None or "admin" in token.roles)


@describe("List projects: the caller's, or all for an administrator", auth="user", reply=replies.ProjectsReply,
          query={"name": "Only of this name", "domain_id": "Only of this domain", "parent_id": "Only below this one",
                 "enabled": "Only those that are, or are not", **_PAGE})
def projects(request: HttpRequest) -> HttpResponseBase:
    token = require_user(request)
    if is_admin(token):
        return _all_projects(request)
    found = sorted((render_project(item) for item in memberships.reachable(token.user, token)), key=lambda item: str(item["id"]))
    shown = _filtered(request, found, ("name", "domain_id", "parent_id", "enabled"))
    shown = [item for item in shown if item["id"] > request.GET.get("marker", "").lower()]
    limit = _limit(request)
    return json_reply({"projects": shown[:limit], "links": links("projects", after=_after(request, shown[:limit], limit))})


def _limit(request: HttpRequest) -> int:
    return natural(request.GET.get("limit", ""), "limit", default=MAX_PAGE, most=MAX_PAGE) or MAX_PAGE


def _after(request: HttpRequest, page: list[dict[str, Any]], limit: int) -> str:
    """The query of the page after a full one."""
    if len(page) < limit:
        return ""
    query = request.GET.copy()
    query["marker"] = page[-1]["id"]
    return query.urlencode()


def _all_projects(request: HttpRequest) -> HttpResponseBase:
    limit = _limit(request)
    found = accounts.list_projects(marker=request.GET.get("marker", ""), name=request.GET.get("name", ""), limit=limit)
    page = [render_project(item) for item in found]
    return json_reply({"projects": _filtered(request, page, ("domain_id", "parent_id", "enabled")),
                       "links": links("projects", after=_after(request, page, limit))})


def _filtered(request: HttpRequest, items: list[dict[str, Any]], keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """Those whose fields equal the query's; true and 1 mean the same."""
    for key in keys:
        asked = request.GET.get(key)
        if asked is not None:
            items = [item for item in items if _word(item[key]) == _word(asked)]
    return items


def _word(value: object) -> str:
    text = str(value)
    return {"true": "1", "false": "0"}.get(text.lower(), text)


@describe("Show a project", auth="user", reply=replies.ProjectReply, errors=(404,))
def project(request: HttpRequest, project_id: str) -> HttpResponseBase:
    token = require_user(request)
    found = memberships.reachable(token.user, token)
    for item in found:
        if item.project_id == project_id.lower():
            return json_reply({"project": render_project(item)})
    if is_admin(token):
        return json_reply({"project": render_project(accounts.get_project(project_id))})
    raise NotFound("There is no such project, or you are not a member of it.")


@describe("List users: the caller himself, or all for an administrator", auth="user", only=("self", "admin"), reply=replies.UsersReply,
          query={"name": "Only of this e-mail", "domain_id": "Only of this domain", "enabled": "Only those that are, or are not", **_PAGE})
def users(request: HttpRequest) -> HttpResponseBase:
    token = require_user(request)
    if is_admin(token):
        return _all_users(request)
    if request.GET.get("name", "").lower() != token.user.email:
        raise Forbidden("You may look at your own account only.")
    return json_reply({"users": [render_user(token.user)], "links": links("users")})


def _all_users(request: HttpRequest) -> HttpResponseBase:
    limit, enabled = _limit(request), request.GET.get("enabled")
    found = accounts.list_users(marker=request.GET.get("marker", ""), name=request.GET.get("name", ""), limit=limit,
                                is_active=None if enabled is None else _word(enabled) == "1")
    page = [render_user(user) for user in found]
    return json_reply({"users": _filtered(request, page, ("domain_id",)), "links": links("users", after=_after(request, page, limit))})


def render_user(user: User) -> dict[str, Any]:
    return {"id": user.uuid, "name": user.email, "email": user.email, "domain_id": DOMAIN["id"],
            "enabled": user.is_active, "default_project_id": user.default_project_id, "password_expires_at": None,
            "description": "", "options": {}, "links": {"self": identity_url("v3", "users", user.uuid)}}


def subject(request: HttpRequest, user_id: str) -> User:
    token = require_user(request)
    if token.user.uuid == user_id.lower():
        return token.user
    if not is_admin(token):
        raise Forbidden("You may look at your own account only.")
    found = authentication.find_by_login(user_id)
    if found is None or found.uuid != user_id.lower():
        raise NotFound("There is no such user.")
    return found


@describe("Show a user", auth="user", reply=replies.UserReply, errors=(404,), only=("self", "admin"))
def user(request: HttpRequest, user_id: str) -> HttpResponseBase:
    return json_reply({"user": render_user(subject(request, user_id))})


@describe("List the projects of a user", auth="user", reply=replies.ProjectsReply, errors=(404,), only=("self", "admin"))
def user_projects(request: HttpRequest, user_id: str) -> HttpResponseBase:
    token = require_user(request)
    if token.user.uuid == user_id.lower():
        return auth_projects(request)
    found = memberships.all_memberships(subject(request, user_id))
    return json_reply({"projects": [render_project(item) for item in found], "links": links("users", user_id, "projects")})


@describe("List the groups of a user", auth="user", reply=replies.GroupsReply, errors=(404,), only=("self", "admin"))
def user_groups(request: HttpRequest, user_id: str) -> HttpResponseBase:
    found = [_render_group(item) for item in subject(request, user_id).groups.order_by("pk")]
    return json_reply({"groups": found, "links": links("users", user_id, "groups")})


@describe("List groups: the caller's, or all for an administrator", auth="user", reply=replies.GroupsReply,
          query={"name": "Only of this name", "domain_id": "Only of this domain"})
def groups(request: HttpRequest) -> HttpResponseBase:
    """The caller's groups; administrators see all."""
    token = require_user(request)
    found = Group.objects.order_by("pk") if is_admin(token) else token.user.groups.order_by("pk")
    return json_reply({"groups": _filtered(request, [_render_group(item) for item in found[:MAX_PAGE]], ("name", "domain_id")),
                       "links": links("groups")})


@describe("Show a group", auth="user", reply=replies.GroupReply, errors=(404,))
def group(request: HttpRequest, group_id: str) -> HttpResponseBase:
    token = require_user(request)
    found = Group.objects.all() if is_admin(token) else token.user.groups.all()
    return json_reply({"group": _one([_render_group(item) for item in found], group_id, "group")})


def _render_group(item: Group) -> dict[str, Any]:
    return {"id": str(item.pk), "name": item.name, "domain_id": DOMAIN["id"], "description": "",
            "links": {"self": identity_url("v3", "groups", str(item.pk))}}


@describe("List the domains: there is one", auth="user", reply=replies.DomainsReply,
          query={"name": "Only of this name", "enabled": "Only those that are, or are not"})
def domains(request: HttpRequest) -> HttpResponseBase:
    require_user(request)
    return json_reply({"domains": _filtered(request, [render_domain()], ("name", "enabled")), "links": links("domains")})


@describe("Show the domain", auth="user", reply=replies.DomainReply, errors=(404,))
def domain(request: HttpRequest, domain_id: str) -> HttpResponseBase:
    require_user(request)
    if domain_id != DOMAIN["id"]:
        raise NotFound("There is only the domain default.")
    return json_reply({"domain": render_domain()})


def _roles(token: ApiToken) -> list[dict[str, Any]]:
    return [{"id": role.id, "name": role.name, "domain_id": None, "description": "", "options": {},
             "links": {"self": identity_url("v3", "roles", role.id)}}
            for role in memberships.roles_of(token.user, None, token)]


@describe("List the caller's roles", auth="user", reply=replies.RolesReply, query={"name": "Only of this name"})
def roles(request: HttpRequest) -> HttpResponseBase:
    return json_reply({"roles": _filtered(request, _roles(require_user(request)), ("name",)), "links": links("roles")})


@describe("Show a role of the caller", auth="user", reply=replies.RoleReply, errors=(404,))
def role(request: HttpRequest, role_id: str) -> HttpResponseBase:
    return json_reply({"role": _one(_roles(require_user(request)), role_id, "role")})


def _one(items: list[dict[str, Any]], wanted: str, what: str) -> dict[str, Any]:
    for item in items:
        if item["id"] == wanted:
            return item
    raise NotFound(f"There is no such {what}.")


@describe("List a user's roles by project", auth="user", reply=replies.AssignmentsReply, errors=(403, 404),
          query={"user.id": "Whose: the caller's own uuid, or any for an administrator", "scope.project.id": "Only in this project", "include_names": "Show names too"})
def role_assignments(request: HttpRequest) -> HttpResponseBase:
    """The caller's own assignments; administrators see any user's."""
    token = require_user(request)
    user = subject(request, request.GET.get("user.id", token.user.uuid))
    is_own = user.pk == token.user.pk
    found = memberships.reachable(user, token) if is_own else memberships.all_memberships(user)
    wanted = request.GET.get("scope.project.id")
    named = request.GET.get("include_names", "0").lower() not in {"0", "false"}
    prefetch_related_objects([user], "groups")
    shown = [_assignment(user, item, role, named=named)
             for item in found if wanted in {None, item.project_id}
             for role in memberships.roles_of(user, item, token if is_own else None)]
    return json_reply({"role_assignments": shown, "links": links("role_assignments")})


def _assignment(user: User, item: memberships.Membership, role: memberships.Role, *, named: bool) -> dict[str, Any]:
    names: dict[str, dict[str, Any]] = {
        "user": {"name": user.email, "domain": DOMAIN}, "project": {"name": item.name, "domain": DOMAIN},
        "role": {"name": role.name}} if named else {"user": {}, "project": {}, "role": {}}
    return {"role": {"id": role.id, **names["role"]}, "user": {"id": user.uuid, **names["user"]},
            "scope": {"project": {"id": item.project_id, **names["project"]}}, "links": {}}


def _catalog(request: HttpRequest) -> list[dict[str, Any]]:
    token = require_user(request)
    return catalog.v3_catalog(token.user.uuid, token.user.default_project_id)


def _services(request: HttpRequest) -> list[dict[str, Any]]:
    return [{"id": item["id"], "name": item["name"], "type": item["type"], "enabled": True, "description": "",
             "links": {"self": identity_url("v3", "services", item["id"])}} for item in _catalog(request)]


@describe("List the services of the catalog", auth="user", reply=replies.ServicesReply,
          query={"type": "Only of this type", "name": "Only of this name"})
def services(request: HttpRequest) -> HttpResponseBase:
    return json_reply({"services": _filtered(request, _services(request), ("type", "name")), "links": links("services")})


@describe("Show a service", auth="user", reply=replies.ServiceReply, errors=(404,))
def service(request: HttpRequest, service_id: str) -> HttpResponseBase:
    return json_reply({"service": _one(_services(request), service_id, "service")})


def _endpoints(request: HttpRequest) -> list[dict[str, Any]]:
    return [{**item, "service_id": entry["id"], "enabled": True,
             "links": {"self": identity_url("v3", "endpoints", item["id"])}}
            for entry in _catalog(request) for item in entry["endpoints"]]


@describe("List the endpoints of the catalog", auth="user", reply=replies.EndpointsReply,
          query={"service_id": "Only of this service", "interface": "Only of this kind", "region_id": "Only of this region"})
def endpoints(request: HttpRequest) -> HttpResponseBase:
    found = _filtered(request, _endpoints(request), ("service_id", "interface", "region_id"))
    return json_reply({"endpoints": found, "links": links("endpoints")})


@describe("Show an endpoint", auth="user", reply=replies.EndpointReply, errors=(404,))
def endpoint(request: HttpRequest, endpoint_id: str) -> HttpResponseBase:
    return json_reply({"endpoint": _one(_endpoints(request), endpoint_id, "endpoint")})


def _region() -> dict[str, Any]:
    name = conf.ASTAKOS_REGION_NAME
    return {"id": name, "description": "", "parent_region_id": None, "links": {"self": identity_url("v3", "regions", name)}}


@describe("List the regions: there is one", auth="user", reply=replies.RegionsReply)
def regions(request: HttpRequest) -> HttpResponseBase:
    require_user(request)
    return json_reply({"regions": [_region()], "links": links("regions")})


@describe("Show the region", auth="user", reply=replies.RegionReply, errors=(404,))
def region(request: HttpRequest, region_id: str) -> HttpResponseBase:
    require_user(request)
    return json_reply({"region": _one([_region()], region_id, "region")})


@describe("Refused: this is the project API's and the operator's", auth="user", status=403)
def read_only(request: HttpRequest, **_: str) -> HttpResponseBase:
    """Every change of what operators and the project API decide."""
    require_user(request)
    raise Forbidden("This cannot be changed here: use the project API of this cloud, or ask the operator (snf-manage).")


def unknown(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    raise NotFound("There is nothing at this address.")
