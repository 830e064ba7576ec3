"""Calls to an Astakos on another host, and what their failure means.

A call that may be repeated (reads, and issues with a request id) is repeated after connection errors and server errors,
with growing pauses and within a bounded time. What is still undecided then is unknown if a request may have arrived.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import structlog
from prometheus_client import Counter

from synnefo.common import access
from synnefo.common.errors import (
    AlreadyExists,
    DependencyUnavailable,
    DomainError,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    QuotaExceeded,
    RateLimited,
    Unauthenticated,
)

log = structlog.get_logger(__name__)
CALLS = Counter("synnefo_astakos_calls", "Calls to Astakos on another host", ["path", "outcome"])
ATTEMPTS = 4
ATTEMPT_S, CONNECT_S, TOTAL_S = 10.0, 3.0, 30.0
FIRST_PAUSE_S = 0.1
PUBLIC_DOWN = "The identity service does not answer. Try again in a moment."
PUBLIC_UNKNOWN = "The identity service stopped answering half way. Look at what happened before repeating this."
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_KINDS: dict[int, type[DomainError]] = {
    400: InvalidInput, 401: Unauthenticated, 404: NotFound, 409: AlreadyExists, 413: QuotaExceeded, 429: RateLimited}
_SERVICE = "account"
LOOKUP_S = 300.0


@dataclass(frozen=True, slots=True)
class _Failure:
    """One attempt that ended in neither an answer nor a refusal."""

    may_have_arrived: bool
    reason: str


class Transport:
    """Calls with one token, or none. Safe to use from several threads and after a fork."""

    def __init__(self, auth_url: str, token: str = "", *, transport: httpx.BaseTransport | None = None) -> None:
        root = auth_url.rstrip("/")
        self._identity_url = root if root.endswith("/v2.0") else root.removesuffix("/v3") + "/v2.0"
        self._token = token
        self._transport = transport
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._client_pid = 0
        self._account_url = ""
        self._known_until = 0.0

    def identity(self, body: object, *, client_ip: str | None = None) -> Any:
        """Ask the identity API for a token's access, on behalf of a user at that address. Access rules are kept here."""
        headers = {access.HEADER: access.VERSION, **({"X-Client-IP": client_ip} if client_ip else {})}
        return self._call("POST", f"{self._identity_url}/tokens", "tokens", body=body, headers=headers, is_repeatable=True)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """GET below the account API."""
        return self._call("GET", self._account(path), path, query=query, is_repeatable=True)

    def post(self, path: str, body: object, *, is_repeatable: bool, is_read: bool = False) -> Any:
        """POST below the account API. Raises `OutcomeUnknown` where it may have had effect, unless it `is_read`."""
        return self._call("POST", self._account(path), path, body=body, is_repeatable=is_repeatable, has_effect=not is_read)

    def _account(self, path: str) -> str:
        """The address of the account API, from the catalog; looked up again now and then."""
        if time.monotonic() > self._known_until:
            catalog = self._call("POST", f"{self._identity_url}/tokens", "catalog", is_repeatable=True)
            self._account_url = _find_account(catalog)
            self._known_until = time.monotonic() + LOOKUP_S
        return f"{self._account_url}/{path}"

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._client is None or self._client_pid != os.getpid():
                headers = {"X-Auth-Token": self._token} if self._token else {}
                self._client = httpx.Client(headers=headers, trust_env=False, follow_redirects=False,
                                            transport=self._transport)
                self._client_pid = os.getpid()
            return self._client

    def _call(self, method: str, url: str, what: str, *, query: Mapping[str, str] | None = None, body: object = None,
              headers: Mapping[str, str] | None = None, is_repeatable: bool, has_effect: bool = False) -> Any:
        """The answer's JSON. Raises the `DomainError` of a refusal, `DependencyUnavailable`, `OutcomeUnknown`."""
        deadline = time.monotonic() + TOTAL_S
        arrived = False
        for attempt in range(ATTEMPTS):
            result = self._attempt(method, url, query, body, headers, time_left_s=deadline - time.monotonic())
            if not isinstance(result, _Failure):
                CALLS.labels(what.split("/")[0], "answered").inc()
                return _judged(result, what, has_effect=has_effect)
            arrived |= result.may_have_arrived
            log.warning("astakos.call.failed", path=what, attempt=attempt + 1, reason=result.reason)
            pause = FIRST_PAUSE_S * 4**attempt * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret
            may_repeat = is_repeatable or not result.may_have_arrived
            if not may_repeat or attempt + 1 == ATTEMPTS or time.monotonic() + pause > deadline:
                break
            time.sleep(pause)
        is_unknown = has_effect and arrived
        CALLS.labels(what.split("/")[0], "unknown" if is_unknown else "failed").inc()
        raise OutcomeUnknown(PUBLIC_UNKNOWN, path=what) if is_unknown else DependencyUnavailable(PUBLIC_DOWN, path=what)

    def _attempt(self, method: str, url: str, query: Mapping[str, str] | None, body: object,
                 headers: Mapping[str, str] | None, *, time_left_s: float) -> httpx.Response | _Failure:
        timeout = httpx.Timeout(max(1.0, min(ATTEMPT_S, time_left_s)), connect=CONNECT_S)
        try:
            response = self._http().request(method, url, params=query, timeout=timeout, json=body, headers=headers)
        except _NEVER_SENT as error:
            return _Failure(may_have_arrived=False, reason=repr(error))
        except httpx.HTTPError as error:
            return _Failure(may_have_arrived=True, reason=repr(error))
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            return _Failure(may_have_arrived=True, reason=f"status {response.status_code}")
        return response


def _judged(response: httpx.Response, what: str, *, has_effect: bool) -> Any:
    """The answer's JSON, or the error it stands for."""
    try:
        answer = response.json() if response.content else None
    except ValueError as error:
        if has_effect and response.is_success:
            raise OutcomeUnknown(PUBLIC_UNKNOWN, path=what, reason="not JSON") from error
        raise DependencyUnavailable(PUBLIC_DOWN, path=what, reason="not JSON", status=response.status_code) from error
    if response.is_success:
        return answer
    raise _refusal(response, answer, what)


def _refusal(response: httpx.Response, answer: Any, what: str) -> DomainError:
    """The error behind a fault, as the service would have raised it here. What is no fault of Astakos, it did not say."""
    fault = next(iter(answer.values()), None) if isinstance(answer, dict) else None
    kind = _KINDS.get(response.status_code)
    if kind is None or not isinstance(fault, dict):
        return DependencyUnavailable(PUBLIC_DOWN, path=what, status=response.status_code, answer=str(answer)[:500])
    text = str(fault.get("message") or "The identity service refuses this.")
    if kind is RateLimited:
        wait = response.headers.get("Retry-After", "")
        return RateLimited(text, retry_after_s=int(wait) if wait.isdigit() else 5)
    return kind(text, data=fault.get("data"), path=what, status=response.status_code)


def _find_account(catalog: Any) -> str:
    try:
        for service in catalog["access"]["serviceCatalog"]:
            if service["type"] == _SERVICE:
                return str(service["endpoints"][0]["publicURL"]).rstrip("/")
    except (KeyError, TypeError, IndexError) as error:
        raise DependencyUnavailable(PUBLIC_DOWN, reason="malformed catalog") from error
    raise DependencyUnavailable(PUBLIC_DOWN, reason="the catalog has no account service; register it with service-import")
