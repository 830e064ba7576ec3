"""The terms of use: read by everybody, agreed to by those who are signed in; and the gate that leads the latter there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import Terms
from synnefo.astakos.services import terms
from synnefo.astakos.ui.guards import is_background
from synnefo.astakos.ui.redirects import login_redirect, safe_next
from synnefo.common.errors import NotFound, StateConflict

PAGES = ("synnefo.astakos.ui.", "synnefo.web.views.")
"""Where views of pages live; everything else is asked for with tokens, which the services look at."""
OPEN = {"astakos-terms", "astakos-terms-version", "astakos-logout", "astakos-login", "astakos-local", "astakos-session",
        "astakos-session-extend", "astakos-menu", "astakos-services"}


class TermsGate:
    """Sends those who have not agreed to the newest terms to them, and back to where they wanted afterwards."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> HttpResponse | None:
        name = request.resolver_match.url_name if request.resolver_match else ""
        if not view.__module__.startswith(PAGES) or name in OPEN:
            return None
        if not request.user.is_authenticated or terms.has_signed(request.user):
            return None
        if is_background(request):
            return HttpResponse("There are new terms of use. Reload the page.", status=403, content_type="text/plain; charset=utf-8")
        wanted = request.get_full_path() if request.method in {"GET", "HEAD"} else "/"
        return HttpResponseRedirect(f"{reverse('astakos-terms')}?{urlencode({'next': wanted, 'show_form': ''})}")


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """The newest version; with a form for those who have not agreed to it."""
    newest = terms.latest()
    target = safe_next(request.POST.get("next", request.GET.get("next", "")), reverse("astakos-index"))
    if newest is None:
        messages.info(request, "There are no terms of use.")
        return HttpResponseRedirect(target)
    if request.method != "POST":
        return _shown(request, newest, target)
    if not request.user.is_authenticated:
        return HttpResponseRedirect(login_redirect(request.path))
    if request.POST.get("terms") != str(newest.pk):
        messages.warning(request, "The terms changed while you read them. These are the newest.")
        return _shown(request, newest, target, status=409)
    if "has_signed_terms" not in request.POST:
        return _shown(request, newest, target, error="Tick the box if you agree.", status=400)
    try:
        terms.sign(request.user.user_id, newest.pk)
    except (StateConflict, NotFound) as error:  # a newer version came this moment
        messages.warning(request, error.public)
        return HttpResponseRedirect(request.get_full_path())
    messages.success(request, "Thank you. You agreed to the terms of use.")
    return HttpResponseRedirect(target)


@never_cache
@require_http_methods(["GET", "HEAD"])
def version(request: HttpRequest, number: int) -> HttpResponse:
    """A given version, to read."""
    try:
        found = terms.get(number)
    except NotFound as error:
        raise Http404(error.public) from error
    return _shown(request, found, "", is_newest=found.pk == terms.latest_id())


def _shown(request: HttpRequest, found: Terms, target: str, *, is_newest: bool = True, error: str = "", status: int = 200) -> HttpResponse:
    user = request.user
    context = {"terms": found, "next": target, "is_newest": is_newest, "error": error,
               "must_sign": is_newest and user.is_authenticated and not terms.has_signed(user, newest=found.pk)}
    return render(request, "astakos/terms.html", context, status=status)
