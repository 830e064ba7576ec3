"""Who may see a page: those who signed in, and for what matters most, those who did so a moment ago."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import cast

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode

from synnefo.astakos.models import User
from synnefo.astakos.services import login_methods
from synnefo.astakos.ui.redirects import login_redirect

View = Callable[..., HttpResponseBase]
RECENT_S = 15 * 60
"""How long after a sign-in the actions that matter most need no other one."""
AUTH_TIME = "auth_time"
"""In the session: when the user last proved who he is, in seconds of the epoch."""


def is_background(request: HttpRequest) -> bool:
    """Whether a script asks, which wants a status and never a page."""
    if getattr(request, "htmx", False) or request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return True
    if "X-CSRFToken" in request.headers:
        return True
    return request.headers.get("Sec-Fetch-Mode", "navigate") not in {"navigate", "nested-navigate"}


def signed_in(view: View) -> View:
    """Others sign in first and come back; a background request is told 401 instead."""

    @functools.wraps(view)
    def run(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if is_background(request):
            return _told(request, "Sign in first.", 401, reverse("astakos-login"))
        return HttpResponseRedirect(login_redirect(request.get_full_path()))

    return run


def has_required_methods(view: View) -> View:
    """Users who lack a sign-in method that every account must have add it first: their profile tells which. Within `signed_in`."""

    @functools.wraps(view)
    def run(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        missing = login_methods.missing_required(cast(User, request.user))
        if not missing:
            return view(request, *args, **kwargs)
        if is_background(request):
            return _told(request, " ".join(missing), 403, reverse("astakos-profile"))
        return HttpResponseRedirect(reverse("astakos-profile"))

    return run


def is_recent(request: HttpRequest) -> bool:
    """Whether the user proved who he is within the last quarter of an hour."""
    return bool(request.user.is_authenticated) and time.time() - float(request.session.get(AUTH_TIME, 0)) < RECENT_S


def recent_sign_in_required(page: str, *page_args: str) -> Callable[[View], View]:
    """For what a borrowed browser must not do: whoever signed in longer ago proves again who he is. He then comes to the page
    of the URL name `page`, where he can repeat what he wanted; nothing was done. A background request is told 403 and where.
    """

    def decorate(view: View) -> View:
        @signed_in
        @functools.wraps(view)
        def run(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if is_recent(request):
                return view(request, *args, **kwargs)
            return ask_again(request, reverse(page, args=page_args))

        return run

    return decorate


def ask_again(request: HttpRequest, back: str) -> HttpResponse:
    """To the page where a user proves again who he is, and from there to `back`."""
    address = f"{reverse('astakos-login')}?{urlencode({'force': '', 'next': back})}"
    if is_background(request):
        return _told(request, "Sign in again to do this.", 403, address)
    return HttpResponseRedirect(address)


def _told(request: HttpRequest, text: str, status: int, address: str) -> HttpResponse:
    if "json" in request.headers.get("Accept", ""):
        return JsonResponse({"error": text, "sign_in": address}, status=status)
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
