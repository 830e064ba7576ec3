"""Keeps the cookie that tells who signed in true to the session, and the catalog of sessions informed of their use."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlparse

from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase

from synnefo.astakos.services import sessions
from synnefo.astakos.ui import auth_cookie
from synnefo.astakos.ui.guards import is_background
from synnefo.common.settings import conf

REPAIRED, SEEN = "cookie_repaired_at", "seen_at"
"""In the session: when a redirect last repaired the cookie, and when the catalog last heard of the session."""
REPAIR_PAUSE_S = 60


class AuthCookie:
    """A page of ours that is asked for with a wrong cookie is asked for once more with the right one; other replies just
    carry it. A browser that never sends it is redirected once a minute at most.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES and conf.ASTAKOS_COOKIE_NAME not in request.COOKIES:
            response = self.get_response(request)
            if _is_new_session(request):
                _mend(request, response)
            return response
        response = HttpResponseRedirect(request.get_full_path()) if _asks_again(request) else self.get_response(request)
        if _is_page(response):
            _mend(request, response)
        return response


def _is_new_session(request: HttpRequest) -> bool:
    """Somebody signed in by this very request."""
    return bool(request.session.modified) and auth_cookie.TOKEN in request.session


def _asks_again(request: HttpRequest) -> bool:
    if request.method not in {"GET", "HEAD"} or is_background(request) or not _is_ours(request.path):
        return False
    if not request.user.is_authenticated or auth_cookie.TOKEN not in request.session:
        return False
    if auth_cookie.is_right(request, auth_cookie.wanted_value(request)) or time.time() - request.session.get(REPAIRED, 0) < REPAIR_PAUSE_S:
        return False
    request.session[REPAIRED] = int(time.time())
    return True


def _is_ours(path: str) -> bool:
    """Pages of the identity service, whose readers may look at the cookie."""
    root = urlparse(conf.ASTAKOS_BASE_URL).path.rstrip("/")
    return path.startswith((f"{root}/ui/", f"{root}/weblogin/")) and path != f"{root}/ui/session"


def _is_page(response: HttpResponseBase) -> bool:
    return response.status_code in {301, 302, 303} or response.headers.get("Content-Type", "").startswith("text/html")


def _mend(request: HttpRequest, response: HttpResponseBase) -> None:
    wanted = auth_cookie.wanted_value(request)
    if wanted:
        _note_use(request)
    if auth_cookie.is_right(request, wanted):
        return
    if wanted:
        auth_cookie.give(request, response, wanted)
    else:
        auth_cookie.take(response)


def _note_use(request: HttpRequest) -> None:
    now = int(time.time())
    if now - request.session.get(SEEN, 0) >= sessions.TOUCH_STEP.total_seconds():
        request.session[SEEN] = now
        sessions.touch(str(request.session.session_key))
