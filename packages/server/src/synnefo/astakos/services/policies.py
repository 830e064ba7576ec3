"""What may be done with each sign-in provider: one resolution of defaults, settings and policy profiles.

Low to high: the built-in default, the provider's own default, `ASTAKOS_AUTH_PROVIDERS_<POLICY>_POLICY`,
`ASTAKOS_AUTH_PROVIDER_<MODULE>_<POLICY>_POLICY`, the profiles assigned to the user, those assigned to his groups; within
each of the last two by ascending priority. All of it is read at the time of the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from synnefo.astakos.models import LOCAL, AuthPolicyProfile, User
from synnefo.common.settings import conf

OVERRIDABLE = ("add", "remove", "create", "login", "limit", "required", "automoderate")
"""The policies that a profile may set."""
_SETTINGS_ONLY = frozenset({"required"})
"""Whether an account must have a method is asked of the site, not of single users: profiles do not change it."""


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one provider, the built-in defaults first."""

    create: bool = True
    """May people sign up with it."""
    login: bool = True
    add: bool = True
    remove: bool = True
    limit: int = 1
    """How many identities of it an account may have."""
    required: bool = False
    automoderate: bool = False
    """Who signed up with it needs no operator's approval."""
    autoverify: bool = False
    """The e-mail that it tells counts as verified."""
    switch: bool = True
    mirror_groups: bool = False
    factor_exempt: bool = False
    """Who signs in with it is not asked for a second factor here: the provider has done that."""
    add_groups: tuple[str, ...] = ()
    """Groups joined by linking it, left by unlinking it."""
    creation_groups: tuple[str, ...] = ()
    """Groups joined by signing up with it."""


_MODULE_DEFAULTS: dict[str, dict[str, Any]] = {
    LOCAL: {"switch": False}, "shibboleth": {"switch": False}, "ldap": {"switch": False},
}
_SETTING = {"factor_exempt": "2FA_EXEMPT"}
_NAMES = tuple(field.name for field in fields(Policies))


def setting_part(module: str) -> str:
    """A module as the names of settings contain it: `oidc:my-idp` is OIDC_MY_IDP."""
    return re.sub(r"[^A-Z0-9]", "_", module.upper())


def of(module: str, user: User | None = None) -> Policies:
    """The policies for this user, or for strangers. Two queries for a stored user."""
    return _resolve(module, _profiles_of(user))


def of_all(modules: Iterable[str], user: User | None = None) -> dict[str, Policies]:
    """As `of` for several modules, for the same two queries."""
    profiles = _profiles_of(user)
    return {module: _resolve(module, profiles) for module in modules}


def _resolve(module: str, profiles: list[AuthPolicyProfile]) -> Policies:
    values = {**_MODULE_DEFAULTS.get(module, {}), **_from_settings(module)}
    for profile in profiles:
        if profile.applies_to(module):
            values |= overrides_of(profile)
    return replace(Policies(), **values)


def _from_settings(module: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for prefix in ("ASTAKOS_AUTH_PROVIDERS", f"ASTAKOS_AUTH_PROVIDER_{setting_part(module)}"):
        for name in _NAMES:
            value = conf.find(f"{prefix}_{_SETTING.get(name, name.upper())}_POLICY")
            if value is not None:
                values[name] = tuple(value) if isinstance(value, list) else value
    return values


def overrides_of(profile: AuthPolicyProfile) -> dict[str, Any]:
    """What a profile sets and what of it counts."""
    values = {name: getattr(profile, f"policy_{name}") for name in OVERRIDABLE if name not in _SETTINGS_ONLY}
    return {name: value for name, value in values.items() if value is not None}


def _profiles_of(user: User | None) -> list[AuthPolicyProfile]:
    """Active profiles, the user's own first, then those of his groups, each by ascending priority."""
    if user is None or user.pk is None:
        return []
    active = AuthPolicyProfile.objects.filter(active=True).order_by("priority", "pk")
    return [*active.filter(users=user), *active.filter(groups__user=user).distinct()]


def required_modules() -> list[str]:
    """The modules that every account must have."""
    return [module for module in conf.ASTAKOS_IM_MODULES if of(module).required]
