"""The Pithos dialect: `/object-store/v1/<account>/<container>/<object>`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlparse

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import http_date

from synnefo.common import ports
from synnefo.common.auth import api_caller
from synnefo.common.errors import (
    Forbidden,
    InvalidInput,
    LengthRequired,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    RequestTooLarge,
    UnprocessableEntity,
)
from synnefo.common.faults import guarded
from synnefo.common.ids import UserID
from synnefo.common.ports import INFINITE, Caller
from synnefo.common.settings import conf
from synnefo.pithos.api import http, ranges
from synnefo.pithos.hashing import EMPTY
from synnefo.pithos.models import Attribute, Container, StoredObject, Version
from synnefo.pithos.services import blocks, charges, containers, objects
from synnefo.pithos.services.containers import Policy, Usage
from synnefo.pithos.services.objects import Draft, Listing

type_view = Callable[..., HttpResponseBase]
HEX = set("0123456789abcdef")
META = "X-Object-Meta-"


def split(request: HttpRequest, root: str) -> list[str]:
    """[account, container, object] as far as the path names them; the object's name is taken verbatim."""
    path = http.raw_path(request)
    base = urlparse(conf.PITHOS_BASE_URL).path.rstrip("/") + root
    rest = path[len(base):].removeprefix("/")
    parts = rest.split("/", 2)
    if len(parts) == 3 and not parts[2]:
        parts.pop()
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts if parts != [""] else []


@guarded()
def dispatch(request: HttpRequest, **_: Any) -> HttpResponseBase:
    """One view for all paths, because the router would normalise object names."""
    return serve(request, split(request, "/object-store/" + _version(request)), ACTIONS)


def _version(request: HttpRequest) -> str:
    return "v1.0" if "/object-store/v1.0" in request.path else "v1"


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


# Account ----------------------------------------------------------------------------------------------------------


def list_accounts(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """Accounts that share something with the caller."""
    rows = (Container.objects.filter(objects_in__permissions__holder__in=(caller.user_id, "*")).exclude(account=caller.user_id)
            .values_list("account", flat=True).distinct().order_by("account"))
    names = list(rows[: http.page_limit(request)])
    return http.finish(http.listing(request, names, ({"name": name} for name in names)), request)


def account_headers(caller: Caller, account: str) -> dict[str, str]:
    count, usage = containers.usage_of_account(account)
    if caller.user_id != account:
        return {}
    headers = {"X-Account-Container-Count": str(count), "X-Account-Object-Count": str(usage.objects), "X-Account-Bytes-Used": str(usage.bytes)}
    total = 0
    for project, resources in ports.quota("pithos").usages(user_ids=[UserID(account)]).get(UserID(account), {}).items():
        if charges.DISKSPACE in resources:
            limit = resources[charges.DISKSPACE].limit
            headers[f"X-Account-Policy-Quota-{project}"] = str(limit)
            total = min(INFINITE, total + limit)
    return headers | {"X-Account-Policy-Quota": str(total)}


def _with(response: HttpResponseBase, headers: dict[str, str]) -> HttpResponseBase:
    for name, value in headers.items():
        response[name] = value
    return response


def head_account(request: HttpRequest, caller: Caller, account: str) -> HttpResponseBase:
    if caller.user_id != account and not containers.list_containers(caller, account, marker="", limit=1):
        raise Forbidden("You may not read this account.")
    return http.finish(_with(HttpResponse(status=204), account_headers(caller, account)), request)


def get_account(request: HttpRequest, caller: Caller, account: str) -> HttpResponseBase:
    limit, marker = http.page_limit(request), request.GET.get("marker", "")
    found = containers.list_containers(caller, account, marker=marker, limit=limit)
    if caller.user_id != account and not found and not marker:
        raise Forbidden("You may not read this account.")
    rows = ({"name": item.name, "count": usage.objects, "bytes": usage.bytes, "last_modified": http.iso(item.updated_at),
             "x_container_policy": {"versioning": item.versioning, "quota": str(item.quota_bytes), "project": item.project_id}}
            for item, usage in found)
    return http.finish(_with(http.listing(request, [item.name for item, _ in found], rows), account_headers(caller, account)), request)


def post_account(request: HttpRequest, caller: Caller, account: str) -> HttpResponseBase:
    containers.require_owner(caller, account)
    return http.finish(HttpResponse(status=202), request)


# Container --------------------------------------------------------------------------------------------------------


def container_headers(caller: Caller, item: Container, usage: Usage) -> dict[str, str]:
    headers = {"X-Container-Block-Size": str(conf.PITHOS_BACKEND_BLOCK_SIZE), "X-Container-Block-Hash": conf.PITHOS_BACKEND_HASH_ALGORITHM}
    if caller.user_id != item.account:
        return headers
    headers |= {"X-Container-Object-Count": str(usage.objects), "X-Container-Bytes-Used": str(usage.bytes),
                "X-Container-Policy-Versioning": item.versioning, "X-Container-Policy-Quota": str(item.quota_bytes),
                "X-Container-Policy-Project": item.project_id}
    return headers | {f"X-Container-Meta-{key}": http.encoded(value) for key, value in item.meta.items()}


def head_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    item = containers.access(caller, account, container)
    http.check_dates(request, item.updated_at)
    response = _with(HttpResponse(status=204), container_headers(caller, item, containers.usage_of(item)))
    return http.finish(response, request, modified=item.updated_at)


def asked_listing(request: HttpRequest) -> Listing:
    """What the query asks of a listing."""
    prefix, delimiter = request.GET.get("prefix", "").lstrip("/"), request.GET.get("delimiter", "")
    path = request.GET.get("path")
    if path is not None:
        path = path.strip("/")
        return Listing(f"{path}/" if path else "", "/", request.GET.get("marker", ""), request.GET.get("end_marker", ""),
                       http.page_limit(request), with_virtual=False)
    if delimiter and prefix and not prefix.endswith(delimiter):
        prefix += delimiter
    return Listing(prefix, delimiter, request.GET.get("marker", ""), request.GET.get("end_marker", ""), http.page_limit(request))


def get_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    item = containers.access(caller, account, container)
    http.check_dates(request, item.updated_at)
    found = objects.list_objects(caller, item, asked_listing(request))
    names = [entry if isinstance(entry, str) else entry.name for entry in found]
    response = http.listing(request, names, (entry_row(entry) for entry in found))
    headers = container_headers(caller, item, containers.usage_of(item))
    return http.finish(_with(response, headers), request, modified=item.updated_at)


def entry_row(entry: StoredObject | str) -> dict[str, Any]:
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
    meta, policy = http.meta_headers(request, "X-Container-Meta-"), http.policy_headers(request)
    created = containers.put(caller, account, container, meta=meta, policy=policy)
    return http.finish(HttpResponse(status=201 if created else 202), request)


def post_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    """Metadata and policies; a body of blocks is stored and answered with their hashes."""
    containers.require_owner(caller, account)
    names = _receive_blocks(request, caller, account, container)
    meta, policy = http.meta_headers(request, "X-Container-Meta-"), http.policy_headers(request)
    merge = "update" in request.GET
    if not merge:
        policy = Policy(policy.versioning or conf.PITHOS_BACKEND_VERSIONING,
                        conf.PITHOS_BACKEND_CONTAINER_QUOTA if policy.quota_bytes is None else policy.quota_bytes, policy.project_id)
    if meta or not merge or policy != Policy():
        containers.update(caller, account, container, meta=meta, policy=policy, merge=merge)
    if names is None:
        return http.finish(HttpResponse(status=202), request)
    if "format" in request.GET and http.wants_json(request):
        return http.finish(JsonResponse(names, safe=False, status=202), request)
    return http.finish(HttpResponse("\n".join(names), status=202, content_type="text/plain; charset=UTF-8"), request)


def _receive_blocks(request: HttpRequest, caller: Caller, account: str, container: str) -> list[str] | None:
    is_data = request.headers.get("Content-Type") == "application/octet-stream"
    has_body = request.META.get("CONTENT_LENGTH") not in {None, "", "0"} or "Transfer-Encoding" in request.headers
    if not is_data or not has_body:
        return None
    containers.access(caller, account, container)
    limit = int(conf.PITHOS_MAX_UPLOAD_SIZE)
    names = blocks.receive(http.Body(request, limit=limit), limit=limit).hashes
    blocks.lease(account, names)
    return names


def delete_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    if request.GET.get("delimiter"):
        containers.empty(caller, account, container)
    else:
        containers.delete(caller, account, container)
    return http.finish(HttpResponse(status=204), request)


# Object -----------------------------------------------------------------------------------------------------------


def object_headers(caller: Caller, item: StoredObject, version: Version) -> dict[str, str]:
    headers = {
        "ETag": version.served_etag, "Content-Type": version.content_type, "X-Object-Hash": version.hash, "X-Object-UUID": item.uuid,
        "X-Object-Version": str(version.pk), "X-Object-Version-Timestamp": http_date(version.created_at.timestamp()),
        "X-Object-Modified-By": version.modified_by, "Available": "1"}
    optional = {"Content-Encoding": version.content_encoding, "Content-Disposition": version.content_disposition, "X-Object-Manifest": version.manifest}
    headers |= {name: http.encoded(value) for name, value in optional.items() if value}
    if caller.user_id != item.container.account:
        headers["X-Object-Allowed-To"] = "write" if objects.can(caller, item, "write") else "read"
    meta = Attribute.objects.filter(version=version, domain=objects.DOMAIN).order_by("key").values_list("key", "value")
    return headers | {META + key: http.encoded(value) for key, value in meta}


def _version_asked(request: HttpRequest) -> int | None:
    text = request.GET.get("version")
    if not text or text == "list":
        return None
    if not (text.isascii() and text.isdigit()):
        raise NotFound("Version does not exist.")
    return int(text)


def head_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    item, version = objects.get(caller, account, container, name, version=_version_asked(request))
    http.check_match(request, version, is_read=True)
    http.check_dates(request, version.created_at, version.served_etag)
    response = _with(HttpResponse(), object_headers(caller, item, version))
    response["Content-Length"] = str(version.bytes)
    return http.finish(response, request, modified=version.created_at)


def get_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    if request.GET.get("version") == "list":
        found = objects.versions_of(caller, account, container, name)
        return http.finish(JsonResponse({"versions": [[item.pk, http.stamp(item.created_at)] for item in found]}), request)
    item, version = objects.get(caller, account, container, name, version=_version_asked(request))
    http.check_match(request, version, is_read=True)
    http.check_dates(request, version.created_at, version.served_etag)
    headers = object_headers(caller, item, version)
    if "hashmap" in request.GET and request.GET.get("format", "json") == "json":
        body = {"block_hash": conf.PITHOS_BACKEND_HASH_ALGORITHM, "block_size": conf.PITHOS_BACKEND_BLOCK_SIZE, "bytes": version.bytes,
                "hashes": objects.hashes_of(version) or [EMPTY]}
        response = _with(JsonResponse(body), headers | {"Content-Type": "application/json; charset=UTF-8"})
        return http.finish(response, request, modified=version.created_at)
    return http.finish(content_response(request, version, headers), request, modified=version.created_at)


def content_response(request: HttpRequest, version: Version, headers: dict[str, str]) -> HttpResponseBase:
    """The content, or the parts of it that a Range header asks for, streamed."""
    hashes, size = objects.hashes_of(version), version.bytes
    wanted = _ranges(request, version)
    if wanted is None:
        return _stream(_safely(blocks.read_range(hashes, size, 0, size)), size, 200, headers)
    if len(wanted) == 1:
        start, end = wanted[0]
        headers |= {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
        return _stream(_safely(blocks.read_range(hashes, size, start, end)), end - start, 206, headers)
    boundary = secrets.token_hex(16)
    heads = [f"\r\n--{boundary}\r\nContent-Range: bytes {start}-{end - 1}/{size}\r\nContent-Transfer-Encoding: binary\r\n"
             f"Content-Type: {version.content_type}\r\n\r\n".encode() for start, end in wanted]
    tail = f"\r\n--{boundary}--\r\n".encode()
    length = sum(len(head) for head in heads) + sum(end - start for start, end in wanted) + len(tail)

    def parts() -> Iterator[bytes]:
        for head, (start, end) in zip(heads, wanted, strict=True):
            yield head
            yield from blocks.read_range(hashes, size, start, end)
        yield tail

    return _stream(parts(), length, 206, headers | {"Content-Type": f"multipart/byteranges; boundary={boundary}"})


def _ranges(request: HttpRequest, version: Version) -> list[tuple[int, int]] | None:
    header, condition = request.headers.get("Range"), request.headers.get("If-Range")
    if header is None or (condition is not None and condition.strip('"') != version.served_etag):
        return None
    return ranges.parse(header, version.bytes)


def _safely(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Fetch the first piece now, so that a block that is missing is still a proper refusal."""
    first = next(pieces, b"")
    return http.drained(pieces, first)


def _stream(pieces: Iterator[bytes], length: int, status: int, headers: dict[str, str]) -> HttpResponseBase:
    response = _with(StreamingHttpResponse(pieces, status=status), headers)
    response["Content-Length"] = str(length)
    return response


def _draft(request: HttpRequest) -> Draft:
    """What the headers of a write say about the object."""
    content_type = request.headers.get("Content-Type", "")
    if not content_type.isascii() or len(content_type) > 256:
        raise InvalidInput("The content type is not sensible.")
    return Draft(content_type=content_type or "application/octet-stream", content_encoding=http.decoded_header(request, "Content-Encoding") or "",
                 content_disposition=http.decoded_header(request, "Content-Disposition") or "",
                 manifest=http.decoded_header(request, "X-Object-Manifest") or "", meta=http.meta_headers(request, META),
                 check=http.write_check(request))


def put_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    objects.parse_name(name)
    draft = _draft(request)
    if "hashmap" in request.GET:
        return _put_hashmap(request, caller, account, container, name, draft)
    if not request.META.get("CONTENT_TYPE"):
        raise LengthRequired("A Content-Type is needed.")
    return store(request, caller, account, container, name, draft)


def store(request: HttpRequest, caller: Caller, account: str, container: str, name: str, draft: Draft) -> HttpResponseBase:
    """Take the body as the object's new content."""
    limit = int(conf.PITHOS_MAX_UPLOAD_SIZE)
    body = http.Body(request, limit=limit)
    containers.access(caller, account, container)
    content = blocks.receive(body, limit=limit)
    declared = request.headers.get("ETag", "").strip('"').lower()
    if declared and declared != content.etag:
        raise UnprocessableEntity("The content does not have the checksum that was declared.")
    complete = replace(draft, hashes=content.hashes, size=content.size, etag=content.etag)
    version = objects.write(caller, account, container, name, complete)
    return written(request, version)


def written(request: HttpRequest, version: Version) -> HttpResponseBase:
    response = HttpResponse(status=201)
    _with(response, {"ETag": version.served_etag, "X-Object-Version": str(version.pk), "X-Object-Hash": version.hash,
                     "X-Object-UUID": version.object.uuid})
    return http.finish(response, request, modified=version.created_at)


def _put_hashmap(request: HttpRequest, caller: Caller, account: str, container: str, name: str, draft: Draft) -> HttpResponseBase:
    """Write an object from block names. Blocks that are missing are named in a 409, and nothing changes."""
    hashes, size = _read_hashmap(request)
    item = containers.find(account, container)
    if item is None or (caller.user_id != account):
        containers.access(caller, account, container)
    # A condition that fails must not have the client send its blocks first.
    known = objects.find(item, name) if item is not None else None
    draft.check(known if known is not None and known.current is not None else None)
    missing = blocks.missing_for(caller.user_id, hashes)
    if missing:
        return http.finish(JsonResponse(missing, safe=False, status=409), request)
    version = objects.write(caller, account, container, name, objects.draft_from_hashes(account, hashes, size, draft))
    return written(request, version)


def _read_hashmap(request: HttpRequest) -> tuple[list[str], int]:
    raw = http.Body(request, limit=int(conf.PITHOS_MAX_HASHMAP_BODY)).read_all(int(conf.PITHOS_MAX_HASHMAP_BODY))
    try:
        body = json.loads(raw)
        hashes, size = body["hashes"], body["bytes"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidInput("A JSON object with bytes and hashes is needed.") from None
    if not isinstance(hashes, list) or isinstance(size, bool) or not isinstance(size, int):
        raise InvalidInput("bytes is a number and hashes a list.")
    for key, expected in (("block_size", conf.PITHOS_BACKEND_BLOCK_SIZE), ("block_hash", conf.PITHOS_BACKEND_HASH_ALGORITHM)):
        if body.get(key, expected) != expected:
            raise InvalidInput(f"The {key} of this container is {expected}.")
    lower = [item.lower() if isinstance(item, str) else "" for item in hashes]
    if any(len(item) != 64 or not HEX.issuperset(item) for item in lower):
        raise InvalidInput("A block hash has 64 hexadecimal digits.")
    return lower, size


def post_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    """Change metadata, and append or overwrite content by Content-Range."""
    item, version = objects.get(caller, account, container, name)
    merge = "update" in request.GET
    draft = Draft(content_encoding=http.decoded_header(request, "Content-Encoding"),
                  content_disposition=http.decoded_header(request, "Content-Disposition"),
                  manifest=http.decoded_header(request, "X-Object-Manifest"), meta=http.meta_headers(request, META), merge=merge,
                  check=http.write_check(request))
    content_range = request.headers.get("Content-Range")
    if content_range is None:
        changed = objects.write(caller, account, container, name, draft)
        return http.finish(_with(HttpResponse(status=202), {"X-Object-Version": str(changed.pk)}), request)
    changed = _splice(request, caller, item, version, draft, content_range)
    return http.finish(_with(HttpResponse(status=204), {"X-Object-Version": str(changed.pk), "ETag": changed.served_etag}), request)


def _splice(request: HttpRequest, caller: Caller, item: StoredObject, version: Version, draft: Draft, content_range: str) -> Version:
    start = _splice_start(content_range, version.bytes)
    limit = int(conf.PITHOS_MAX_UPLOAD_SIZE)
    body = http.Body(request, limit=limit)
    old, block_size = objects.hashes_of(version), int(conf.PITHOS_BACKEND_BLOCK_SIZE)
    first = start // block_size
    base = first * block_size
    hashes = old[:first]
    size = base
    lead = b"".join(blocks.read_range(old, version.bytes, base, start)) if start > base else b""
    for piece in blocks.cut(_Prefixed(lead, body), block_size):
        data, end = piece, size + len(piece)
        if len(piece) < block_size and end < version.bytes:
            data += b"".join(blocks.read_range(old, version.bytes, end, min(size + block_size, version.bytes)))
        hashes.append(blocks.store().put_block(data))
        size += len(data)
        if size > start + limit:
            raise RequestTooLarge(f"At most {limit} bytes in one request.")
    if size < version.bytes:
        hashes += old[len(hashes):]
        size = version.bytes
    complete = objects.draft_from_hashes(item.container.account, hashes, size, draft)
    return objects.write(caller, item.container.account, item.container.name, item.name, replace(complete, merge=True))


def _splice_start(content_range: str, size: int) -> int:
    unit, _, rest = content_range.strip().partition(" ")
    span = rest.partition("/")[0]
    if unit != "bytes":
        raise InvalidInput("Content-Range: bytes FIRST-LAST/* or bytes */* is needed.")
    if span == "*":
        return size
    first = span.partition("-")[0]
    if not (first.isascii() and first.isdigit()) or int(first) > size:
        raise RangeNotSatisfiable("The range begins behind the end of the object.")
    return int(first)


class _Prefixed:
    """Some bytes, then a stream."""

    def __init__(self, lead: bytes, stream: blocks.Readable) -> None:
        self.lead, self.stream = lead, stream

    def read(self, size: int, /) -> bytes:
        if self.lead:
            piece, self.lead = self.lead[:size], self.lead[size:]
            return piece
        return self.stream.read(size)


def delete_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    objects.delete(caller, account, container, name, check=http.write_check(request))
    return http.finish(HttpResponse(status=204), request)


def _copy(request: HttpRequest, caller: Caller, account: str, container: str, name: str, *, move: bool) -> HttpResponseBase:
    """COPY and MOVE: the target is named by a header."""
    target = http.decoded_header(request, "Destination") or ""
    to_container, _, to_name = target.lstrip("/").partition("/")
    if not to_container or not to_name:
        raise InvalidInput("Destination: /container/object is needed.")
    version = copy(caller, (account, container, name), (account, to_container, to_name), request)
    if move and (container, name) != (to_container, to_name):
        objects.delete(caller, account, container, name)
    return written(request, version)


def copy(caller: Caller, source: tuple[str, str, str], target: tuple[str, str, str], request: HttpRequest) -> Version:
    """The source's content and metadata as the target's new version; no data moves."""
    _, version = objects.get(caller, *source)
    meta = objects.meta_of(version) | http.meta_headers(request, META)
    draft = Draft(hashes=objects.hashes_of(version), size=version.bytes, etag=version.etag, content_type=version.content_type,
                  content_encoding=version.content_encoding, content_disposition=version.content_disposition, meta=meta)
    return objects.write(caller, *target, draft)


def copy_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    return _copy(request, caller, account, container, name, move=False)


def move_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    return _copy(request, caller, account, container, name, move=True)


ACTIONS: list[dict[str, type_view]] = [
    {"GET": list_accounts},
    {"HEAD": head_account, "GET": get_account, "POST": post_account},
    {"HEAD": head_container, "GET": get_container, "PUT": put_container, "POST": post_container, "DELETE": delete_container},
    {"HEAD": head_object, "GET": get_object, "PUT": put_object, "POST": post_object, "DELETE": delete_object, "COPY": copy_object,
     "MOVE": move_object},
]
