"""The pages' way to the services: their public APIs, called in this process as the signed-in user.

A page can thus do nothing that the API would refuse, and everything it does can be repeated from a command line. The caller comes
from the session, so no token ever reaches a script in the browser.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, unquote, urlencode, urlparse

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import resolve

from synnefo.common import ports
from synnefo.common.errors import DomainError
from synnefo.common.ids import UserID
from synnefo.common.ports import Caller
from synnefo.common.settings import conf

SERVICES = {
    "account": ("ASTAKOS_BASE_URL", "/account/v1.0"),
    "compute": ("CYCLADES_BASE_URL", "/compute/v2.0"),
    "image": ("CYCLADES_BASE_URL", "/image/v1.0"),
    "network": ("CYCLADES_BASE_URL", "/network/v2.0"),
    "storage": ("PITHOS_BASE_URL", "/object-store/v1"),
}


_KEPT: tuple[str, ...] = ("SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "HTTP_HOST")


class ApiFault(DomainError):
    """The API refused. `status` is its answer; the public text is the API's own message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered; `content` is read only when asked for."""

    status: int
    headers: Mapping[str, str]
    response: HttpResponseBase

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        if isinstance(self.response, StreamingHttpResponse):
            yield from iter(self.response)
        else:
            yield cast(bytes, getattr(self.response, "content", b""))

    def json(self) -> Any:
        return json.loads(self.content or b"null")


class Gateway:
    """Calls as the user of a page request. One per request."""

    def __init__(self, request: HttpRequest) -> None:
        self.page = request
        self.caller: Caller = ports.identity().caller_of(UserID(str(cast(Any, request.user).uuid)))

    def call(self, method: str, service: str, path: str, *, data: Any = None, body: Any = None, length: int | None = None,
             content_type: str = "application/json", query: Mapping[str, str] | None = None,
             headers: Mapping[str, str] | None = None, ok: tuple[int, ...] = (200, 201, 202, 204, 304)) -> Answer:
        """One API call. `data` is sent as JSON; `body` is a stream. Raises `ApiFault` for every status not in `ok`."""
        if data is not None:
            encoded = json.dumps(data).encode()
            body, length = io.BytesIO(encoded), len(encoded)
        request = self._request(method, service, path, body, length, content_type, query, headers or {})
        match = resolve(request.path_info)
        request.resolver_match = match
        response = match.func(request, *match.args, **match.kwargs)
        answer = Answer(response.status_code, {key.lower(): value for key, value in response.items()}, response)
        if answer.status not in ok:
            raise _fault(answer)
        return answer

    def _request(self, method: str, service: str, path: str, body: Any, length: int | None, content_type: str,
                 query: Mapping[str, str] | None, headers: Mapping[str, str]) -> WSGIRequest:
        setting, root = SERVICES[service]
        full = urlparse(getattr(conf, setting)).path.rstrip("/") + root + path
        environ: dict[str, Any] = {key: self.page.META[key] for key in _KEPT if key in self.page.META}
        environ |= {
            "REQUEST_METHOD": method, "PATH_INFO": unquote(full).encode().decode("latin-1"), "SCRIPT_NAME": "",
            "RAW_URI": full, "REQUEST_URI": full, "QUERY_STRING": urlencode(query or {}), "CONTENT_TYPE": content_type if body else "",
            "CONTENT_LENGTH": str(length or 0), "wsgi.input": body or io.BytesIO(), "wsgi.url_scheme": self.page.scheme or "http",
            "SERVER_PROTOCOL": "HTTP/1.1",
        }
        environ |= {"HTTP_" + key.upper().replace("-", "_"): value for key, value in headers.items()}
        request = WSGIRequest(environ)
        request._caller = self.caller  # type: ignore[attr-defined]
        request.request_id = getattr(self.page, "request_id", "")  # type: ignore[attr-defined]
        return request

    # What pages ask for, by name

    def get(self, service: str, path: str, **query: str) -> Any:
        return self.call("GET", service, path, query=query).json()

    def account_path(self, *parts: str) -> str:
        """Path of the user's account, container or object in the object store, each part encoded once."""
        return "/" + "/".join(quote(part, safe="/") if index == 2 else quote(part, safe="")
                              for index, part in enumerate((self.caller.user_id, *parts)))


def _fault(answer: Answer) -> ApiFault:
    try:
        body = answer.json()
        message = next(iter(body.values()))["message"]
    except (ValueError, AttributeError, KeyError, TypeError, StopIteration):
        message = f"The request failed ({answer.status})."
    return ApiFault(answer.status, str(message))
