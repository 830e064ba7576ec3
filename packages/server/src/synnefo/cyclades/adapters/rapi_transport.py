"""One HTTPS call to Ganeti's remote API, and what its failure means.

A write that was cut off after it may have been sent has an unknown outcome and is never repeated here. The server
closes every connection and forks for each request, so that keeping connections brings nothing: the number of calls
under way to one cluster is bounded instead.
"""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx
import structlog
from prometheus_client import Counter, Histogram

from synnefo.common.errors import DependencyUnavailable, OutcomeUnknown
from synnefo.common.settings import conf
from synnefo.cyclades.adapters.rapi_trust import ssl_context
from synnefo.cyclades.ports import GanetiLoginRefused, GanetiNotFound, GanetiQueueFull, GanetiRefused

log = structlog.get_logger(__name__)
CALLS = Counter("synnefo_rapi_calls", "Calls to Ganeti's remote API", ["method", "outcome"])
SECONDS = Histogram("synnefo_rapi_seconds", "Duration of calls to Ganeti's remote API", ["method"])

MAX_TEXT = 4096
PUBLIC_DOWN = "The cluster that holds this server does not answer. Try again later."
PUBLIC_UNKNOWN = "The cluster that holds this server stopped answering half way. Look at the server before repeating this."
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol,
               httpx.LocalProtocolError)
_MASTER_UNREACHABLE = 502
_QUEUE_CLOSED = 503


_deadline: ContextVar[float | None] = ContextVar("rapi_deadline", default=None)
_SHORTEST_S = 0.5


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Calls made inside end within this time together, when the usual time-out is longer: somebody waits for the answer."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a cluster's remote API is and who we are there."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    trust: str = ""

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"


class Transport:
    """Calls to one cluster. Safe to use from several threads; not across a fork."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._slots = threading.BoundedSemaphore(conf.GANETI_RAPI_MAX_CONCURRENT)
        self._timeout_s = float(conf.GANETI_RAPI_TIMEOUT)
        self._client = httpx.Client(
            base_url=target.url,
            auth=(target.username, target.password),
            verify=ssl_context(target.trust, insecure=conf.GANETI_RAPI_INSECURE),
            timeout=httpx.Timeout(self._timeout_s, connect=float(conf.GANETI_RAPI_CONNECT_TIMEOUT)),
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,
            follow_redirects=False,
        )

    def read(self, path: str, *, query: Mapping[str, str] | None = None) -> Any:
        """GET. Raises `DependencyUnavailable` or a `GanetiRefused`."""
        return self._call("GET", path, query, None, is_write=False)

    def ask(self, path: str, body: object) -> Any:
        """A PUT that only reads (`/2/query/...`)."""
        return self._call("PUT", path, None, body, is_write=False)

    def write(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        """Raises also `OutcomeUnknown`."""
        return self._call(method, path, query, body, is_write=True)

    def close(self) -> None:
        self._client.close()

    def _call(self, method: str, path: str, query: Mapping[str, str] | None, body: object, *, is_write: bool) -> Any:
        longest_s = self._longest_s()
        if not self._slots.acquire(timeout=longest_s):
            raise DependencyUnavailable(PUBLIC_DOWN, host=self._target.host, reason="too many calls under way")
        started = time.monotonic()
        outcome = "refused"
        try:
            timeout = httpx.Timeout(longest_s, connect=min(longest_s, float(conf.GANETI_RAPI_CONNECT_TIMEOUT)))
            response = self._client.request(method, path, params=query, json=body, timeout=timeout) if body is not None else \
                self._client.request(method, path, params=query, timeout=timeout)
            answer = self._judged(response, is_write=is_write)
            outcome = "done"
            return answer
        except _NEVER_SENT as error:
            outcome = "unreachable"
            raise self._down(error, method, path) from error
        except httpx.HTTPError as error:
            outcome = "cut off"
            raise (self._unknown if is_write else self._down)(error, method, path) from error
        except OutcomeUnknown:
            outcome = "unknown"
            raise
        finally:
            self._slots.release()
            CALLS.labels(method, outcome).inc()
            SECONDS.labels(method).observe(time.monotonic() - started)

    def _longest_s(self) -> float:
        deadline = _deadline.get()
        return self._timeout_s if deadline is None else min(self._timeout_s, max(_SHORTEST_S, deadline - time.monotonic()))

    def _judged(self, response: httpx.Response, *, is_write: bool) -> Any:
        """The answer's JSON, or the error it stands for."""
        answer = _json_of(response)
        if response.status_code == httpx.codes.OK:
            if answer is _NOT_JSON:
                kind = OutcomeUnknown if is_write else DependencyUnavailable
                raise kind(PUBLIC_UNKNOWN if is_write else PUBLIC_DOWN, host=self._target.host, reason="not JSON")
            return answer
        message, explain = _error_text(answer)
        raise self._refusal(response.status_code, message, explain, speaks_rapi=bool(message), is_write=is_write)

    def _refusal(self, status: int, message: str, explain: str, *, speaks_rapi: bool, is_write: bool) -> Exception:
        context: dict[str, Any] = {"host": self._target.host, "status": status, "reason": message or explain or "no explanation"}
        if status >= 500 and not (speaks_rapi and status in {_MASTER_UNREACHABLE, _QUEUE_CLOSED, 501}):
            # Either the master took the job and did not answer in time, or something between us and Ganeti failed.
            return OutcomeUnknown(PUBLIC_UNKNOWN, **context) if is_write else DependencyUnavailable(PUBLIC_DOWN, **context)
        if status == _MASTER_UNREACHABLE or (status == _QUEUE_CLOSED and not is_write):  # a question needs no place in the queue
            return DependencyUnavailable(PUBLIC_DOWN, **context)
        text = message or explain or f"The cluster refused the request ({status})."
        kinds = {401: GanetiLoginRefused, 403: GanetiLoginRefused, 404: GanetiNotFound, _QUEUE_CLOSED: GanetiQueueFull}
        return kinds.get(status, GanetiRefused)(text, status=status, explain=explain, host=self._target.host)

    def _down(self, error: Exception, method: str, path: str) -> DependencyUnavailable:
        log.warning("rapi.call.failed", host=self._target.host, method=method, path=path, error=repr(error))
        return DependencyUnavailable(PUBLIC_DOWN, host=self._target.host, reason=repr(error))

    def _unknown(self, error: Exception, method: str, path: str) -> OutcomeUnknown:
        log.warning("rapi.call.unknown", host=self._target.host, method=method, path=path, error=repr(error))
        return OutcomeUnknown(PUBLIC_UNKNOWN, host=self._target.host, reason=repr(error))


_NOT_JSON = object()


def _json_of(response: httpx.Response) -> Any:
    """Proxies answer with HTML, dying servers with nothing."""
    try:
        return response.json()
    except ValueError:
        return _NOT_JSON


def _error_text(answer: object) -> tuple[str, str]:
    """(message, explain) of Ganeti's error body, whose text is escaped for HTML; empty when it is none."""
    if not isinstance(answer, dict) or "code" not in answer:
        return "", ""
    message, explain = answer.get("message"), answer.get("explain")
    return _plain(message) or "refused", _plain(explain)


def _plain(text: object) -> str:
    return html.unescape(text)[:MAX_TEXT] if isinstance(text, str) else ""
