"""Sign-in with e-mail and password, and sign-out."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import LOCAL
from synnefo.astakos.services import captchas, logins, throttle
from synnefo.astakos.ui import auth_cookie, provider_outcome, provider_sign_out, sign_in
from synnefo.astakos.ui.forms import LoginForm
from synnefo.astakos.ui.redirects import allow_captcha, allow_programs, safe_next, sent_url
from synnefo.common.errors import DependencyUnavailable, DomainError, RateLimited
from synnefo.common.middleware import client_ip
from synnefo.common.settings import conf


@never_cache
@require_http_methods(["GET", "HEAD"])
def index(request: HttpRequest) -> HttpResponse:
    """To the cloud's pages, or to the sign-in page."""
    if request.user.is_authenticated:
        return HttpResponseRedirect(conf.ASTAKOS_LOGIN_SUCCESS_URL)
    if "code" in request.GET:  # of an invitation
        return HttpResponseRedirect(f"{reverse('astakos-signup')}?{urlencode({'code': request.GET['code'][:100]})}")
    return HttpResponseRedirect(_login_page())


@sensitive_post_parameters("password")
@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """The sign-in page. A success changes the session's id and leads to a safe `next`."""
    target = safe_next(request.POST.get("next", request.GET.get("next", "")), conf.ASTAKOS_LOGIN_SUCCESS_URL)
    if request.method != "POST":
        provider_outcome.expect_link(request)
        if request.user.is_authenticated and "force" not in request.GET:
            return _already_in(request, target)
        return _page(request, LoginForm(), target)
    form = LoginForm(request.POST)
    if not form.is_valid():
        return _page(request, form, target, status=400)
    try:
        _check_captcha(request, form.cleaned_data["username"])
        user = logins.sign_in(form.cleaned_data["username"], form.cleaned_data["password"], client_ip=client_ip(request))
        if not user.email_verified:
            messages.warning(request, "Your e-mail is not confirmed yet.")
            return HttpResponseRedirect(sent_url(user.email, target))
        return sign_in.complete(request, user, LOCAL, target, renew="renew" in request.POST)
    except DomainError as error:
        form.add_error(None, error.public)
        return _refusal(request, form, target, error)


def _already_in(request: HttpRequest, target: str) -> HttpResponse:
    """Nothing to do, unless the API token is to be renewed: that takes the credentials, or any page could ask for it."""
    if "renew" not in request.GET:
        return HttpResponseRedirect(target)
    return _page(request, LoginForm(), target)


def _check_captcha(request: HttpRequest, login: str) -> None:
    """After some failures each further guess takes a task. A service that does not answer lets people pass: the waits stay.
    Raises `InvalidInput`.
    """
    if not captchas.provider() or not throttle.is_suspect(login):
        return
    try:
        captchas.check(request.POST.get(captchas.field(), ""), client_ip=client_ip(request))
    except DependencyUnavailable:
        messages.warning(request, "The check for robots does not answer; you were let pass.")


def _refusal(request: HttpRequest, form: LoginForm, target: str, error: DomainError) -> HttpResponse:
    if not isinstance(error, RateLimited):
        return _page(request, form, target, status=401)
    response = _page(request, form, target, status=429)
    response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _page(request: HttpRequest, form: LoginForm, target: str, status: int = 200) -> HttpResponse:
    given = request.POST if request.method == "POST" else request.GET
    wants_captcha = bool(captchas.provider()) and request.method == "POST" and throttle.is_suspect(given.get("username", ""))
    context = {"form": form, "next": target, "renew": "renew" in given, "service_name": conf.BRANDING_SERVICE_NAME, "wants_captcha": wants_captcha}
    response = render(request, "astakos/login.html", context, status=status)
    allow_programs(response, target)
    if wants_captcha:
        allow_captcha(response)
    return response


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    """A POST ends the session. A GET asks first: a picture on a foreign page must not sign anybody out."""
    target = safe_next(request.POST.get("next", request.GET.get("next", "")), conf.ASTAKOS_LOGOUT_NEXT or _login_page())
    if not request.user.is_authenticated:
        return HttpResponseRedirect(target)
    if request.method != "POST":
        context = {"next": target, "email": request.user.email, "service_name": conf.BRANDING_SERVICE_NAME}
        return render(request, "astakos/logout.html", context)
    provider_sign_out.leave(request)
    if target == _login_page():
        messages.info(request, "You have signed out.")
    response = HttpResponseRedirect(target)
    auth_cookie.take(response)
    return response


def _login_page() -> str:
    return reverse("astakos-login")
