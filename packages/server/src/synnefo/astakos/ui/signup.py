"""Pages on which people make an account, and confirm its e-mail."""

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

from synnefo.astakos.models import LOCAL, User
from synnefo.astakos.services import captchas, invitations, policies, providers, signup, terms, throttle, verification
from synnefo.astakos.services.providers import Provider, Start
from synnefo.astakos.ui import sign_in, third_party_signup
from synnefo.astakos.ui.forms import SignupForm
from synnefo.astakos.ui.redirects import allow_captcha, safe_next, sent_url
from synnefo.common.errors import (
    AlreadyExists,
    DependencyUnavailable,
    DomainError,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
)
from synnefo.common.middleware import client_ip
from synnefo.common.settings import conf

SIGNUPS_A_MINUTE = 10
"""From one address. A class that signs up together needs several."""


@sensitive_post_parameters("password1", "password2")
@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """`?provider=<module>` (default: local). With a form for a password, or straight to the provider."""
    if "third_party_token" in request.GET or "third_party_token" in request.POST:
        return third_party_signup.signup(request)
    target = _target(request)
    if request.user.is_authenticated:
        return HttpResponseRedirect(target or reverse("astakos-index"))
    wanted = request.GET.get("provider", "")
    offered = _offered()
    if wanted and wanted != LOCAL:
        found = next((provider for provider in providers.enabled() if provider.module == wanted), None)
        if found is not None:
            return _with(request, found, offered)
        messages.error(request, "There is no such sign-in method.")
    if request.method == "POST":
        return _create(request, offered, target)
    return _form(request, SignupForm(terms=terms.latest_id(), initial=_invited(request)), offered, target)


def _invited(request: HttpRequest) -> dict[str, str]:
    """Name and e-mail of somebody who comes with the code of an invitation."""
    if "code" not in request.GET:
        return {}
    try:
        found = invitations.find(request.GET["code"])
    except NotFound as error:
        messages.error(request, error.public)
        return {}
    first, _, last = found.realname.partition(" ")
    return {"email": found.email, "first_name": first[:150], "last_name": last[:150]}


def _target(request: HttpRequest) -> str:
    return safe_next(request.POST.get("next", request.GET.get("next", "")), "")


def _offered() -> list[Provider]:
    """Providers that accept new people."""
    found = providers.enabled()
    allowed = policies.of_all([provider.module for provider in found])
    return [provider for provider in found if allowed[provider.module].create]


def _with(request: HttpRequest, provider: Provider, offered: list[Provider]) -> HttpResponse:
    if provider not in offered:
        return _refused(request, provider.message("CREATE_DISABLED"))
    query = {name: request.GET[name] for name in ("next",) if name in request.GET}
    return HttpResponseRedirect(f"{reverse('astakos-provider', args=[provider.module])}{'?' if query else ''}{urlencode(query)}")


def _form(request: HttpRequest, form: SignupForm, offered: list[Provider], target: str, *, status: int = 200) -> HttpResponse:
    has_password = any(provider.start is Start.PASSWORD for provider in offered)
    if request.GET.get("provider") == LOCAL and not has_password:
        return _refused(request, providers.describe(LOCAL).message("CREATE_DISABLED"))
    context = {"form": form, "next": target, "providers": offered, "has_password": has_password}
    response = render(request, "astakos/signup.html", context, status=status if offered else 403)
    allow_captcha(response)
    return response


def _refused(request: HttpRequest, text: str) -> HttpResponse:
    messages.error(request, text)
    return render(request, "astakos/refused.html", status=403)


def _create(request: HttpRequest, offered: list[Provider], target: str) -> HttpResponse:
    form = SignupForm(request.POST, terms=terms.latest_id())
    if not form.is_valid():
        return _form(request, form, offered, target, status=400)
    data = form.cleaned_data
    try:
        if captchas.provider():
            captchas.check(request.POST.get(captchas.field(), ""), client_ip=client_ip(request))
        throttle.spend("signup", client_ip(request) or "", 1, allowed=SIGNUPS_A_MINUTE)
        user = signup.sign_up(data["email"], data["first_name"], data["last_name"], data["password1"], target=target,
                              signed_terms=data.get("terms") or 0)
    except InvalidInput as error:
        form.refuse(error)
        return _form(request, form, offered, target, status=400)
    except AlreadyExists as error:
        if conf.ASTAKOS_HIDE_ACCOUNTS:
            signup.tell_owner(data["email"])
            return HttpResponseRedirect(sent_url(data["email"].strip().lower(), target))
        form.add_error("email", error.public)
        return _form(request, form, offered, target, status=409)
    except Forbidden as error:
        return _refused(request, error.public)
    except DependencyUnavailable as error:  # nobody signs up unchecked
        form.add_error(None, error.public)
        return _form(request, form, offered, target, status=503)
    except RateLimited as error:
        form.add_error(None, error.public)
        return _slow_down(_form(request, form, offered, target, status=429), error)
    return signed_up(request, user, target)


def _slow_down(response: HttpResponse, error: RateLimited) -> HttpResponse:
    response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def signed_up(request: HttpRequest, user: User, target: str) -> HttpResponse:
    """Straight in when the account is open, else a word about what it waits for."""
    if user.is_active:
        messages.success(request, f"Welcome to {conf.BRANDING_SERVICE_NAME}.")
        return sign_in.complete(request, user, LOCAL, target)
    if not user.email_verified:
        return HttpResponseRedirect(sent_url(user.email, target))
    messages.info(request, signup.waiting_for(user))
    return HttpResponseRedirect(reverse("astakos-login"))



@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def sent(request: HttpRequest, secret: str) -> HttpResponse:
    """A mail was sent. A POST sends it again."""
    if request.user.is_authenticated:
        return HttpResponseRedirect(reverse("astakos-index"))
    try:
        email = verification.email_of(secret)
    except NotFound as error:
        messages.error(request, error.public)
        return HttpResponseRedirect(reverse("astakos-login"))
    context = {"email": email, "days": conf.ASTAKOS_VERIFICATION_DAYS}
    if request.method != "POST":
        return render(request, "astakos/verification_sent.html", context)
    try:
        verification.ask_again(email, target=_target(request))
    except RateLimited as error:
        messages.error(request, error.public)
        return _slow_down(render(request, "astakos/verification_sent.html", context, status=429), error)
    messages.success(request, "The mail was sent again. Only the link in the newest one works.")
    return HttpResponseRedirect(request.get_full_path())


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def activate(request: HttpRequest) -> HttpResponse:
    """`?auth=CODE[&next=]`: a GET shows a button, as programs that look at mails follow links; its POST confirms the e-mail."""
    code = request.POST.get("auth", request.GET.get("auth", ""))
    if not code:
        return _refused(request, "The address is not complete. Open the link of the mail as it is.")
    if request.user.is_authenticated:
        messages.warning(request, f"You are signed in as {request.user.email}. Sign out first, then open the link again.")
        return HttpResponseRedirect(reverse("astakos-index"))
    try:
        if request.method != "POST":
            context = {"email": verification.find(code).email, "code": code, "next": _target(request)}
            return render(request, "astakos/activate.html", context)
        user = verification.confirm(code)
    except DomainError as error:
        messages.error(request, error.public)
        return HttpResponseRedirect(reverse("astakos-login"))
    return _confirmed(request, user)


def _confirmed(request: HttpRequest, user: User) -> HttpResponse:
    """The link opens the session too: its owner has just shown who he is."""
    target = _target(request) or conf.ASTAKOS_ACTIVATION_REDIRECT_URL
    method = user.login_methods.filter(active=True).order_by("pk").first()
    if not user.is_active or method is None:
        messages.info(request, f"Your e-mail is confirmed. {signup.waiting_for(user)}")
        return HttpResponseRedirect(reverse("astakos-login"))
    try:
        response = sign_in.complete(request, user, method.module, target, identifier=method.identifier)
    except DomainError as error:
        messages.error(request, error.public)
        return HttpResponseRedirect(reverse("astakos-login"))
    messages.success(request, f"Your e-mail is confirmed. Welcome to {conf.BRANDING_SERVICE_NAME}.")
    return response
