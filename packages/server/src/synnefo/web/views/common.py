"""What views share: the session check, and refusals as pages, notices or short texts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from synnefo.common.errors import DomainError, Unauthenticated
from synnefo.common.faults import INTERNAL_TEXT, fault_of
from synnefo.web.gateway import ApiFault, Gateway

log = structlog.get_logger(__name__)
type_view = Callable[..., HttpResponseBase]


def is_background(request: HttpRequest) -> bool:
    """Whether a script asks, which wants a status and a short text instead of a page."""
    return (request.method != "GET" and "X-CSRFToken" in request.headers) or bool(getattr(request, "htmx", False))


def page(*methods: str) -> Callable[[Callable[..., HttpResponseBase]], type_view]:
    """A view of a signed-in user: `view(request, gateway, ...)`. Others go to the sign-in page and come back."""

    def decorate(view: Callable[..., HttpResponseBase]) -> type_view:
        @require_http_methods(list(methods or ("GET",)))
        @functools.wraps(view)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _sign_in(request)
            try:
                return view(request, Gateway(request), *args, **kwargs)
            except Unauthenticated:
                return _sign_in(request)
            except DomainError as error:
                return refusal(request, error)

        return run

    return decorate


def _sign_in(request: HttpRequest) -> HttpResponse:
    if is_background(request):
        return HttpResponse("Sign in first.", status=401, content_type="text/plain")
    return HttpResponseRedirect(f"{settings.LOGIN_URL}?next={quote(request.get_full_path())}")


def refusal(request: HttpRequest, error: DomainError) -> HttpResponse:
    """An error as a short text for scripts, or as a page for people."""
    status = error.status if isinstance(error, ApiFault) else fault_of(error).status
    text = error.public if status < 500 or isinstance(error, ApiFault) else INTERNAL_TEXT
    log.info("page.refused", status=status, text=text)
    if is_background(request):
        return HttpResponse(text, status=status, content_type="text/plain")
    return render(request, "web/error.html", {"text": text, "status": status}, status=status)
