"""The calls that read, create, replace and delete one object."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import http_date

from synnefo.common.errors import InvalidInput, LengthRequired, UnprocessableEntity
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.api import http, ranges
from synnefo.pithos.api.sharing import asked_permissions, sharing_header
from synnefo.pithos.hashing import EMPTY
from synnefo.pithos.models import StoredObject, Version
from synnefo.pithos.services import blocks, manifests, names, objects
from synnefo.pithos.services.manifests import Content
from synnefo.pithos.services.objects import Draft

HEX = set("0123456789abcdef")
META = "X-Object-Meta-"


# Reading ----------------------------------------------------------------------------------------------------------


def headers_of(caller: Caller, item: StoredObject, version: Version) -> dict[str, str]:
    """What is known about a version. Two queries."""
    headers = {
        "ETag": version.served_etag, "Content-Type": version.content_type, "X-Object-Hash": version.hash, "X-Object-UUID": item.uuid,
        "X-Object-Version": str(version.pk), "X-Object-Version-Timestamp": http_date(version.created_at.timestamp()),
        "X-Object-Modified-By": version.modified_by, "Available": "1", "X-Content-Type-Options": "nosniff",
        "Content-Disposition": http.encoded(version.content_disposition) or _disposition(item.name)}
    optional = {"Content-Encoding": version.content_encoding, "X-Object-Manifest": version.manifest}
    headers |= {name: http.encoded(value) for name, value in optional.items() if value}
    if caller.user_id != item.container.account:
        headers["X-Object-Allowed-To"] = "write" if objects.can(caller, item, "write") else "read"
    elif item.current_id == version.pk:
        headers |= sharing_header(objects.permissions_of(item))
    return headers | http.meta_answer(META, objects.meta_of(version))


def _disposition(name: str) -> str:
    """The name's last part, for browsers old and new."""
    last = name.rstrip("/").rpartition("/")[2] or "object"
    plain = "".join(letter if 32 <= ord(letter) < 127 and letter not in '"\\%' else "_" for letter in last)
    return f"inline; filename=\"{plain}\"; filename*=UTF-8''{quote(last, safe='')}"


def _version_asked(request: HttpRequest) -> int | None:
    text = request.GET.get("version")
    return None if not text or text == "list" else http.version_number(text)


def head_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    item, version = objects.get(caller, account, container, name, version=_version_asked(request))
    http.check_match(request, version, is_read=True)
    http.check_dates(request, version.created_at, version.served_etag)
    content = manifests.content_of(caller, item, version)
    headers = headers_of(caller, item, version) | {"ETag": content.etag, "Content-Length": str(content.size)}
    return http.finish(http.with_headers(HttpResponse(), headers), request, modified=version.created_at)


def get_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    """The content, its hashmap, or the list of versions."""
    if request.GET.get("version") == "list":
        found = objects.versions_of(caller, account, container, name)
        return http.finish(JsonResponse({"versions": [[item.pk, http.stamp(item.created_at)] for item in found]}), request)
    item, version = objects.get(caller, account, container, name, version=_version_asked(request))
    http.check_match(request, version, is_read=True)
    http.check_dates(request, version.created_at, version.served_etag)
    headers = headers_of(caller, item, version)
    if "hashmap" in request.GET and request.GET.get("format", "json") == "json":
        body = {"block_hash": conf.PITHOS_BACKEND_HASH_ALGORITHM, "block_size": conf.PITHOS_BACKEND_BLOCK_SIZE, "bytes": version.bytes,
                "hashes": objects.hashes_of(version) or [EMPTY]}
        response = http.with_headers(JsonResponse(body), headers | {"Content-Type": "application/json; charset=UTF-8"})
        return http.finish(response, request, modified=version.created_at)
    content = manifests.content_of(caller, item, version)
    return http.finish(_content(request, content, version, headers | {"ETag": content.etag}), request, modified=version.created_at)


def _content(request: HttpRequest, content: Content, version: Version, headers: dict[str, str]) -> HttpResponseBase:
    """The content, or the parts of it that a Range header asks for, streamed."""
    size = content.size
    wanted = _ranges(request, content)
    if wanted is None:
        return _stream(content.read(0, size), size, 200, headers)
    if len(wanted) == 1:
        start, end = wanted[0]
        return _stream(content.read(start, end), end - start, 206, headers | {"Content-Range": f"bytes {start}-{end - 1}/{size}"})
    boundary = secrets.token_hex(16)
    heads = [f"\r\n--{boundary}\r\nContent-Range: bytes {start}-{end - 1}/{size}\r\nContent-Transfer-Encoding: binary\r\n"
             f"Content-Type: {version.content_type}\r\n\r\n".encode() for start, end in wanted]
    tail = f"\r\n--{boundary}--\r\n".encode()
    length = sum(len(head) for head in heads) + sum(end - start for start, end in wanted) + len(tail)

    def parts() -> Iterator[bytes]:
        for head, (start, end) in zip(heads, wanted, strict=True):
            yield head
            yield from content.read(start, end)
        yield tail

    return _stream(parts(), length, 206, headers | {"Content-Type": f"multipart/byteranges; boundary={boundary}"})


def _ranges(request: HttpRequest, content: Content) -> list[tuple[int, int]] | None:
    header, condition = request.headers.get("Range"), request.headers.get("If-Range")
    if header is None or (condition is not None and condition.strip('"') != content.etag):
        return None
    return ranges.parse(header, content.size)


def _stream(pieces: Iterator[bytes], length: int, status: int, headers: dict[str, str]) -> HttpResponseBase:
    # The first piece is fetched now, so that a block that is missing is still a proper refusal.
    first = next(pieces, b"")

    def body() -> Iterator[bytes]:
        yield first
        yield from pieces

    response = http.with_headers(StreamingHttpResponse(body(), status=status), headers)
    response["Content-Length"] = str(length)
    return response


# Writing ----------------------------------------------------------------------------------------------------------


def draft_of(request: HttpRequest, default_type: str = "application/octet-stream") -> Draft:
    """What the headers of a write say about the object."""
    return Draft(content_type=http.content_type(request) or default_type, content_encoding=http.decoded_header(request, "Content-Encoding") or "",
                 content_disposition=http.decoded_header(request, "Content-Disposition") or "",
                 manifest=manifests.parse(http.decoded_header(request, "X-Object-Manifest") or ""), meta=http.meta_headers(request, META),
                 permissions=asked_permissions(request), check=http.write_check(request))


def put_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    """The body, or the blocks that the body names, as the object's new content."""
    http.refuse_query(request, "multipart-manifest")
    names.parse_object(name)
    if "hashmap" in request.GET:
        return _put_hashmap(request, caller, account, container, name)
    if not request.META.get("CONTENT_TYPE"):
        raise LengthRequired("A Content-Type is needed.")
    return store(request, caller, account, container, name, draft_of(request))


def store(request: HttpRequest, caller: Caller, account: str, container: str, name: str, draft: Draft) -> HttpResponseBase:
    """Take the body as the object's new content."""
    limit = int(conf.PITHOS_MAX_UPLOAD_SIZE)
    body = http.Body(request, limit=limit)
    _check_early(caller, account, container, name, draft)
    content = blocks.receive(body, limit=limit)
    declared = request.headers.get("ETag", "").strip('"').lower()
    if declared and declared != content.etag:
        raise UnprocessableEntity("The content does not have the checksum that was declared.")
    complete = replace(draft, hashes=content.hashes, size=content.size, etag=content.etag)
    return written(request, objects.write(caller, account, container, name, complete))


def _check_early(caller: Caller, account: str, container: str, name: str, draft: Draft) -> None:
    """Refuse before the data are sent what would be refused after. The check that counts comes under the lock."""
    _, item = objects.writable_container(caller, account, container, name)
    draft.check(objects.current(item))


def written(request: HttpRequest, version: Version, **headers: str) -> HttpResponseBase:
    response = http.with_headers(HttpResponse(status=201), {
        "ETag": version.served_etag, "X-Object-Version": str(version.pk), "X-Object-Hash": version.hash, "X-Object-UUID": version.object.uuid,
        **headers})
    return http.finish(response, request, modified=version.created_at)


def _put_hashmap(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    """Write an object from block names. Blocks that are missing are named in a 409, and nothing changes."""
    draft = draft_of(request)
    hashes, size = _read_hashmap(request)
    objects.check_hash_count(hashes, size)
    _check_early(caller, account, container, name, draft)
    missing = blocks.missing_for((caller.user_id, account), hashes)
    if missing:
        return http.finish(JsonResponse(missing, safe=False, status=409), request)
    complete = objects.draft_from_hashes(hashes, size, draft)
    declared = request.headers.get("ETag", "").strip('"').lower()
    if declared and complete.etag and declared != complete.etag:
        raise UnprocessableEntity("The content does not have the checksum that was declared.")
    return written(request, objects.write(caller, account, container, name, complete))


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


def delete_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    http.refuse_query(request, "until", "version", "delimiter", "multipart-manifest")
    objects.delete(caller, account, container, name, check=http.write_check(request))
    return http.finish(HttpResponse(status=204), request)
