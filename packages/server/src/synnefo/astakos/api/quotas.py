"""Quotas over HTTP: what users see of their own, and what services read of everybody's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from synnefo.astakos.api import http
from synnefo.astakos.api.account_replies import ProjectUsage, Usage, type_members
from synnefo.astakos.services import projects, quotas
from synnefo.common.auth import api_caller
from synnefo.common.describe import Body, Parameter, describe, flag, number
from synnefo.common.errors import Forbidden, NotFound

MAX_PAGE = 1000
MAX_NAMES = 2000
_PAGE: dict[str, Parameter | str] = {"limit": number("Size of the page"), "marker": "The last uuid of the page before"}


class DefaultProjectRequest(Body):
    project_id: str


@describe("Show the caller's quotas by project and resource", auth="user", reply=dict[str, dict[str, Usage]],
          query={"all": flag("Also of projects that he left and still uses")})
def own_quotas(request: HttpRequest) -> HttpResponse:
    """GET quotas: the caller's, by project and resource; with `all=1` also what he left behind."""
    caller = api_caller(request)
    return http.json_reply(quotas.quotas_of(caller.user_id, with_former=request.GET.get("all") == "1"))


@describe("Show the totals of projects", auth="user", reply=dict[str, dict[str, ProjectUsage | type_members]], errors=(403, 404),
          query={"project": "Only these projects: uuids with commas between", "members": flag("Also what each member uses")})
def project_quotas(request: HttpRequest) -> HttpResponse:
    """GET project_quotas: totals of the caller's projects; with `members=1` what each member uses."""
    caller = api_caller(request)
    with_members = request.GET.get("members") == "1"
    return http.json_reply(quotas.shared_project_quotas(caller, _names(request, "project"), with_members=with_members))


@describe("Show everybody's quotas of the calling service's resources", auth="component", reply=dict[str, dict[str, dict[str, Usage]]],
          errors=(404,), query={"user": "Only these users: uuids with commas between", "project": "Only these projects: uuids with commas between", **_PAGE},
          reply_headers={"Link": "The next page, while there is one"})
def service_quotas(request: HttpRequest) -> HttpResponseBase:
    """GET service_quotas: everybody's quotas of the calling component's resources."""
    resources = quotas.component_names(http.require_component(request).name)
    users, project_ids = _names(request, "user"), _names(request, "project")
    if "limit" in request.GET:
        page, more = quotas.page_of_users(*_page_of(request), resources)
        page = page if users is None else [user for user in page if user in users]
        found = quotas.usages(user_ids=page, project_ids=project_ids, resources=resources)
        return _paged(request, {user: quotas.as_dicts(item) for user, item in found.items()}, page if more else [])
    if users is None:
        rows = quotas.stream_usages(project_ids=project_ids, resources=resources)
        return _streamed((user, quotas.as_dicts(found)) for user, found in rows)
    found = quotas.usages(user_ids=users, project_ids=project_ids, resources=resources)
    if not found:
        raise NotFound("None of these users has a quota.")
    return http.json_reply({user: quotas.as_dicts(item) for user, item in found.items()})


@describe("Show the totals of projects in the calling service's resources", auth="component",
          reply=dict[str, dict[str, ProjectUsage]], errors=(404,), query={"project": "Only these projects: uuids with commas between", **_PAGE},
          reply_headers={"Link": "The next page, while there is one"})
def service_project_quotas(request: HttpRequest) -> HttpResponse:
    """GET service_project_quotas: totals of projects, of the calling component's resources."""
    resources = quotas.component_names(http.require_component(request).name)
    wanted = _names(request, "project")
    if "limit" in request.GET:
        page, more = quotas.page_of_projects(*_page_of(request), resources)
        chosen = page if wanted is None else [project for project in page if project in wanted]
        return _paged(request, quotas.project_quotas(chosen, resources), page if more else [])
    found = quotas.project_quotas(wanted, resources)
    if wanted is not None and not found:
        raise NotFound("None of these projects has a quota.")
    return http.json_reply(found)


@describe("Choose who pays when a request names no project", auth="account", body=DefaultProjectRequest, errors=(404, 405),
          only=("member", "owner"))
def set_default_project(request: HttpRequest) -> HttpResponse:
    """POST or PUT myaccount/default_project: who pays when a request names no project."""
    token = http.require_manager(request)
    project = http.json_body(request).get("project_id")
    if not project or not isinstance(project, str):
        raise Forbidden("project_id is missing.")
    projects.set_default_project(token.user.user_id, project)
    return HttpResponse(content_type="application/json")


def _names(request: HttpRequest, key: str) -> list[str] | None:
    """A comma-separated list of the query string; None when it is not there."""
    if key not in request.GET:
        return None
    return [name.strip().lower() for name in request.GET[key].replace("\0", "").split(",") if name.strip()][:MAX_NAMES]


def _page_of(request: HttpRequest) -> tuple[str, int]:
    """Marker and size of the page asked for."""
    size = http.natural(request.GET["limit"], "limit", default=MAX_PAGE, most=MAX_PAGE)
    return request.GET.get("marker", "").replace("\0", "")[:100].lower(), max(1, size)


def _paged(request: HttpRequest, body: Mapping[str, Any], page: list[str]) -> HttpResponse:
    """The page, with the address of the next one while there is more (`page` then names what was looked at)."""
    response = http.json_reply(dict(sorted(body.items())))
    if page:
        query = urlencode({**request.GET.dict(), "marker": page[-1]})
        response.headers["Link"] = f'<{request.build_absolute_uri(request.path)}?{query}>; rel="next"'
    return response


def _streamed(items: Iterable[tuple[str, Any]]) -> StreamingHttpResponse:
    """A JSON object that is never whole in memory."""
    def pieces() -> Iterator[bytes]:
        separator = "{"
        for key, value in items:
            yield f"{separator}{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}".encode()
            separator = ", "
        yield b"{}" if separator == "{" else b"}"

    return StreamingHttpResponse(pieces(), content_type="application/json")


