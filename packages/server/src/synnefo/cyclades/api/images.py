"""The image APIs: v1 (headers, as kamaki speaks it) and v2 (JSON, as OpenStack clients speak it)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from synnefo.common.auth import api_caller
from synnefo.common.errors import InvalidInput, MethodNotAllowed, NotFound, NotSupported
from synnefo.common.faults import guarded
from synnefo.common.ports import Caller, object_store
from synnefo.common.settings import conf
from synnefo.cyclades.api import requests
from synnefo.cyclades.services import images
from synnefo.cyclades.services.images import Image

MAX_SIZE = 10**18 - 1
META, PROPERTY = "x-image-meta-", "x-image-meta-property-"
FIELDS = {"name", "location", "disk-format", "container-format", "size", "checksum", "is-public", "owner", "store", "description", "status"}
FIXED = {"location", "size", "checksum", "store"}
SORT_KEYS = {"id": lambda item: item.id, "name": lambda item: item.name, "size": lambda item: item.size_bytes, "status": lambda item: item.status,
             "disk_format": lambda item: item.disk_format, "container_format": lambda item: item.container_format,
             "created_at": lambda item: item.created_at, "updated_at": lambda item: item.updated_at}
type_view = Callable[..., HttpResponseBase]


def _v1_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _v2_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# Version 1 ----------------------------------------------------------------------------------------------------------


def _v1(item: Image, *, detail: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"id": item.id, "name": item.name, "status": item.status, "disk_format": item.disk_format,
                             "container_format": item.container_format, "size": item.size_bytes}
    if not detail:
        return found
    return found | {"checksum": item.checksum, "location": item.location, "created_at": _v1_time(item.created_at),
                    "updated_at": _v1_time(item.updated_at), "deleted_at": "", "is_public": item.is_public, "owner": item.owner,
                    "properties": dict(item.properties), "is_snapshot": False, "description": item.description}


def _headers(item: Image) -> HttpResponse:
    response = HttpResponse(content_type="text/plain; charset=UTF-8")
    fields = _v1(item, detail=True)
    for key, value in fields.pop("properties").items():
        response[PROPERTY + key.replace("_", "-")] = quote(value, safe=" /:,@=")
    for key, value in fields.items():
        response[META + key.replace("_", "-")] = quote(str(value), safe=" /:,@=")
    return response


def _given(request: HttpRequest) -> tuple[dict[str, str], dict[str, str]]:
    """(fields, properties) of a request's headers. Raises `InvalidInput`."""
    fields, properties = {}, {}
    for name, raw in request.headers.items():
        key = name.lower()
        if not key.startswith(META):
            continue
        try:
            value = unquote_to_bytes(raw).decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidInput(f"{name} is not valid UTF-8.") from None
        if "\0" in value:
            raise InvalidInput(f"{name} contains a NUL character.")
        if key.startswith(PROPERTY):
            properties[re.sub(r"[^a-z0-9]", "_", key.removeprefix(PROPERTY)).upper()] = value
        elif key.removeprefix(META) in FIELDS:
            fields[key.removeprefix(META).replace("-", "_")] = value
        else:
            raise InvalidInput(f"Unknown field {name}.")
    return fields, properties


def _truth(fields: dict[str, str]) -> bool | None:
    text = fields.get("is_public")
    return None if text is None else text.lower() in {"true", "1", "yes"}


def v1_list(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    return JsonResponse({"images": [_v1(item, detail=False) for item in _sorted(request, caller)]})


def v1_detail(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    return JsonResponse({"images": [_v1(item, detail=True) for item in _sorted(request, caller)]})


def _sorted(request: HttpRequest, caller: Caller) -> list[Image]:
    key, direction = request.GET.get("sort_key", "created_at"), request.GET.get("sort_dir", "desc")
    if key not in SORT_KEYS or direction not in {"asc", "desc"}:
        raise InvalidInput("sort_key or sort_dir is unknown.")
    found = [item for item in images.list_images(caller)
             if all(str(getattr(item, name)) == request.GET[name] for name in ("name", "disk_format", "container_format", "status") if name in request.GET)]
    least, most = _size_limits(request)
    found = [item for item in found if least <= item.size_bytes <= most]
    return sorted(found, key=SORT_KEYS[key], reverse=direction == "desc")


def _size_limits(request: HttpRequest) -> tuple[int, int]:
    least, most = request.GET.get("size_min", "0"), request.GET.get("size_max", str(MAX_SIZE))
    return requests.number(least, "size_min", most=MAX_SIZE), requests.number(most, "size_max", most=MAX_SIZE)


def v1_show(request: HttpRequest, caller: Caller, key: str) -> HttpResponseBase:
    return _headers(images.get_image(caller, key))


def v1_get(request: HttpRequest, caller: Caller, key: str) -> HttpResponseBase:
    images.get_image(caller, key)
    raise NotSupported("Read the image's file from the object store.")


def v1_register(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    fields, properties = _given(request)
    for name in ("name", "location"):
        if not fields.get(name):
            raise InvalidInput(f"{META}{name} is needed.", field=name)
    if fields.get("store", "pithos") != "pithos":
        raise InvalidInput("The store is pithos.", field="store")
    images.require_same(caller, fields["location"], size=fields.get("size"), checksum=fields.get("checksum"))
    item = images.register_image(
        caller, fields["name"], fields["location"], properties=properties, is_public=bool(_truth(fields)),
        disk_format=fields.get("disk_format", "diskdump"), container_format=fields.get("container_format", "bare"),
        description=fields.get("description", properties.get("DESCRIPTION", "")))
    return _headers(item)


def v1_update(request: HttpRequest, caller: Caller, key: str) -> HttpResponseBase:
    fields, properties = _given(request)
    if fixed := FIXED & set(fields):
        raise InvalidInput(f"{META}{min(fixed)} cannot be changed.")
    changes = {name: value for name, value in fields.items() if name in images.CHANGEABLE}
    if "description" not in changes and "DESCRIPTION" in properties:
        changes["description"] = properties["DESCRIPTION"]
    return _headers(images.update_image(caller, key, changes=changes, properties=dict(properties), is_public=_truth(fields)))


def unregister(request: HttpRequest, caller: Caller, key: str) -> HttpResponseBase:
    images.unregister_image(caller, key)
    return HttpResponse(status=204)


def v1_members(request: HttpRequest, caller: Caller, key: str) -> HttpResponseBase:
    item = images.get_image(caller, key)
    return JsonResponse({"members": [{"member_id": member, "can_share": False} for member in item.members]})


def v1_set_members(request: HttpRequest, caller: Caller, key: str) -> HttpResponseBase:
    wanted = requests.json_body(request).get("memberships")
    if not isinstance(wanted, list) or any(not isinstance(item, dict) or not isinstance(item.get("member_id"), str) for item in wanted):
        raise InvalidInput("memberships is a list of objects with a member_id.")
    images.set_members(caller, key, [item["member_id"] for item in wanted])
    return HttpResponse(status=204)


# Version 2 ----------------------------------------------------------------------------------------------------------


def _v2(item: Image, caller: Caller) -> dict[str, Any]:
    visibility = "public" if item.is_public else "shared" if item.members or item.owner != caller.user_id else "private"
    found: dict[str, Any] = {
        **{key: value for key, value in item.properties.items() if key not in {"id", "name"}},
        "id": item.id, "name": item.name, "status": "active", "visibility": visibility, "owner": item.owner, "size": item.size_bytes,
        "virtual_size": None, "checksum": None, "os_hash_algo": None, "os_hash_value": None, "os_hidden": False,
        "disk_format": "raw" if item.disk_format == "diskdump" else item.disk_format, "container_format": item.container_format, "min_disk": 0,
        "min_ram": 0, "protected": False, "tags": [], "created_at": _v2_time(item.created_at), "updated_at": _v2_time(item.updated_at),
        "file": f"/v2/images/{item.id}/file", "self": f"/v2/images/{item.id}", "schema": "/v2/schemas/image"}
    return found | ({"direct_url": item.location} if item.owner == caller.user_id else {})


NO_FILTERS = {"limit", "marker", "sort", "sort_key", "sort_dir", "size_min", "size_max", "member_status", "tag", "os_hidden", "created_at", "updated_at"}
"""Parameters of a list that are no filters, or that every image here passes."""


def _in(value: str, wanted: str) -> bool:
    return value in wanted.removeprefix("in:").split(",") if wanted.startswith("in:") else value == wanted


def v2_list(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    query = request.GET
    found = [_v2(item, caller) for item in images.list_images(caller)]
    found = [item for item in found if all(_in(str(item.get(key)), str(value)) for key, value in query.items() if key not in NO_FILTERS)]
    least, most = _size_limits(request)
    return JsonResponse(_page(request, _ordered(request, [item for item in found if least <= item["size"] <= most])))


def _ordered(request: HttpRequest, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By `sort` (key:direction,...) or sort_key and sort_dir; newest first otherwise. Raises `InvalidInput`."""
    query = request.GET
    wanted = query.get("sort") or f"{query.get('sort_key', 'created_at')}:{query.get('sort_dir', 'desc')}"
    found = sorted(found, key=lambda item: str(item["id"]), reverse=True)
    for part in reversed(wanted.split(",")[:4]):
        key, _, direction = part.partition(":")
        requests.one_of(key, tuple(SORT_KEYS), "sort key")
        down = requests.one_of(direction or "desc", ("asc", "desc"), "sort direction") == "desc"
        found.sort(key=lambda item: item[key], reverse=down)
    return found


def _page(request: HttpRequest, found: list[dict[str, Any]]) -> dict[str, Any]:
    most, marker = int(conf.CYCLADES_API_MAX_LIMIT), request.GET.get("marker")
    start = 0
    if marker:
        places = [index for index, item in enumerate(found) if item["id"] == marker]
        if not places:
            raise InvalidInput("marker names no image.", field="marker")
        start = places[0] + 1
    limit = min(requests.number(request.GET.get("limit", str(most)), "limit"), most)
    page = found[start : start + limit]
    body: dict[str, Any] = {"images": page, "schema": "/v2/schemas/images", "first": "/v2/images"}
    if len(found) > start + limit and page:
        query = request.GET.copy()
        query["limit"], query["marker"] = str(limit), page[-1]["id"]
        body["next"] = f"/v2/images?{query.urlencode()}"
    return body


def v2_show(request: HttpRequest, caller: Caller, key: str) -> HttpResponseBase:
    return JsonResponse(_v2(images.get_image(caller, key), caller))


def v2_register(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """Register an object that is in the store already, named by `location`."""
    body = requests.json_body(request)
    if not isinstance(body.get("location"), str):
        raise NotSupported("Upload the file to the object store, then register it here with its pithos:// location.")
    known = {"name", "location", "disk_format", "container_format", "visibility", "min_disk", "min_ram", "protected", "tags"}
    properties = {key: requests.text(value, key, most=4096, least=0) for key, value in body.items() if key not in known}
    disk_format = requests.text(body.get("disk_format", "raw"), "disk_format")
    visibility = requests.one_of(body.get("visibility", "private"), ("private", "shared", "public"), "visibility")
    item = images.register_image(
        caller, requests.text(body.get("name"), "name"), requests.text(body["location"], "location", most=images.MAX_LOCATION),
        properties=properties, is_public=visibility == "public", disk_format="diskdump" if disk_format == "raw" else disk_format,
        container_format=requests.text(body.get("container_format", "bare"), "container_format"))
    response = JsonResponse(_v2(item, caller), status=201)
    response["Location"] = f"/v2/images/{item.id}"
    return response


def v2_file(request: HttpRequest, caller: Caller, key: str) -> HttpResponseBase:
    """The image's content, streamed from the object store."""
    item = images.get_image(caller, key)
    pieces = object_store().read(item.mapfile, item.size_bytes)
    response = StreamingHttpResponse(pieces, content_type="application/octet-stream")
    response["Content-Length"] = str(item.size_bytes)
    return response


def v2_schema(request: HttpRequest, caller: Caller, name: str) -> HttpResponseBase:
    return JsonResponse({"name": name, "properties": {}, "additionalProperties": {"type": "string"}, "links": []})


def _route(pattern: str, **methods: type_view) -> tuple[re.Pattern[str], dict[str, type_view]]:
    return re.compile(pattern), methods


V1 = [
    _route(r"images", GET=v1_list, POST=v1_register),
    _route(r"images/detail", GET=v1_detail),
    _route(r"images/([^/]+)", HEAD=v1_show, GET=v1_get, PUT=v1_update, DELETE=unregister),
    _route(r"images/([^/]+)/members", GET=v1_members, PUT=v1_set_members),
]
V2 = [
    _route(r"images", GET=v2_list, POST=v2_register),
    _route(r"images/([^/]+)", GET=v2_show, DELETE=unregister),
    _route(r"images/([^/]+)/file", GET=v2_file),
    _route(r"images/([^/]+)/members", GET=v1_members),
    _route(r"schemas/([a-z]+)", GET=v2_schema),
]


@guarded()
def dispatch(request: HttpRequest, version: str, path: str) -> HttpResponseBase:
    caller = api_caller(request)
    requests.check_text_of(request)
    is_v2 = version.startswith("v2")
    allowed: list[str] = []
    for pattern, methods in V2 if is_v2 else V1:
        match = pattern.fullmatch(path.strip("/"))
        if match is None:
            continue
        view = methods.get(request.method or "")
        if view is not None:
            response = view(request, caller, *match.groups())
            response["Vary"], response["Cache-Control"] = "X-Auth-Token", "no-cache, no-store, must-revalidate"
            return response
        allowed += list(methods)
    if allowed:
        raise MethodNotAllowed(tuple(dict.fromkeys(allowed)))
    if is_v2:
        raise NotFound("API endpoint not found.")
    raise InvalidInput("API endpoint not found.")
