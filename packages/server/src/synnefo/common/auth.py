"""From a request to its caller. API calls are known by their token only; pages by their session only."""

from __future__ import annotations

from django.http import HttpRequest

from synnefo.common import access, ports
from synnefo.common.errors import Unauthenticated
from synnefo.common.middleware import client_ip
from synnefo.common.ports import Caller


def token_of(request: HttpRequest) -> str:
    """The token in X-Auth-Token or Authorization: Bearer. Raises `Unauthenticated` when there is none."""
    token = request.headers.get("X-Auth-Token", "")
    if not token:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        token = credentials.strip() if scheme.lower() == "bearer" else ""
    if not token:
        raise Unauthenticated("Access denied. No authentication token")
    return token


def api_caller(request: HttpRequest) -> Caller:
    """The caller of an API request, asked of the identity service once a request. Raises `Forbidden` where the access
    rules of an application credential do not allow the call.
    """
    known: Caller | None = getattr(request, "_caller", None)
    if known is None:
        known = ports.identity().authenticate(token_of(request), client_ip=client_ip(request))
        access.require_allowed(known.access_rules, request.method or "", request.path)
        request._caller = known  # type: ignore[attr-defined]
    return known
