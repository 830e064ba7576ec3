"""Request ids, access log, metrics and the headers every reply carries."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import Counter, Histogram

from synnefo.common.settings import conf

log = structlog.get_logger(__name__)


class ClientInfo(NamedTuple):
    """Who sent the request being handled: address and program, as the audit log names them."""

    ip: str = ""
    agent: str = ""


_NOBODY = ClientInfo()
_client: ContextVar[ClientInfo] = ContextVar("client", default=_NOBODY)


def current_client() -> ClientInfo:
    """The client of the request being handled; empty in commands and the worker."""
    return _client.get()


REQUESTS = Counter("synnefo_http_requests", "HTTP requests answered", ["method", "route", "status"])
LATENCY = Histogram("synnefo_http_request_seconds", "Time until the response's headers are ready", ["route"])
_REQUEST_ID = re.compile(r"^req-[0-9a-f-]{36}$")


def client_ip(request: HttpRequest) -> str:
    """The peer's address, or the first of X-Forwarded-For when the peer is a trusted proxy."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    forwarded = request.headers.get("X-Forwarded-For", "")
    if forwarded and peer in conf.TRUSTED_PROXIES:
        return forwarded.split(",")[0].strip()
    return peer


def is_secure(request: HttpRequest) -> bool:
    """Whether the client came by https, as we or a trusted proxy saw it."""
    if request.is_secure():
        return True
    is_trusted = str(request.META.get("REMOTE_ADDR", "")) in conf.TRUSTED_PROXIES
    return is_trusted and request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip().lower() == "https"


def loggable_path(request: HttpRequest) -> str:
    """The path without what is secret in it: parts of URLs that are captured as `secret`."""
    secret = request.resolver_match.kwargs.get("secret") if request.resolver_match else None
    return request.path.replace(str(secret), "***") if secret else request.path


class RequestContext:
    """Gives each request an id (a caller's well-formed one is kept), binds it to the log and counts the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Openstack-Request-Id", "")
        request_id = given if _REQUEST_ID.match(given) else f"req-{uuid.uuid4()}"
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        reset = _client.set(ClientInfo(client_ip(request)[:45], request.headers.get("User-Agent", "")[:200]))
        started = time.perf_counter()
        try:
            response = self.get_response(request)
        finally:
            _client.reset(reset)
        elapsed = time.perf_counter() - started
        route = request.resolver_match.route if request.resolver_match else "unmatched"
        REQUESTS.labels(request.method, route, response.status_code).inc()
        LATENCY.labels(route).observe(elapsed)
        response.headers["X-Openstack-Request-Id"] = request_id
        if "/compute/" in request.path:
            response.headers["X-Compute-Request-Id"] = request_id
        log.info("request.done", method=request.method, path=loggable_path(request), status=response.status_code,
                 elapsed_ms=round(elapsed * 1000, 1))
        return response
