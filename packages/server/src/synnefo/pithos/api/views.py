"""The Pithos dialect: `/object-store/v1/<account>/<container>/<object>`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlparse

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from synnefo.common.auth import api_caller
from synnefo.common.errors import InvalidInput, MethodNotAllowed
from synnefo.common.faults import guarded
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.api import accounts, containers, copies, http, objects, updates
from synnefo.pithos.services.transfers import Place

type_view = Callable[..., HttpResponseBase]


def split(request: HttpRequest, *roots: str) -> list[str]:
    """[account, container, object] as far as the path names them below one of the roots; the object's name is taken verbatim."""
    path = http.raw_path(request)
    base = urlparse(conf.PITHOS_BASE_URL).path.rstrip("/")
    for root in roots:
        if path == base + root or path.startswith(f"{base}{root}/"):
            return _parts(path[len(base + root):].removeprefix("/"))
    raise InvalidInput("API endpoint not found.")


def _parts(rest: str) -> list[str]:
    parts = rest.split("/", 2)
    while parts and not parts[-1]:
        parts.pop()
    if not all(parts):
        raise InvalidInput("The path needs an account and a container.")
    return parts


@csrf_exempt
def dispatch(request: HttpRequest, **_: Any) -> HttpResponseBase:
    """One view for all paths, because the router would normalise object names."""
    response: HttpResponseBase = _dispatch(request)
    if response.status_code >= 400:
        http.drain(request)
    return response


@guarded()
def _dispatch(request: HttpRequest) -> HttpResponseBase:
    parts = split(request, "/object-store/v1", "/object-store/v1.0")
    if parts:
        parts[0] = parts[0].removeprefix("AUTH_")
    return serve(request, parts, ACTIONS)


def serve(request: HttpRequest, parts: list[str], actions: list[dict[str, type_view]]) -> HttpResponseBase:
    """Call the action for the depth of the path and the method. A copy of the client's that is still good gives 304."""
    table = actions[len(parts)]
    view = table.get(request.method or "")
    if view is None:
        raise MethodNotAllowed(tuple(table))
    caller = api_caller(request)
    try:
        return view(request, caller, *parts)
    except http.NotModified as same:
        response = HttpResponse(status=304)
        if same.etag:
            response["ETag"] = same.etag
        return http.finish(response, request, modified=same.modified)


def put_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    """New content, or another object's."""
    source = copies.source_of(request, caller)
    if source is None:
        return objects.put_object(request, caller, account, container, name)
    return copies.transfer(request, caller, source[0], Place(account, container, name), is_move=source[1], is_put=True)


ACTIONS: list[dict[str, type_view]] = [
    {"GET": accounts.list_accounts},
    {"HEAD": accounts.head_account, "GET": accounts.get_account, "POST": accounts.post_account},
    {"HEAD": containers.head_container, "GET": containers.get_container, "PUT": containers.put_container, "POST": containers.post_container,
     "DELETE": containers.delete_container},
    {"HEAD": objects.head_object, "GET": objects.get_object, "PUT": put_object, "POST": updates.post_object, "DELETE": objects.delete_object,
     "COPY": copies.copy_object, "MOVE": copies.move_object},
]
