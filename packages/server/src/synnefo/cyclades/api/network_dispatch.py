"""From a path and a method of the network API to one service call. Thin: parse, call, render."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from synnefo.common import faults
from synnefo.common.auth import api_caller
from synnefo.common.errors import InvalidInput, MethodNotAllowed, NotFound
from synnefo.common.ports import Caller
from synnefo.cyclades.api import network_bodies as bodies
from synnefo.cyclades.api import network_extras as extras
from synnefo.cyclades.api import network_queries as queries
from synnefo.cyclades.api import network_views as views
from synnefo.cyclades.api.network_resources import RESOURCES, Resource, tag
from synnefo.cyclades.services.network_policy import parsed_id

MAX_DEPTH = 4

type_handler = Callable[[], HttpResponse]


def _finished(response: HttpResponseBase) -> HttpResponseBase:
    """What every answer carries: it is one caller's and must not be kept by anybody in between."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "X-Auth-Token"
    if isinstance(response, HttpResponse) and not response.content:
        del response.headers["Content-Type"]
    elif response.headers.get("Content-Type", "").startswith("application/json"):
        response.headers["Content-Type"] = "application/json; charset=UTF-8"
    return response


def _api(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    guarded = faults.guarded("neutron")(view)

    def run(request: HttpRequest, **parts: str) -> HttpResponseBase:
        return _finished(guarded(request, **parts))

    run.csrf_exempt = True  # type: ignore[attr-defined]  # API calls never trust cookies
    return run


@_api
def versions(request: HttpRequest) -> HttpResponse:
    _only_get(request)
    links = [{"rel": "self", "href": f"{views.base_url()}/"}]
    return JsonResponse({"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})


@_api
def version(request: HttpRequest) -> HttpResponse:
    _only_get(request)
    names = [(resource.singular, resource.collection) for resource in RESOURCES.values()] + extras.COLLECTION_NAMES
    return JsonResponse({"resources": [
        {"name": singular, "collection": plural, "links": [{"rel": "self", "href": f"{views.base_url()}/{plural}"}]}
        for singular, plural in names
    ]})


def _only_get(request: HttpRequest) -> None:
    if request.method not in {"GET", "HEAD"}:
        raise MethodNotAllowed(("GET", "HEAD"))


@_api
def dispatch(request: HttpRequest, path: str) -> HttpResponse:
    """Everything below v2.0. A suffix `.json` and a closing slash are tolerated."""
    caller = api_caller(request)
    parts = path.removesuffix("/").removesuffix(".json").split("/")
    resource = RESOURCES.get(parts[0])
    if resource is None:
        return extras.answer(request, caller, parts)
    if len(parts) == 1 or parts[1:] == ["detail"]:
        return _collection(request, caller, resource)
    if len(parts) == 2:
        return _item(request, caller, resource, parts[1])
    if parts[2] == "action" and len(parts) == 3 and resource.reassign is not None:
        return _action(request, caller, resource, parts[1])
    if parts[2] == "tags" and len(parts) <= MAX_DEPTH:
        return _tags(request, caller, resource, parts[1], parts[3] if len(parts) == MAX_DEPTH else None)
    raise InvalidInput("API endpoint not found.")


def _choose(request: HttpRequest, handlers: dict[str, type_handler]) -> HttpResponse:
    method = "GET" if request.method == "HEAD" else request.method or ""
    if method not in handlers:
        raise MethodNotAllowed((*handlers, *(["HEAD"] if "GET" in handlers else [])))
    return handlers[method]()


def _collection(request: HttpRequest, caller: Caller, resource: Resource) -> HttpResponse:
    return _choose(request, {
        "GET": lambda: _list(request, caller, resource), "POST": lambda: _create(request, caller, resource),
    })


def _item(request: HttpRequest, caller: Caller, resource: Resource, text: str) -> HttpResponse:
    return _choose(request, {
        "GET": lambda: _show(request, caller, resource, text),
        "PUT": lambda: _update(request, caller, resource, text),
        "DELETE": lambda: _delete(caller, resource, text),
    })


def _list(request: HttpRequest, caller: Caller, resource: Resource) -> HttpResponse:
    query = queries.parse(request.GET, resource.known)
    visible = resource.visible(caller, query.changes_since is not None)
    rows, rest = queries.narrow(visible, query, resource.lookups)
    objects, has_more = queries.page(
        resource.prepared(rows), rest, lambda found: [resource.render(row) for row in found], visible)
    if query.changes_since is not None and not objects:
        return HttpResponse(status=304)
    answer: dict[str, Any] = {resource.collection: [queries.trimmed(item, query.fields) for item in objects]}
    links = _page_links(request, resource, query, objects, has_more=has_more)
    return JsonResponse(answer | ({f"{resource.collection}_links": links} if links else {}))


def _page_links(
    request: HttpRequest, resource: Resource, query: queries.ListQuery, objects: list[dict[str, Any]], *, has_more: bool
) -> list[dict[str, str]]:
    """Where the next and the previous page are. A page in reverse has its `more` before it."""
    if query.limit is None or not objects:
        return []
    came_from = query.marker is not None
    links = []
    if came_from if query.is_reversed else has_more:
        links.append({"rel": "next", "href": _page_url(request, resource, objects[-1]["id"], is_reversed=False)})
    if has_more if query.is_reversed else came_from:
        links.append({"rel": "previous", "href": _page_url(request, resource, objects[0]["id"], is_reversed=True)})
    return links


def _page_url(request: HttpRequest, resource: Resource, marker: str, *, is_reversed: bool) -> str:
    kept = [(key, value) for key, values in request.GET.lists() for value in values if key not in {"marker", "page_reverse"}]
    pairs = [*kept, ("marker", marker), *([("page_reverse", "true")] if is_reversed else [])]
    return f"{views.base_url()}/{resource.collection}?{urlencode(pairs)}"


def _show(request: HttpRequest, caller: Caller, resource: Resource, text: str) -> HttpResponse:
    with_deleted = request.GET.get("deleted", "").lower() in queries.TRUE
    row = _one(caller, resource, _key(resource, text), with_deleted=with_deleted)
    fields = frozenset(request.GET.getlist("fields"))
    return JsonResponse({resource.singular: queries.trimmed(resource.render(row), fields)})


def _one(caller: Caller, resource: Resource, key: int, *, with_deleted: bool = False) -> Any:
    row = resource.prepared(resource.visible(caller, with_deleted).filter(pk=key)).first()
    if row is None:
        raise NotFound(f"{resource.singular.capitalize()} {key} was not found.")
    return row


def _key(resource: Resource, text: str) -> int:
    return parsed_id(text, resource.singular)


def _create(request: HttpRequest, caller: Caller, resource: Resource) -> HttpResponse:
    members, is_bulk = bodies.one_or_many(bodies.json_object(request), resource.singular, resource.collection)
    keys = resource.create(caller, members)
    rows = {row.pk: row for row in resource.prepared(resource.visible(caller, False).filter(pk__in=keys))}
    objects = [resource.render(rows[key]) for key in keys]
    return JsonResponse({resource.collection: objects} if is_bulk else {resource.singular: objects[0]}, status=201)


def _update(request: HttpRequest, caller: Caller, resource: Resource, text: str) -> HttpResponse:
    key = _key(resource, text)
    resource.update(caller, key, bodies.one(bodies.json_object(request), resource.singular))
    return JsonResponse({resource.singular: resource.render(_one(caller, resource, key))})


def _delete(caller: Caller, resource: Resource, text: str) -> HttpResponse:
    resource.delete(caller, _key(resource, text))
    return HttpResponse(status=204)


def _action(request: HttpRequest, caller: Caller, resource: Resource, text: str) -> HttpResponse:
    def act() -> HttpResponse:
        assert resource.reassign is not None
        _, argument = bodies.action_of(bodies.json_object(request))
        project = bodies.text(argument, "project", limit=255)
        if project is None:
            raise InvalidInput("The action needs a project.", field="project")
        resource.reassign(caller, _key(resource, text), project, bodies.boolean(argument, "shared_to_project", False))
        return HttpResponse(status=200)

    return _choose(request, {"POST": act})


def _tags(request: HttpRequest, caller: Caller, resource: Resource, text: str, name: str | None) -> HttpResponse:
    key = _key(resource, text)
    if name is not None:
        return _one_tag(request, caller, resource, key, name)

    def replace() -> HttpResponse:
        wanted = bodies.tags_of(bodies.json_object(request))
        return JsonResponse({"tags": tag(resource, caller, key, lambda _: wanted)})

    def clear() -> HttpResponse:
        tag(resource, caller, key, lambda _: [])
        return HttpResponse(status=204)

    return _choose(request, {
        "GET": lambda: JsonResponse({"tags": sorted(_one(caller, resource, key).tags)}), "PUT": replace, "DELETE": clear,
    })


def _one_tag(request: HttpRequest, caller: Caller, resource: Resource, key: int, name: str) -> HttpResponse:
    def find() -> HttpResponse:
        if name not in _one(caller, resource, key).tags:
            raise NotFound(f"There is no tag {name[:64]!r}.")
        return HttpResponse(status=204)

    def add() -> HttpResponse:
        tag(resource, caller, key, lambda tags: bodies.checked_tags([*tags, name]))
        return HttpResponse(status=201)

    def remove() -> HttpResponse:
        find()
        tag(resource, caller, key, lambda tags: [other for other in tags if other != name])
        return HttpResponse(status=204)

    return _choose(request, {"GET": find, "PUT": add, "DELETE": remove})


