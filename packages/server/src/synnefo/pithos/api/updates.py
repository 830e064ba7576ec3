"""Changing an object: metadata, sharing, and parts of its content."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from synnefo.common.errors import InvalidInput, RangeNotSatisfiable, StateConflict
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.api import http
from synnefo.pithos.api.copies import split_path
from synnefo.pithos.api.objects import META
from synnefo.pithos.api.sharing import asked_permissions
from synnefo.pithos.models import StoredObject, Version
from synnefo.pithos.services import manifests, objects, splices
from synnefo.pithos.services.objects import Draft
from synnefo.pithos.services.splices import Blocks

ATTEMPTS = 20
_CONTENT_RANGE = re.compile(r"bytes (?:\*|(\d{1,18})-(\d{0,18}))/(?:\*|(\d{1,18}))")
type_splice = Callable[[Blocks], Blocks]


class Overtaken(StateConflict):
    """Somebody else has changed the content that this change was made from."""

    retryable = True


def post_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    """Metadata and sharing; a body of bytes or a source object changes the content at Content-Range."""
    http.refuse_query(request, "multipart-manifest")
    draft = _changes(request)
    is_data = request.headers.get("Content-Type") == "application/octet-stream" or "X-Source-Object" in request.headers
    if request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        raise InvalidInput("Forms are not read here. PUT the content.")
    if is_data:
        changed = _change_content(request, caller, (account, container, name), draft)
        return http.finish(http.with_headers(HttpResponse(status=204), {"X-Object-Version": str(changed.pk), "ETag": changed.served_etag}), request)
    response = HttpResponse(status=202)
    if _says_nothing(draft):
        objects.writable_container(caller, account, container, name)
        _, version = objects.get(caller, account, container, name)
        http.check_match(request, version, is_read=False)
        if draft.permissions is not None:
            objects.set_permissions(caller, account, container, name, draft.permissions)
    else:
        response["X-Object-Version"] = str(objects.write(caller, account, container, name, draft).pk)
    return http.finish(response, request)


def _changes(request: HttpRequest) -> Draft:
    merge = "update" in request.GET
    manifest = http.decoded_header(request, "X-Object-Manifest")
    absent = None if merge else ""
    return Draft(
        content_encoding=http.decoded_header(request, "Content-Encoding") or absent,
        content_disposition=http.decoded_header(request, "Content-Disposition") or absent,
        manifest=absent if manifest is None else manifests.parse(manifest), meta=http.meta_headers(request, META), merge=merge,
        permissions=asked_permissions(request), check=http.write_check(request))


def _says_nothing(draft: Draft) -> bool:
    """Whether no new version is needed: nothing is said about metadata, and what is there shall stay."""
    return draft.merge and not draft.meta and (draft.content_encoding, draft.content_disposition, draft.manifest) == (None, None, None)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Where to write: from `start` (None: at the end) up to `end` (None: as far as the data go); `total` if the client named the size."""

    start: int | None
    end: int | None
    total: int | None

    def start_in(self, size: int) -> int:
        """Raises `RangeNotSatisfiable` when the range does not fit an object of this size."""
        if self.start is None:
            return size
        if self.start > size or (self.total is not None and (self.total != size or self.start >= size or (self.end or 0) > size)):
            raise RangeNotSatisfiable("The range does not lie in the object.")
        return self.start

    @property
    def length(self) -> int | None:
        return None if self.end is None or self.start is None else self.end - self.start


def parse_content_range(header: str | None) -> ContentRange:
    """Raises `InvalidInput` without a header, `RangeNotSatisfiable` for one that is no range."""
    if header is None:
        raise InvalidInput("Content-Range: bytes FIRST-LAST/* or bytes */* is needed.")
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None:
        raise RangeNotSatisfiable("Content-Range: bytes FIRST-LAST/* or bytes */* is needed.")
    start, last, total = (int(text) if text else None for text in match.groups())
    if start is not None and last is not None and last < start:
        raise RangeNotSatisfiable("The range ends before it begins.")
    if total is not None and (start is None or start >= total or (last or 0) >= total):
        raise RangeNotSatisfiable("The range does not lie in the object.")
    return ContentRange(start, None if last is None else last + 1, total)


def _change_content(request: HttpRequest, caller: Caller, target: tuple[str, str, str], draft: Draft) -> Version:
    where = parse_content_range(request.headers.get("Content-Range"))
    cut_to = _cut_to(request)
    _, item = objects.writable_container(caller, *target)
    draft.check(objects.current(item))
    change = _from_source(request, caller, where) if "X-Source-Object" in request.headers else _from_body(request, where)
    for attempt in range(ATTEMPTS):
        _, version = objects.get(caller, *target)
        old = Blocks(objects.hashes_of(version), version.bytes)
        new = change(old)
        new = new if cut_to is None else splices.cut(new, cut_to)
        complete = objects.draft_from_hashes(new.hashes, new.size, replace(draft, check=_unchanged(version, draft.check)))
        try:
            return objects.write(caller, *target, complete)
        except Overtaken:
            if attempt + 1 == ATTEMPTS:
                raise
            time.sleep(random.uniform(0, 0.01) * attempt)  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")


def _unchanged(version: Version, check: objects.type_check) -> objects.type_check:
    def both(item: StoredObject | None) -> None:
        check(item)
        now = item.current if item is not None else None
        if now is None or (now.hash, now.bytes) != (version.hash, version.bytes):
            raise Overtaken("Others change this object all the time. Try again.")

    return both


def _cut_to(request: HttpRequest) -> int | None:
    text = request.headers.get("X-Object-Bytes")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise InvalidInput("X-Object-Bytes is a number of bytes.")
    return int(text)


def _from_body(request: HttpRequest, where: ContentRange) -> type_splice:
    """The body over the old content. The body comes once: when that must be repeated, it is read back from what was made of it."""
    limit = int(conf.PITHOS_MAX_UPLOAD_SIZE)
    body = http.Body(request, limit=limit)
    if where.length is not None and body.length is not None and body.length != where.length:
        raise InvalidInput(f"Content-Range says {where.length} bytes, Content-Length {body.length}.")
    stream = http.Counted(body, limit=limit)
    made: list[tuple[Blocks, int]] = []

    def change(old: Blocks) -> Blocks:
        start = where.start_in(old.size)
        if made:
            before, at = made[-1]
            new = splices.splice(old, start, splices.PieceReader(before.read(at, at + stream.count)))
        else:
            new = splices.splice(old, start, stream)
            if where.length is not None and stream.count != where.length:
                raise InvalidInput(f"Content-Range says {where.length} bytes, the body has {stream.count}.")
        made.append((new, start))
        return new

    return change


def _from_source(request: HttpRequest, caller: Caller, where: ContentRange) -> type_splice:
    """The beginning of another object over the old content."""
    path = http.decoded_header(request, "X-Source-Object") or ""
    if not path.startswith("/"):
        raise InvalidInput("X-Source-Object: /container/object is needed.")
    container, name = split_path(path, "X-Source-Object")
    account = http.decoded_header(request, "X-Source-Account") or caller.user_id
    number = request.headers.get("X-Source-Version")
    _, version = objects.get(caller, account, container, name, version=http.version_number(number) if number else None)
    source = Blocks(objects.hashes_of(version), version.bytes)
    length = source.size if where.length is None else where.length
    if length > source.size:
        raise InvalidInput(f"The source has {source.size} bytes only.")
    return lambda old: splices.link(old, where.start_in(old.size), source, length)
