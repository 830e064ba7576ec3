"""The sign-in providers that this site offers: what they are called, how a sign-in with them starts, what is wrong with them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from synnefo.astakos.models import LOCAL
from synnefo.astakos.services import policies
from synnefo.common.errors import NotFound
from synnefo.common.settings import conf


class Start(StrEnum):
    """How a sign-in begins."""

    PASSWORD = "local"  # noqa: S105 - the service's own password form
    FORM = "form"
    """A form whose fields we hand to a directory."""
    HEADERS = "headers"
    """The web server in front has already done it and says so in headers."""
    REDIRECT = "redirect"
    """The browser goes to the provider and comes back."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One enabled provider. `affiliation` is what its users get when it tells none."""

    module: str
    start: Start
    default_title: str
    default_icon: str
    affiliation: str

    @property
    def alias(self) -> str:
        return self.module.partition(":")[2]

    @property
    def title(self) -> str:
        return str(self.setting("TITLE") or self.default_title)

    @property
    def icon(self) -> str:
        """A path of the site; the browser loads no pictures from elsewhere."""
        return str(self.setting("ICON") or self.default_icon)

    @property
    def login_title(self) -> str:
        return self.message("LOGIN_TITLE")

    @property
    def signup_title(self) -> str:
        return self.message("SIGNUP_TITLE")

    @property
    def method_prompt(self) -> str:
        return self.message("METHOD_PROMPT")

    def setting(self, name: str) -> Any:
        return conf.find(f"ASTAKOS_AUTH_PROVIDER_{policies.setting_part(self.module)}_{name}")

    def message(self, name: str, **values: Any) -> str:
        """A text about this provider, by the operator or ours. Braces in the values are just text."""
        template = str(self.setting(name) or MESSAGES[name])
        known = _Known(title=self.title, service_name=conf.BRANDING_SERVICE_NAME, **values)
        try:
            return template.format_map(known)
        except (ValueError, IndexError, AttributeError, KeyError, TypeError):  # an operator's stray brace
            return template


class _Known(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "" if key.startswith("provider_info_") else f"{{{key}}}"


MESSAGES = {
    "LOGIN_TITLE": "Sign in with {title}",
    "SIGNUP_TITLE": "Sign up with {title}",
    "ADD_TITLE": "Add {title}",
    "METHOD_PROMPT": "{title}",
    "METHOD_DETAILS": "{account}",
    "ADDED": "You can now sign in with {title}.",
    "REMOVED": "{title} was removed from your sign-in methods.",
    "SWITCHED": "Your {title} sign-in was changed.",
    "FAILED": "{title} did not sign you in. Try again.",
    "CANCELLED": "The sign-in with {title} was cancelled.",
    "UNAVAILABLE": "{title} does not answer at the moment. Try again later.",
    "LOGIN_DISABLED": "Signing in with {title} is switched off. Use another way.",
    "CREATE_DISABLED": "{service_name} does not accept new users who come by {title}.",
    "ADD_DISABLED": "{title} cannot be added to this account.",
    "REMOVE_DISABLED": "{title} cannot be removed from this account.",
    "SWITCH_DISABLED": "The {title} identity of this account cannot be changed.",
    "LIMIT_REACHED": "The account has as many {title} sign-ins as it may have.",
    "LAST_METHOD": "This is the only way to sign in to the account.",
    "REQUIRED_METHOD": "Accounts here must have {title}.",
    "IN_USE": "This {title} identity is already used by another account.",
    "NO_ACCOUNT": "There is no account for this {title} identity. Sign in to your account first to add it.",
    "MISSING_ATTRIBUTE": "{title} did not tell your {attribute}, which is needed here. Write to {support}.",
    "WRONG_PASSWORD": "The username or the password is wrong.",
    "ALREADY_LINKED": "You already sign in with this {title} identity.",
    "REQUIRED_MISSING": "Your account must have {title} as a sign-in method. Add it in your profile.",
}

_KNOWN = {
    LOCAL: Provider(LOCAL, Start.PASSWORD, "Password", "web/providers/password.svg", ""),
    "ldap": Provider("ldap", Start.FORM, "LDAP", "web/providers/directory.svg", "LDAP"),
    "shibboleth": Provider("shibboleth", Start.HEADERS, "Academic account", "web/providers/institution.svg", "Shibboleth"),
    "google": Provider("google", Start.REDIRECT, "Google", "web/providers/account.svg", "Google.com"),
    "twitter": Provider("twitter", Start.REDIRECT, "Twitter", "web/providers/account.svg", "Twitter.com"),
    "linkedin": Provider("linkedin", Start.REDIRECT, "LinkedIn", "web/providers/account.svg", "LinkedIn.com"),
    "saml": Provider("saml", Start.REDIRECT, "Organisation account", "web/providers/institution.svg", "SAML"),
}


def find(module: str) -> Provider | None:
    """A provider that the settings describe, enabled or not."""
    if module in _KNOWN:
        return _KNOWN[module]
    alias = module.removeprefix("oidc:")
    options = conf.ASTAKOS_OIDC_PROVIDERS.get(alias) if alias != module else None
    if options is None:
        return None
    title = options.title or alias
    return Provider(module, Start.REDIRECT, title, options.icon or "web/providers/account.svg", title)


def enabled() -> list[Provider]:
    """In the order of `ASTAKOS_IM_MODULES`; what cannot work is left out and told at start-up."""
    found = (find(module) for module in dict.fromkeys(conf.ASTAKOS_IM_MODULES) if problem_of(module) is None)
    return [provider for provider in found if provider is not None]


def get(module: str) -> Provider:
    """An enabled provider. Raises `NotFound`: what is not enabled does not exist."""
    found = next((provider for provider in enabled() if provider.module == module), None)
    if found is None:
        raise NotFound("There is no such sign-in method.")
    return found


def describe(module: str) -> Provider:
    """A provider to be shown, even when it is not enabled any more."""
    return find(module) or Provider(module, Start.REDIRECT, module, "web/providers/account.svg", "")


def problem_of(module: str) -> str | None:
    """Why an enabled module cannot work, or None."""
    if find(module) is None:
        return f"ASTAKOS_IM_MODULES: unknown sign-in provider {module!r}"
    if module == "ldap" and importlib.util.find_spec("ldap") is None:
        return "ASTAKOS_IM_MODULES: ldap needs the library python-ldap: install requirements/ldap.lock"
    needed = {
        "ldap": ("AUTH_LDAP_SERVER_URI",), "google": ("ASTAKOS_GOOGLE_CLIENT_ID", "ASTAKOS_GOOGLE_CLIENT_SECRET"),
        "twitter": ("ASTAKOS_TWITTER_TOKEN",), "linkedin": ("ASTAKOS_LINKEDIN_TOKEN", "ASTAKOS_LINKEDIN_SECRET"),
        "saml": ("ASTAKOS_SAML_IDP_METADATA",),
    }.get(module, ())
    missing = [name for name in needed if not getattr(conf, name)]
    return f"ASTAKOS_IM_MODULES: {module} needs {', '.join(missing)}" if missing else None


def problems() -> list[str]:
    """What start-up reports."""
    return [text for module in conf.ASTAKOS_IM_MODULES if (text := problem_of(module)) is not None]
