"""The pages of the authorization server: consent to a client, and the code that a device shows."""

from __future__ import annotations

import datetime
from typing import cast

from django.contrib import auth, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from synnefo.astakos.api.oauth2 import basic_credentials, require_secure, single
from synnefo.astakos.models import OAuthDevice, User
from synnefo.astakos.services import tokens
from synnefo.astakos.services.oauth2 import devices, grants, requests, scopes
from synnefo.astakos.services.oauth2.errors import OAuthError
from synnefo.astakos.services.oauth2.grants import SignIn
from synnefo.astakos.ui.redirects import login_redirect
from synnefo.common.errors import DomainError, Unauthenticated
from synnefo.common.settings import conf

_ONCE = ("prompt", "max_age")


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """Where clients send the browser. What is wrong is shown here and never sent to an address that may be wrong too."""
    try:
        require_secure(request)
        if request.method == "POST" and "csrfmiddlewaretoken" not in request.POST:
            query = request.POST.urlencode() if request.POST else request.META.get("QUERY_STRING", "")
            return HttpResponseRedirect(f"{request.path}?{query}")
        wanted = requests.parse(single(request.GET), basic_credentials(request))
        return _sign_in_first(request, wanted) or _answer(request, wanted)
    except OAuthError as error:
        return _problem(request, error.public, 400)


def _problem(request: HttpRequest, text: str, status: int) -> HttpResponse:
    return render(request, "astakos/oauth2_error.html", {"text": text, "service_name": conf.BRANDING_SERVICE_NAME}, status=status)


def _sign_in_first(request: HttpRequest, wanted: requests.Request) -> HttpResponse | None:
    """To the sign-in page, unless the user has signed in, recently enough."""
    if request.user.is_authenticated:
        age = timezone.now() - _auth_time(request)
        is_old = wanted.max_age_s is not None and age > datetime.timedelta(seconds=wanted.max_age_s)
        if not is_old and "login" not in wanted.prompts:
            return None
    if "none" in wanted.prompts:
        return _back(request, wanted, error="login_required")
    if request.user.is_authenticated:
        auth.logout(request)
    query = request.GET.copy()
    for name in _ONCE:
        query.pop(name, None)
    return HttpResponseRedirect(login_redirect(f"{request.path}?{query.urlencode()}"))


def _answer(request: HttpRequest, wanted: requests.Request) -> HttpResponse:
    try:
        tokens.require_admitted(_user(request))
    except Unauthenticated as error:
        return _problem(request, error.public, 403)
    if wanted.wanted.client.is_trusted:
        return _accept(request, wanted)
    if request.method == "POST":
        return _decide(request, wanted)
    if "none" in wanted.prompts:
        return _back(request, wanted, error="consent_required")
    return render(request, "astakos/oauth2_consent.html", {
        "client": wanted.wanted.client, "scopes": scopes.describe(wanted.wanted.scope), "action": request.get_full_path(),
        "target": wanted.wanted.redirect_uri, "email": _user(request).email, "service_name": conf.BRANDING_SERVICE_NAME})


def _decide(request: HttpRequest, wanted: requests.Request) -> HttpResponse:
    """The answer of the consent page, and of no other."""

    @csrf_protect
    def decide(request: HttpRequest) -> HttpResponse:
        if request.POST.get("reject", "").lower() in {"true", "1", "on", "yes"}:
            return _back(request, wanted, error="access_denied")
        return _accept(request, wanted)

    request.csrf_processing_done = False  # type: ignore[attr-defined]  # the outer view is exempt, this one is not
    return decide(request)


def _accept(request: HttpRequest, wanted: requests.Request) -> HttpResponse:
    return _back(request, wanted, code=grants.authorize(wanted.wanted, _sign_in(request)))


def _back(request: HttpRequest, wanted: requests.Request, **fields: str) -> HttpResponse:
    """To the client. Browsers hold a form that a page of ours has sent to our own site, redirects included: they get a
    page that leads on.
    """
    url = requests.answer_url(wanted.wanted.redirect_uri, **fields, state=wanted.state)
    if request.headers.get("Sec-Fetch-Site") == "same-origin":
        return render(request, "astakos/oauth2_return.html", {
            "url": url, "client": wanted.wanted.client, "service_name": conf.BRANDING_SERVICE_NAME})
    return HttpResponseRedirect(url)


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


def _auth_time(request: HttpRequest) -> datetime.datetime:
    """When this session was opened."""
    stored = request.session.get("auth_time")
    if isinstance(stored, (int, float)):
        return datetime.datetime.fromtimestamp(stored, datetime.UTC)
    return _user(request).last_login or timezone.now()


def _sign_in(request: HttpRequest) -> SignIn:
    methods = request.session.get("amr") or ["pwd"]
    return SignIn(_user(request), _auth_time(request), tuple(str(item) for item in methods))


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def device(request: HttpRequest) -> HttpResponse:
    """Type the code that a device shows, then agree or not."""
    if not request.user.is_authenticated:
        return HttpResponseRedirect(login_redirect(request.get_full_path()))
    code = (request.POST if request.method == "POST" else request.GET).get("code", "").strip()[:40]
    context = {"code": code, "service_name": conf.BRANDING_SERVICE_NAME, "email": _user(request).email}
    if not code:
        return render(request, "astakos/oauth2_device.html", context)
    try:
        found = devices.find(code, guesser=_user(request).uuid)
        if request.method == "POST" and "decision" in request.POST:
            return _decide_device(request, found)
    except DomainError as error:
        return render(request, "astakos/oauth2_device.html", {**context, "error": error.public}, status=404)
    return render(request, "astakos/oauth2_device.html", {**context, "device": found, "scopes": scopes.describe(found.scope)})


def _decide_device(request: HttpRequest, found: OAuthDevice) -> HttpResponse:
    agrees = request.POST["decision"] == "accept"
    devices.decide(found.pk, _sign_in(request), agrees=agrees)
    messages.success(request, f"{found.client.title} may go on now: look at your device." if agrees
                     else f"{found.client.title} was refused.")
    return HttpResponseRedirect(reverse("astakos-device"))
