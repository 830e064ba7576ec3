"""The calls on one container."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.api import http
from synnefo.pithos.models import Container, StoredObject
from synnefo.pithos.services import blocks, containers, listings
from synnefo.pithos.services.containers import Policy
from synnefo.pithos.services.listings import Listing

META = "X-Container-Meta-"


def headers_of(caller: Caller, item: Container) -> dict[str, str]:
    headers = {"X-Container-Block-Size": str(conf.PITHOS_BACKEND_BLOCK_SIZE), "X-Container-Block-Hash": conf.PITHOS_BACKEND_HASH_ALGORITHM}
    if caller.user_id != item.account:
        return headers
    headers |= {"X-Container-Object-Count": str(item.objects_count), "X-Container-Bytes-Used": str(item.bytes_used),
                "X-Container-Policy-Versioning": item.versioning, "X-Container-Policy-Quota": str(item.quota_bytes),
                "X-Container-Policy-Project": item.project_id}
    return headers | http.meta_answer(META, item.meta)


def head_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    http.refuse_query(request, "until")
    item = containers.access(caller, account, container)
    http.check_dates(request, item.updated_at)
    return http.finish(http.with_headers(HttpResponse(status=204), headers_of(caller, item)), request, modified=item.updated_at)


def asked_listing(request: HttpRequest) -> Listing:
    """What the query asks of a listing."""
    http.refuse_query(request, "until", "shared", "public", "meta", "deleted", "reverse", "changes-since")
    marker, end_marker, limit = http.query_text(request, "marker"), http.query_text(request, "end_marker"), http.page_limit(request)
    if "path" in request.GET:
        path = http.query_text(request, "path").strip("/")
        return Listing(f"{path}/" if path else "", "/", marker, end_marker, limit, with_virtual=False)
    prefix, delimiter = http.query_text(request, "prefix").lstrip("/"), http.query_text(request, "delimiter")
    if delimiter and prefix and not prefix.endswith(delimiter):
        prefix += delimiter
    return Listing(prefix, delimiter, marker, end_marker, limit)


def get_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    """The container's objects."""
    item = containers.access(caller, account, container)
    http.check_dates(request, item.updated_at)
    found = listings.list_objects(caller, item, asked_listing(request))
    names = [entry if isinstance(entry, str) else entry.name for entry in found]
    response = http.listing(request, names, (row_of(entry) for entry in found))
    return http.finish(http.with_headers(response, headers_of(caller, item)), request, modified=item.updated_at)


def row_of(entry: StoredObject | str) -> dict[str, Any]:
    """One line of a JSON listing."""
    if isinstance(entry, str):
        return {"subdir": entry}
    version = entry.current
    assert version is not None
    return {"name": entry.name, "bytes": version.bytes, "content_type": version.content_type, "hash": version.etag,
            "last_modified": http.iso(version.created_at), "x_object_hash": version.hash, "x_object_uuid": entry.uuid,
            "x_object_version": version.pk, "x_object_version_timestamp": http.stamp(version.created_at),
            "x_object_modified_by": version.modified_by, "available": 1}


def put_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    created = containers.put(caller, account, container, meta=http.meta_headers(request, META), policy=http.policy_headers(request))
    return http.finish(HttpResponse(status=201 if created else 202), request)


def post_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    """Metadata and policies; a body of blocks is stored and answered with their hashes."""
    containers.get_own(caller, account, container)
    meta, policy, merge = http.meta_headers(request, META), http.policy_headers(request), "update" in request.GET
    names = _receive_blocks(request, account)
    if policy != Policy() and not merge:
        policy = Policy(policy.versioning or conf.PITHOS_BACKEND_VERSIONING,
                        conf.PITHOS_BACKEND_CONTAINER_QUOTA if policy.quota_bytes is None else policy.quota_bytes, policy.project_id or account)
    if meta or not merge or policy != Policy():
        containers.update(caller, account, container, meta=meta, policy=policy, merge=merge)
    if names is None:
        return http.finish(HttpResponse(status=202), request)
    if request.GET.get("format") == "json":
        return http.finish(JsonResponse(names, safe=False, status=202), request)
    return http.finish(HttpResponse("".join(f"{name}\n" for name in names), status=202, content_type="text/plain; charset=UTF-8"), request)


def _receive_blocks(request: HttpRequest, account: str) -> list[str] | None:
    is_data = request.headers.get("Content-Type") == "application/octet-stream"
    has_body = request.META.get("CONTENT_LENGTH") not in {None, "", "0"} or "Transfer-Encoding" in request.headers
    if not is_data or not has_body:
        return None
    limit = int(conf.PITHOS_MAX_UPLOAD_SIZE)
    names = blocks.receive(http.Body(request, limit=limit), limit=limit).hashes
    blocks.lease(account, names)
    return names


def delete_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    """The container if it is empty; with `delimiter` its objects instead."""
    http.refuse_query(request, "until")
    if request.GET.get("delimiter"):
        containers.empty(caller, account, container)
    else:
        containers.delete(caller, account, container)
    return http.finish(HttpResponse(status=204), request)
