"""`ui/session`: what scripts of our own sites may know of the session they run in."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from synnefo.astakos.services import tokens
from synnefo.astakos.ui import auth_cookie
from synnefo.astakos.ui.guards import signed_in
from synnefo.astakos.ui.origins import may_read


@never_cache
@vary_on_headers("Cookie", "Origin")
@require_http_methods(["GET"])
def show(request: HttpRequest) -> HttpResponse:
    """Who is signed in, with the session's own token. `?brief` has the token for forms of this site in its place."""
    origin = request.headers.get("Origin", "")
    if not _may_ask(request, origin):
        return JsonResponse({"error": "This page may not ask."}, status=403)
    response = JsonResponse(_described(request))
    if origin:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
    return response


def _described(request: HttpRequest) -> dict[str, object]:
    user = request.user
    if not user.is_authenticated:
        return {"authenticated": False}
    expires = request.session.get_expiry_date()
    known: dict[str, object] = {
        "authenticated": True, "uuid": user.uuid, "email": user.email, "name": user.realname, "expires": expires.isoformat(),
        "seconds_left": max(0, int((expires - timezone.now()).total_seconds()))}
    if "brief" not in request.GET:
        return known | {"token": _live_token(request)}
    return known if "Origin" in request.headers else known | {"csrf_token": get_token(request)}


def _live_token(request: HttpRequest) -> str:
    """The session's token; a new one when the present one was revoked."""
    secret = auth_cookie.session_token(request)
    found = tokens.find_token(secret) if secret else None
    if found is not None and found.revoked_at is None and not found.is_expired(timezone.now()):
        return secret
    return auth_cookie.adopt(request)


def _may_ask(request: HttpRequest, origin: str) -> bool:
    """Our own pages, sites of the cookie domain, and the origins of ASTAKOS_CORS_ORIGINS."""
    if not origin:
        return request.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}
    return may_read(origin)


@never_cache
@csrf_protect
@signed_in
@require_http_methods(["POST"])
def extend(request: HttpRequest) -> HttpResponse:
    """Stay signed in: a session lives as long as the API token, so one that is about to end gets a new one."""
    user = request.user
    assert user.is_authenticated
    primary = tokens.extend_primary(user.user_id, keep_session=str(request.session.session_key))
    request.session.set_expiry(primary.expires_at)
    return JsonResponse(_described(request) | {"token": None})
