"""HTTP of the object store: names taken verbatim from the URL, headers in and out, conditions, bodies, times."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate
from typing import Any, cast
from urllib.parse import quote, unquote_to_bytes

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import RawPostDataException
from django.http.response import HttpResponseBase
from django.utils.http import http_date

from synnefo.common.errors import (
    InvalidInput,
    LengthRequired,
    NotFound,
    NotSupported,
    PreconditionFailed,
    RequestTooLarge,
)
from synnefo.common.ids import ProjectID
from synnefo.common.settings import conf
from synnefo.pithos.models import StoredObject, Version
from synnefo.pithos.services.containers import Policy

MAX_META_NAME = 128
MAX_META_VALUE = 256
MAX_META_HEADERS = 90


class NotModified(Exception):
    """The client's copy is still good."""

    def __init__(self, etag: str, modified: datetime) -> None:
        super().__init__()
        self.etag, self.modified = etag, modified


def raw_path(request: HttpRequest) -> str:
    """The path as the client wrote it, decoded once. Servers merge nothing there, unlike in PATH_INFO of some."""
    raw = request.META.get("RAW_URI") or request.META.get("REQUEST_URI") or quote(request.path)
    raw = raw.split("?", 1)[0]
    if raw.startswith(("http://", "https://")):
        raw = "/" + raw.split("/", 3)[3] if raw.count("/") > 2 else "/"
    try:
        decoded = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("The path is not valid UTF-8.") from None
    if "\0" in decoded:
        raise InvalidInput("The path holds a NUL character.")
    return decoded


def decoded_header(request: HttpRequest, name: str) -> str | None:
    """A header's value, percent-decoded. Raises `InvalidInput`."""
    value = request.headers.get(name)
    return None if value is None else _decode(value)


def _decode(value: str) -> str:
    if not value.isascii():
        raise InvalidInput("Header values that are not ASCII must be percent-encoded.")
    try:
        decoded = unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("A header value is not valid UTF-8.") from None
    if "\0" in decoded:
        raise InvalidInput("A header value holds a NUL character.")
    return decoded


def encoded(value: str) -> str:
    return quote(value, safe='/=,:@; "')


def meta_headers(request: HttpRequest, prefix: str) -> dict[str, str]:
    """User metadata of a request: {Name-With-Dashes: value}. A value of only `~` means empty. Raises `InvalidInput`."""
    found = {}
    for name, value in request.headers.items():
        if name.lower().startswith(prefix.lower()):
            key = "-".join(part.capitalize() for part in _decode(name[len(prefix):]).replace("_", "-").split("-"))
            text = _decode(value)
            if not key or len(prefix) + len(key) > MAX_META_NAME or len(text) > MAX_META_VALUE:
                raise InvalidInput(f"A metadata header's name has at most {MAX_META_NAME} characters, its value {MAX_META_VALUE}.")
            found[key] = "" if text == "~" else text
    if len(found) > MAX_META_HEADERS:
        raise InvalidInput(f"At most {MAX_META_HEADERS} metadata headers in one request.")
    return found


def meta_answer(prefix: str, meta: Mapping[str, str]) -> dict[str, str]:
    """Metadata as headers of an answer."""
    return {prefix + quote(key, safe="!#$&'*+-.^_`|~"): encoded(value) for key, value in meta.items()}


def query_text(request: HttpRequest, name: str) -> str:
    """A text in the query, empty when absent. Raises `InvalidInput`."""
    value = request.GET.get(name, "")
    if "\0" in value:
        raise InvalidInput(f"{name} holds a NUL character.")
    return value


def version_number(text: str) -> int:
    """The number of a version. Raises `NotFound`: other texts name none."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise NotFound("Version does not exist.")
    return int(text)


def content_type(request: HttpRequest) -> str:
    """The content type as the client wrote it, empty when absent. Raises `InvalidInput`."""
    value = str(request.headers.get("Content-Type", ""))
    if not value.isascii() or not value.isprintable() or len(value) > 256:
        raise InvalidInput("The content type is not sensible.")
    return value


def refuse_query(request: HttpRequest, *names: str) -> None:
    """Raises `NotSupported` for a parameter that would change what the call does, and that this cloud does not know."""
    for name in names:
        if name in request.GET:
            raise NotSupported(f"The parameter {name} is not supported here.")


def policy_headers(request: HttpRequest) -> Policy:
    """Raises `InvalidInput`."""
    quota = request.headers.get("X-Container-Policy-Quota")
    if quota is not None and not (quota.isascii() and quota.isdigit()):
        raise InvalidInput("A container's quota is a number of bytes; 0 is no limit.")
    project = request.headers.get("X-Container-Policy-Project")
    return Policy(request.headers.get("X-Container-Policy-Versioning"), int(quota) if quota is not None else None,
                  ProjectID(project.lower()) if project else None)


# Bodies -----------------------------------------------------------------------------------------------------------


class Body:
    """The request's body as a stream with a known length, or chunked."""

    def __init__(self, request: HttpRequest, *, limit: int) -> None:
        self.chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
        text = request.META.get("CONTENT_LENGTH") or ""
        if not self.chunked and not text.isdigit():
            raise LengthRequired("A Content-Length is needed.")
        self.length = None if self.chunked else int(text)
        if self.length is not None and self.length > limit:
            raise RequestTooLarge(f"At most {limit} bytes in one request.")
        self._stream = request.META["wsgi.input"] if self.chunked else request
        self._left = self.length

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, nothing at the end. Raises `InvalidInput` when the client stops early."""
        if self._left == 0:
            return b""
        data = cast(bytes, self._stream.read(size if self._left is None else min(size, self._left)))
        if self._left is not None:
            if not data:
                raise InvalidInput("The body is shorter than its Content-Length.")
            self._left -= len(data)
        return data

    def read_all(self, limit: int) -> bytes:
        """The whole body. Raises `RequestTooLarge`."""
        pieces, total = [], 0
        while piece := self.read(2**16):
            total += len(piece)
            if total > limit:
                raise RequestTooLarge(f"At most {limit} bytes in this request.")
            pieces.append(piece)
        return b"".join(pieces)


class Counted:
    """A stream that counts, and ends with `RequestTooLarge` beyond the limit."""

    def __init__(self, stream: Body, *, limit: int) -> None:
        self.count = 0
        self._stream, self._limit = stream, limit

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self.count += len(data)
        if self.count > self._limit:
            raise RequestTooLarge(f"At most {self._limit} bytes in one request.")
        return data


MAX_DRAINED = 32 * 2**20


def drain(request: HttpRequest) -> None:
    """Read and forget what is left of the body of a refused request: the client still sends it, and would not see the answer before.

    Bounded: whoever sends more than this for nothing is cut off.
    """
    is_chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    stream, left = request.META["wsgi.input"] if is_chunked else request, MAX_DRAINED
    try:
        while left > 0 and (piece := stream.read(2**16)):
            left -= len(piece)
    except (OSError, RawPostDataException):
        return  # the client is gone, or all has been read


# Conditions -------------------------------------------------------------------------------------------------------


def check_dates(request: HttpRequest, modified: datetime, etag: str = "") -> None:
    """If-Modified-Since and If-Unmodified-Since. Raises `NotModified`, `PreconditionFailed`."""
    stamp = int(modified.timestamp())
    since = _date(request, "If-Modified-Since") if "If-None-Match" not in request.headers else None
    if since is not None and stamp <= since:
        raise NotModified(etag, modified)
    unless = _date(request, "If-Unmodified-Since") if "If-Match" not in request.headers else None
    if unless is not None and stamp > unless:
        raise PreconditionFailed("It has been modified since.")


def _date(request: HttpRequest, name: str) -> int | None:
    parsed = parsedate(request.headers.get(name, ""))
    return calendar.timegm(parsed) if parsed else None


def _tags(value: str) -> set[str]:
    return {tag.strip().removeprefix("W/").strip('"').lower() for tag in value.split(",")}


def _matches(value: str, version: Version | None) -> bool:
    if version is None:
        return False
    tags = _tags(value)
    return "*" in tags or bool(tags & {version.etag, version.hash} - {""})


def check_match(request: HttpRequest, version: Version | None, *, is_read: bool) -> None:
    """If-Match and If-None-Match. Raises `PreconditionFailed`, `NotModified`."""
    wanted, unwanted = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    if wanted is not None and not _matches(wanted, version):
        raise PreconditionFailed("The object is not the one you named.")
    if unwanted is not None and _matches(unwanted, version):
        if is_read and version is not None:
            raise NotModified(version.served_etag, version.created_at)
        raise PreconditionFailed("The object exists or is the one you did not want.")


def write_check(request: HttpRequest) -> Any:
    """The conditions of a write, to be looked at under the lock."""

    def check(item: StoredObject | None) -> None:
        check_match(request, item.current if item is not None else None, is_read=False)

    return check


# Answers ----------------------------------------------------------------------------------------------------------


def iso(moment: datetime) -> str:
    """Always six digits of a second and a zone, which some clients need to parse it at all."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def stamp(moment: datetime) -> str:
    return f"{moment.timestamp():.6f}"


def finish(response: HttpResponseBase, request: HttpRequest, *, modified: datetime | None = None) -> HttpResponseBase:
    """Headers that every answer has."""
    if not response.streaming and response.headers.get("Content-Type", "").startswith("text/html"):
        response["Content-Type"] = "text/plain; charset=UTF-8"  # the framework's default, on answers without a body
    if isinstance(response, HttpResponse) and "Content-Length" not in response and response.status_code not in {204, 304}:
        response["Content-Length"] = str(len(response.content))
    response["Vary"] = "X-Auth-Token"
    response["Cache-Control"] = "no-cache, no-store, must-revalidate"
    response["X-Trans-Id"] = response["X-Openstack-Request-Id"] = getattr(request, "request_id", "")
    response["X-Timestamp"] = f"{(modified.timestamp() if modified else time.time()):.5f}"
    response["Accept-Ranges"] = "bytes"
    if modified is not None:
        response["Last-Modified"] = http_date(modified.timestamp())
    return response


def wants_json(request: HttpRequest) -> bool:
    """Whether a listing is asked for as JSON. Raises `InvalidInput` for a format we do not write."""
    form = request.GET.get("format")
    if form is not None:
        if form not in {"json", "text", "plain"}:
            raise InvalidInput("format is json or text.")
        return form == "json"
    return "application/json" in request.headers.get("Accept", "")


def listing(request: HttpRequest, names: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> HttpResponse:
    """A listing in the format asked for; an empty one as text has no body."""
    if wants_json(request):
        return JsonResponse(list(rows), safe=False)
    text = "".join(f"{name}\n" for name in names)
    return HttpResponse(text, status=200 if text else 204, content_type="text/plain; charset=UTF-8")


def with_headers(response: HttpResponseBase, headers: Mapping[str, str]) -> HttpResponseBase:
    for name, value in headers.items():
        response[name] = value
    return response


def page_limit(request: HttpRequest) -> int:
    """Entries of a page; what is no positive number means the most."""
    most, text = int(conf.PITHOS_LISTING_LIMIT), request.GET.get("limit", "")
    asked = int(text) if text.isascii() and text.isdigit() and len(text) < 13 else most
    return min(asked, most) or most
