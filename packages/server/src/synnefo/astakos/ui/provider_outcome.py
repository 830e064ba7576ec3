"""What follows when a provider has told who somebody is: sign-in, a new account, or another way into an account."""

from __future__ import annotations

from typing import Any

import structlog
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from synnefo.astakos.models import User
from synnefo.astakos.services import (
    audit,
    identities,
    login_methods,
    pending_identities,
    policies,
    providers,
    signup,
    third_party_signup,
)
from synnefo.astakos.services.identity import Identity
from synnefo.astakos.services.providers import Provider
from synnefo.astakos.ui import sign_in
from synnefo.astakos.ui.handshakes import browser_secret
from synnefo.astakos.ui.redirects import sent_url
from synnefo.common.errors import AlreadyExists, DependencyUnavailable, DomainError, Forbidden, NotFound, StateConflict
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
PENDING_KEY = "pending_identity"
"""In the session: the token of an identity that is linked at the next sign-in."""


def arrived(request: HttpRequest, provider: Provider, identity: Identity, memory: dict[str, Any]) -> HttpResponse:
    """The one way on from every kind of handshake."""
    try:
        if request.user.is_authenticated and not memory.get("force"):
            return _add(request, request.user, provider, identity, memory)
        return _enter(request, provider, identity, memory)
    except DomainError as error:
        return refused(request, provider, error)


def refused(request: HttpRequest, provider: Provider, error: Exception) -> HttpResponse:
    """Tell why, and go back to where the visitor can do something else. Nothing has changed."""
    if isinstance(error, DependencyUnavailable):
        text, reason = provider.message("UNAVAILABLE"), str(error.context.get("reason", error.public))
    elif isinstance(error, DomainError):
        text, reason = error.public, str(error.public)
    else:
        text, reason = provider.message("FAILED"), str(error)
    log.info("login.refused", method=provider.module, reason=reason[:300])
    messages.error(request, text)
    return HttpResponseRedirect(profile_url() if request.user.is_authenticated else reverse("astakos-login"))


def profile_url() -> str:
    return reverse("astakos-profile")


def _enter(request: HttpRequest, provider: Provider, identity: Identity, memory: dict[str, Any]) -> HttpResponse:
    owner = identities.owner_of(identity.module, identity.identifier)
    if owner is None:
        return _unknown(request, provider, identity, memory)
    try:
        user = login_methods.refresh(owner.user_id, identity)
    except Forbidden:
        audit.record("login.refused", target=owner.uuid, method=identity.module)
        raise
    if memory.get("key"):
        request.session[PENDING_KEY] = memory["key"]
    return open_session(request, user, identity, memory)


def open_session(request: HttpRequest, user: User, identity: Identity, memory: dict[str, Any]) -> HttpResponse:
    """Sign him in, as after any other method."""
    return sign_in.complete(
        request, user, identity.module, memory.get("next", ""), identifier=identity.identifier, renew=bool(memory.get("renew")),
        id_token=memory.get("id_token", ""), sid=memory.get("sid", ""))


def _unknown(request: HttpRequest, provider: Provider, identity: Identity, memory: dict[str, Any]) -> HttpResponse:
    """Nobody has this identity yet."""
    if memory.get("key") or request.user.is_authenticated:
        raise NotFound(provider.message("NO_ACCOUNT"))
    if not policies.of(identity.module).create:
        raise Forbidden(provider.message("CREATE_DISABLED"))
    browser = browser_secret(request)
    token = pending_identities.keep(identity, browser)
    if identity.needs_no_form:
        pending = pending_identities.find(token, browser)
        user = third_party_signup.sign_up(pending, identity.email, identity.first_name, identity.last_name, target=memory.get("next", ""))
        return signed_up(request, user, identity, memory)
    query = {"third_party_token": token} | ({"next": memory["next"]} if memory.get("next") else {})
    return HttpResponseRedirect(f"{reverse('astakos-signup')}?{urlencode(query)}")


def signed_up(request: HttpRequest, user: User, identity: Identity, memory: dict[str, Any]) -> HttpResponse:
    """Straight in when the account is open, else a word about what it waits for."""
    if user.is_active:
        messages.success(request, f"Welcome to {conf.BRANDING_SERVICE_NAME}.")
        return open_session(request, user, identity, memory)
    if not user.email_verified:
        return HttpResponseRedirect(sent_url(user.email, memory.get("next", "")))
    messages.info(request, signup.waiting_for(user))
    return HttpResponseRedirect(reverse("astakos-login"))


def _add(request: HttpRequest, user: User, provider: Provider, identity: Identity, memory: dict[str, Any]) -> HttpResponse:
    """Another way into the account of the visitor."""
    switch_from = memory.get("switch_from")
    try:
        login_methods.link(user.user_id, identity, switch_from=switch_from)
    except AlreadyExists as error:
        messages.error(request, error.public)
    except StateConflict as error:
        messages.info(request, error.public)
    else:
        messages.success(request, provider.message("SWITCHED" if switch_from else "ADDED"))
    return HttpResponseRedirect(profile_url())


def expect_link(request: HttpRequest) -> None:
    """`login?key=T`: whoever signs in next in this browser session gets the identity of that token."""
    if request.GET.get("key") and not request.user.is_authenticated:
        request.session[PENDING_KEY] = request.GET["key"][:100]


def link_pending(request: HttpRequest, user: User) -> None:
    """After a sign-in: add the identity that this browser brought along and asked to add, if any."""
    token = request.session.pop(PENDING_KEY, None)
    if token is None:
        return
    try:
        module = pending_identities.link(user.user_id, token, browser_secret(request))
    except DomainError as error:
        messages.error(request, error.public)
    else:
        messages.success(request, providers.describe(module).message("ADDED"))
