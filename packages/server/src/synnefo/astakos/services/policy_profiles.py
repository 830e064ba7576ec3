"""Policy profiles: made, changed, assigned and removed by operators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError

from synnefo.astakos.models import AuthPolicyProfile, Group, User
from synnefo.astakos.services import audit, policies
from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, InvalidInput, NotFound

MAX_LIMIT = 1000
MAX_PRIORITY = 1_000_000


def get_profile(name: str) -> AuthPolicyProfile:
    """Raises `NotFound`."""
    found = AuthPolicyProfile.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"Policy profile {name} does not exist. Try: snf-manage authpolicy-list")
    return found


def add_profile(name: str, provider: str, values: Mapping[str, Any], *, exclusive: bool, priority: int = 1) -> AuthPolicyProfile:
    """Raises `InvalidInput`, `AlreadyExists`."""
    if not 0 < len(name) <= 255 or not name.isprintable():
        raise InvalidInput("The name of a profile has 1 to 255 printable characters.", field="name")
    if not 0 < len(provider) <= 64 or not provider.isprintable():
        raise InvalidInput("The name of a provider has 1 to 64 printable characters.", field="provider")
    _require_priority(priority)
    try:
        return _insert(AuthPolicyProfile(name=name, provider=provider, is_exclusive=exclusive, priority=priority, **_columns(values)))
    except IntegrityError as error:
        raise AlreadyExists(f"There is already a policy profile {name}. Change it with --update.") from error


@transactional()
def _insert(profile: AuthPolicyProfile) -> AuthPolicyProfile:
    profile.pk = None
    profile.save(force_insert=True)
    audit.record("policy.add", actor=audit.OPERATOR, target=profile.name, provider=profile.provider, policies=_shown(profile))
    return profile


@transactional()
def update_profile(name: str, provider: str, values: Mapping[str, Any], *, exclusive: bool | None = None, priority: int | None = None) -> None:
    """Change what is given; a value of None unsets that policy. Raises `NotFound`, `InvalidInput`."""
    profile = _locked(name)
    before = _shown(profile)
    profile.provider = provider
    for column, value in _columns(values).items():
        setattr(profile, column, value)
    profile.is_exclusive = profile.is_exclusive if exclusive is None else exclusive
    profile.priority = profile.priority if priority is None else priority
    _require_priority(profile.priority)
    profile.save()
    audit.record("policy.change", actor=audit.OPERATOR, target=name, provider=provider, before=before, policies=_shown(profile))


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if name not in policies.OVERRIDABLE:
            raise InvalidInput(f"A profile has no policy {name}.", field=name)
        if name == "limit" and value is not None and not 0 <= value <= MAX_LIMIT:
            raise InvalidInput(f"The limit is between 0 and {MAX_LIMIT}.", field="limit")
    return {f"policy_{name}": value for name, value in values.items()}


def _require_priority(priority: int) -> None:
    if not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise InvalidInput(f"The priority is between -{MAX_PRIORITY} and {MAX_PRIORITY}.", field="priority")


def _locked(name: str) -> AuthPolicyProfile:
    found = AuthPolicyProfile.objects.select_for_update().filter(name=name).first()
    return found if found is not None else get_profile(name)


def _shown(profile: AuthPolicyProfile) -> dict[str, Any]:
    return {name: getattr(profile, f"policy_{name}") for name in policies.OVERRIDABLE} | {"exclusive": profile.is_exclusive}


@transactional()
def assign(name: str, *, users: Iterable[User], groups: Iterable[Group]) -> None:
    """Put these in place of all users and groups that have the profile. Only the links change. Raises `NotFound`."""
    profile = _locked(name)
    profile.users.set(users)
    profile.groups.set(groups)
    audit.record("policy.assign", actor=audit.OPERATOR, target=name,
                 users=sorted(profile.users.values_list("uuid", flat=True)),
                 groups=sorted(profile.groups.values_list("name", flat=True)))


@transactional()
def remove_profile(name: str) -> None:
    """Users and groups stay. Raises `NotFound`."""
    profile = _locked(name)
    audit.record("policy.remove", actor=audit.OPERATOR, target=name, provider=profile.provider, policies=_shown(profile))
    profile.delete()
