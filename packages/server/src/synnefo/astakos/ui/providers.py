"""The way to a sign-in provider and back: addresses `login/<module>` and `login/<module>/authenticated`."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import structlog
from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from synnefo.astakos.handshakes import directory, headers, oidc, saml, twitter
from synnefo.astakos.handshakes.http import Refused
from synnefo.astakos.services import identity, login_methods, policies, providers, throttle
from synnefo.astakos.services.identity import Identity
from synnefo.astakos.services.providers import Provider, Start
from synnefo.astakos.ui.forms import DirectoryForm
from synnefo.astakos.ui.handshakes import LIFE_S, recall, remember
from synnefo.astakos.ui.provider_outcome import arrived, profile_url, refused
from synnefo.common.errors import DependencyUnavailable, DomainError, NotFound, RateLimited
from synnefo.common.middleware import client_ip
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)


def _provider(module: str) -> Provider:
    """Raises `Http404`: methods that are not enabled do not exist."""
    try:
        return providers.get(module)
    except NotFound as error:
        raise Http404(error.public) from error


def callback_url(module: str) -> str:
    """The address that is registered at the provider."""
    return f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/ui/login/{module}/authenticated"


def _memory(request: HttpRequest) -> dict[str, Any]:
    """What has to survive the round trip."""
    given = request.POST if request.method == "POST" else request.GET
    memory: dict[str, Any] = {name: given[name][:2000] for name in ("next", "key") if given.get(name)}
    if given.get("switch_from", "").isdecimal() and len(given["switch_from"]) < 19:
        memory["switch_from"] = int(given["switch_from"])
    return memory | {name: True for name in ("renew", "force") if name in given}


@never_cache
@csrf_protect
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, module: str) -> HttpResponse:
    """Begin a sign-in, or (signed in) the addition of another method."""
    provider = _provider(module)
    if request.user.is_authenticated and request.headers.get("Sec-Fetch-Site") == "cross-site":
        return HttpResponseRedirect(profile_url())  # no foreign page adds a method to an account
    memory = _memory(request)
    if provider.start is Start.FORM:
        return _directory(request, provider, memory)
    if request.method == "POST":
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    if provider.start is Start.PASSWORD:
        return HttpResponseRedirect(f"{reverse('astakos-login')}?{request.GET.urlencode()}")
    if not request.user.is_authenticated and not policies.of(module).login:
        messages.error(request, provider.message("LOGIN_DISABLED"))
        return HttpResponseRedirect(reverse("astakos-login"))
    return _from_headers(request, provider, memory) if provider.start is Start.HEADERS else _send_away(request, provider, memory)


def _send_away(request: HttpRequest, provider: Provider, memory: dict[str, Any]) -> HttpResponse:
    state, callback, force = secrets.token_urlsafe(32), callback_url(provider.module), bool(memory.get("force"))
    try:
        if provider.module == "saml":
            address = saml.begin(callback=callback, state=state, memory=memory, force=force)
            cache.set(_slot("request", state), memory["request"], LIFE_S)
        else:
            begin = twitter.begin if provider.module == "twitter" else oidc.begin
            address = begin(provider, callback=callback, state=state, memory=memory, force=force)
    except (Refused, DomainError) as error:
        return refused(request, provider, error)
    remember(request, provider.module, state, memory)
    return HttpResponseRedirect(address)


@never_cache
@csrf_exempt  # SAML answers come as a form from the provider's page; the state stands for the forgery check
@require_http_methods(["GET", "HEAD", "POST"])
def authenticated(request: HttpRequest, module: str) -> HttpResponse:
    """The way back from a provider."""
    provider = _provider(module)
    if provider.start is not Start.REDIRECT:
        raise Http404
    if request.method == "POST":
        return _saml_answer(request, provider)
    try:
        memory = recall(request, module, request.GET.get("state", ""))
        if "error" in request.GET:
            return _denied(request, provider)
        found = _answer(request, provider, memory)
    except (Refused, DomainError) as error:
        return refused(request, provider, error)
    return arrived(request, provider, found, memory)


def _denied(request: HttpRequest, provider: Provider) -> HttpResponse:
    if request.GET["error"] in {"access_denied", "user_cancelled_login", "user_cancelled_authorize"}:
        messages.info(request, provider.message("CANCELLED"))
        return HttpResponseRedirect(profile_url() if request.user.is_authenticated else reverse("astakos-login"))
    return refused(request, provider, Refused(f"{request.GET['error']}: {request.GET.get('error_description', '')}"))


def _answer(request: HttpRequest, provider: Provider, memory: dict[str, Any]) -> Identity:
    """Who the provider says that the visitor is. Raises `Refused`, `DomainError`."""
    callback, query = callback_url(provider.module), {name: request.GET[name] for name in request.GET}
    if provider.module == "saml":
        slot = _slot("answer", query.get("state", ""), query.get("answer", ""))
        claims = cache.get(slot)
        cache.delete(slot)
        if claims is None:
            raise Refused("no answer for that request")
        return _of_saml(provider, claims)
    if provider.module == "twitter":
        return identity.read(provider, twitter.finish(provider, query, callback=callback, memory=memory))
    claims = oidc.finish(provider, query, callback=callback, memory=memory)
    memory |= {"id_token": claims["id_token"], "sid": str(claims.get("sid", ""))}
    options = oidc.options_of(provider)
    trusted = options.trust_email and claims.get("email_verified") is True
    return identity.read(provider, claims, is_email_trusted=trusted, group_map=options.group_map,
                         group_names=_texts(claims.get(options.groups_claim)))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _of_saml(provider: Provider, claims: dict[str, Any]) -> Identity:
    return identity.read(provider, claims, is_email_trusted=conf.ASTAKOS_SAML_TRUST_EMAIL, group_map=conf.ASTAKOS_SAML_GROUP_MAP,
                         group_names=_texts(claims.get(conf.ASTAKOS_SAML_GROUPS_ATTRIBUTE)))


def _slot(*parts: str) -> str:
    """A key of the cache for texts from outside."""
    return "astakos-saml-" + hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _saml_answer(request: HttpRequest, provider: Provider) -> HttpResponse:
    """The provider's page posts the answer here. Browsers leave our cookies out of that: it is checked, put aside, and
    collected by the redirect that follows, which carries the session.
    """
    if provider.module != "saml":
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    state = request.POST.get("RelayState", "")[:100]
    request_id = cache.get(_slot("request", state))
    if request_id is None:
        return refused(request, provider, Refused("an answer nobody asked for"))
    try:
        form = {name: request.POST[name] for name in ("SAMLResponse", "RelayState") if name in request.POST}
        claims = saml.finish(form, callback=callback_url("saml"), request_id=request_id)
    except (Refused, DomainError) as error:
        return refused(request, provider, error)
    cache.delete(_slot("request", state))
    answer = secrets.token_urlsafe(24)
    cache.set(_slot("answer", state, answer), claims, 300)
    response = HttpResponseRedirect(f"{request.path}?{urlencode({'state': state, 'answer': answer})}")
    response.status_code = 303
    return response


@never_cache
@require_http_methods(["GET", "HEAD"])
def saml_metadata(_request: HttpRequest) -> HttpResponse:
    """Our description, for the identity provider."""
    _provider("saml")
    try:
        return HttpResponse(saml.metadata(callback_url("saml")), content_type="application/samlmetadata+xml")
    except DependencyUnavailable as error:
        log.warning("sign_in.provider.unusable", problem=str(error.context.get("reason")))
        return HttpResponse(error.public, status=503, content_type="text/plain")


def _from_headers(request: HttpRequest, provider: Provider, memory: dict[str, Any]) -> HttpResponse:
    try:
        claims = headers.claims_of(request, provider)
        if conf.ASTAKOS_SHIBBOLETH_MIGRATE_EPPN:
            login_methods.rekey(provider.module, claims["eppn"], claims["remote_user"])
        found = identity.read(provider, claims)
    except (Refused, DomainError) as error:
        return refused(request, provider, error)
    return arrived(request, provider, found, memory)


# Directories


@never_cache
@csrf_protect
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def directory_add(request: HttpRequest) -> HttpResponse:
    """`login/ldap/add`: the same form, for users who are signed in."""
    if not request.user.is_authenticated:
        return HttpResponseRedirect(f"{reverse('astakos-login')}?{urlencode({'next': request.get_full_path()})}")
    return start(request, "ldap")


def _directory(request: HttpRequest, provider: Provider, memory: dict[str, Any]) -> HttpResponse:
    if request.method != "POST":
        return _form(request, provider, DirectoryForm(), memory)
    form = DirectoryForm(request.POST)
    if not form.is_valid():
        return _form(request, provider, form, memory, status=400)
    if not request.user.is_authenticated and not policies.of(provider.module).login:
        messages.error(request, provider.message("LOGIN_DISABLED"))
        return HttpResponseRedirect(reverse("astakos-login"))
    try:
        found = _verified(request, provider, form.cleaned_data["username"], form.cleaned_data["password"])
    except RateLimited as error:
        form.add_error(None, error.public)
        response = _form(request, provider, form, memory, status=429)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    except directory.WrongPassword:
        form.add_error(None, provider.message("WRONG_PASSWORD"))
        return _form(request, provider, form, memory, status=401)
    except (Refused, DomainError) as error:
        return refused(request, provider, error)
    return arrived(request, provider, found, memory)


def _verified(request: HttpRequest, provider: Provider, username: str, password: str) -> Identity:
    """Who the directory says that he is; wrong passwords count like those of our own form."""
    throttle.check(username, client_ip(request))
    try:
        claims, groups = directory.verify(username, password)
    except directory.WrongPassword:
        throttle.failed(username, client_ip(request))
        raise
    throttle.succeeded(username)
    return identity.read(provider, claims, group_names=groups, group_map=conf.ASTAKOS_LDAP_GROUP_MAP)


def _form(request: HttpRequest, provider: Provider, form: DirectoryForm, memory: dict[str, Any], status: int = 200) -> HttpResponse:
    context = {"form": form, "provider": provider, "memory": memory, "service_name": conf.BRANDING_SERVICE_NAME}
    return render(request, "astakos/login_directory.html", context, status=status)
