"""Refusals that no view made: unknown addresses, forms of another site or of an ended session, failures."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from synnefo.common.faults import INTERNAL_TEXT
from synnefo.common.settings import conf


def _wants_page(request: HttpRequest) -> bool:
    return "text/html" in request.headers.get("Accept", "") and not getattr(request, "htmx", False)


def _answer(request: HttpRequest, text: str, status: int) -> HttpResponse:
    if not _wants_page(request):
        return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    return render(request, "web/error.html", {"text": text, "status": status}, status=status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, "There is nothing at this address.", 404)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, "You may not do this.", 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form is of another site, or older than the session."""
    return _answer(request, "The form is too old or came from elsewhere. Go back, reload the page and send it again.", 403)


def server_error(request: HttpRequest) -> HttpResponse:
    """Needs nothing that may be what failed: no session, no database."""
    if not _wants_page(request):
        return HttpResponse(INTERNAL_TEXT, status=500, content_type="text/plain; charset=utf-8")
    return HttpResponse(render_to_string("web/failure.html", {"service_name": conf.BRANDING_SERVICE_NAME, "text": INTERNAL_TEXT}), status=500)
