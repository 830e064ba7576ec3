"""The sign-in providers, for pages that offer them."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.utils.http import urlencode

from synnefo.astakos.services import login_methods, policies, providers
from synnefo.astakos.ui.forms import DirectoryForm
from synnefo.astakos.ui.provider_sign_out import LEFT
from synnefo.astakos.ui.sign_in import LAST_METHOD_COOKIE
from synnefo.common.settings import conf

register = template.Library()


@register.simple_tag(takes_context=True)
def sign_in_methods(context: dict[str, Any]) -> list[providers.Provider]:
    """Providers that let people in, the primary one first, before it the one that this browser used last."""
    found = providers.enabled()
    allowed = policies.of_all([provider.module for provider in found])
    request: HttpRequest | None = context.get("request")
    last = request.COOKIES.get(LAST_METHOD_COOKIE, "") if request is not None else ""
    usable = [provider for provider in found if allowed[provider.module].login]
    return sorted(usable, key=lambda provider: provider.module != last)


@register.simple_tag(takes_context=True)
def signup_offered(context: dict[str, Any]) -> bool:
    """Whether the sign-in page links to the sign-up page: not for those who confirm who they are."""
    request: HttpRequest | None = context.get("request")
    if not conf.ASTAKOS_SHOW_SIGNUP or (request is not None and request.user.is_authenticated):
        return False
    return any(found.create for found in policies.of_all([provider.module for provider in providers.enabled()]).values())


@register.filter
def offers(methods: list[providers.Provider], module: str) -> bool:
    return any(provider.module == module for provider in methods)


@register.simple_tag(takes_context=True)
def start_query(context: dict[str, Any]) -> str:
    """What the buttons of providers carry along: where to go afterwards and what was asked for."""
    request: HttpRequest | None = context.get("request")
    given = request.GET if request is not None else {}
    values: dict[str, str] = {name: given[name] for name in ("next", "key", "renew", "force") if name in given}
    if context.get("next") and "next" in given:
        values["next"] = context["next"]
    return f"?{urlencode(values)}" if values else ""


@register.simple_tag(takes_context=True)
def provider_left(context: dict[str, Any]) -> dict[str, Any] | None:
    """After signing out here: the provider where the visitor may still be signed in, and whether we know the way out."""
    request: HttpRequest | None = context.get("request")
    left = request.session.get(LEFT) if request is not None else None
    return left and {"provider": providers.describe(left["module"]), "has_way_out": bool(left["id_token"])}


@register.simple_tag
def directory_form() -> DirectoryForm:
    """The empty form of a directory, its ids apart from those of the password form."""
    return DirectoryForm(auto_id="id_directory_%s")


@register.inclusion_tag("astakos/profile/login_methods.html", takes_context=True)
def login_methods_of_user(context: dict[str, Any]) -> dict[str, Any]:
    """The part of the profile page about the ways into the account."""
    request = context["request"]
    return {"request": request, "csrf_token": context.get("csrf_token"), **login_methods.overview(request.user)}


@register.simple_tag
def fields_forced_on(user: Any) -> list[str]:
    """Names of the account's fields that a provider decides about."""
    return sorted(login_methods.fields_forced_on(user))
