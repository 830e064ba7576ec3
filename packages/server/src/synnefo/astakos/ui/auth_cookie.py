"""The cookie that tells other sites of the cookie domain who signed in: the quoted text `<uuid>|<token>`.

It is told, never believed: every page looks at the session. The token in it is the session's own and ends with it, unless
ASTAKOS_COOKIE_PRIMARY_TOKEN puts the user's API token there.
"""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from synnefo.astakos.services import sign_ins, tokens
from synnefo.common.crypto import decrypt, encrypt
from synnefo.common.errors import BrokenInvariant
from synnefo.common.settings import conf

TOKEN = "api_token"  # noqa: S105 - the name of a slot
"""In the session: the ciphertext of its token."""


def keep_token(request: HttpRequest, opened: sign_ins.Opened) -> None:
    """The session remembers its token and lives as long as it."""
    request.session[TOKEN] = encrypt(opened.secret)
    request.session.set_expiry(opened.expires_at)


def session_token(request: HttpRequest) -> str:
    """The token of the signed-in session, or nothing."""
    stored = request.session.get(TOKEN)
    try:
        return decrypt(stored) if stored else ""
    except BrokenInvariant:  # the keys were replaced: a new token is made
        return ""


def adopt(request: HttpRequest) -> str:
    """Give the session a (new) token and an entry in the catalog; returns the token."""
    if request.session.session_key is None:
        request.session.save()
    user: Any = request.user
    opened = sign_ins.adopt_session(user.user_id, str(request.session.session_key), request.session.get_expiry_date())
    request.session[TOKEN] = encrypt(opened.secret)
    return opened.secret


def wanted_value(request: HttpRequest) -> str:
    """What the cookie should hold for the present session; nothing for visitors."""
    user = request.user
    if not user.is_authenticated:
        return ""
    token = session_token(request) or adopt(request)
    if conf.ASTAKOS_COOKIE_PRIMARY_TOKEN:
        primary = tokens.primary_of(user)
        token = (tokens.shown_secret(primary) if primary is not None else "") or token
    return quote(f"{user.uuid}|{token}", safe="")


def is_right(request: HttpRequest, wanted: str) -> bool:
    return request.COOKIES.get(conf.ASTAKOS_COOKIE_NAME, "") == wanted


def give(request: HttpRequest, response: HttpResponseBase, value: str) -> None:
    """Set the cookie, to end with the session."""
    ends: datetime.datetime = request.session.get_expiry_date()
    response.set_cookie(
        conf.ASTAKOS_COOKIE_NAME, value, max_age=max(0, int((ends - timezone.now()).total_seconds())), path="/",
        domain=conf.ASTAKOS_COOKIE_DOMAIN or None, secure=_is_secure(), httponly=conf.ASTAKOS_COOKIE_HTTPONLY, samesite="Lax")


def take(response: HttpResponseBase) -> None:
    response.delete_cookie(conf.ASTAKOS_COOKIE_NAME, path="/", domain=conf.ASTAKOS_COOKIE_DOMAIN or None, samesite="Lax")


def _is_secure() -> bool:
    return bool(conf.SESSION_COOKIE_SECURE if conf.ASTAKOS_COOKIE_SECURE is None else conf.ASTAKOS_COOKIE_SECURE)
