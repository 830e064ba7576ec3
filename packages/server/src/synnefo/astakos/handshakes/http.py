"""Calls to sign-in providers: bounded in time and size, over TLS except on this machine."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse

import httpx

from synnefo.common.errors import DependencyUnavailable
from synnefo.common.loopback import is_loopback

TIMEOUT_S = 10.0
MAX_BODY = 1 << 20


class Refused(Exception):
    """The provider answered, and not with what was asked for. The text is for the log."""


def require_tls(url: str) -> None:
    """Raises `DependencyUnavailable` for an address whose answers anybody on the way could change."""
    parsed = urlparse(url)
    if parsed.scheme != "https" and not (parsed.scheme == "http" and is_loopback(parsed.hostname or "")):
        raise DependencyUnavailable("The sign-in method is set up wrongly.", reason=f"{url} is not an https address")


def call(method: str, url: str, **options: Any) -> Any:
    """The JSON that a provider answers. Raises `Refused`, `DependencyUnavailable`."""
    require_tls(url)
    try:
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as client, client.stream(method, url, **options) as response:
            body = _body(response)
            status = response.status_code
    except httpx.HTTPError as error:
        raise DependencyUnavailable("The provider does not answer.", reason=f"{url}: {type(error).__name__}: {error}") from error
    if status >= 500:
        raise DependencyUnavailable("The provider does not answer.", reason=f"{url}: status {status}")
    if status != 200:
        raise Refused(f"{url}: status {status}: {body[:300]!r}")
    try:
        return httpx.Response(200, content=body).json()
    except ValueError as error:
        raise Refused(f"{url}: no JSON") from error


def _body(response: httpx.Response) -> bytes:
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refused(f"{response.url}: more than {MAX_BODY} bytes")
    return body


def call_object(method: str, url: str, **options: Any) -> dict[str, Any]:
    """As `call`, when only an object makes sense."""
    answer = call(method, url, **options)
    if not isinstance(answer, dict):
        raise Refused(f"{url}: not an object")
    return answer
