"""The ways into an account: who owns an identity, linking, switching, removing, and what a sign-in brings up to date.

All verbs lock the account first, then the identity's name, so that one identity has one verified owner and an account
never loses its last way in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog
from django.contrib.auth.hashers import make_password

from synnefo.astakos.models import LOCAL, Group, LoginMethod, User
from synnefo.astakos.services import audit, identities, policies, providers, security_mails, users
from synnefo.astakos.services.identity import Identity, forced_fields
from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, Forbidden, NotFound, StateConflict
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)


# Signing in


@transactional()
def refresh(user_id: UserID, identity: Identity) -> User:
    """The account after a sign-in with the identity: forced fields, kept attributes and mirrored groups are up to date.

    Raises `Forbidden` for closed accounts and switched-off methods, `NotFound` when the identity was removed meanwhile.
    """
    user = users.lock_user(user_id)
    method = user.login_methods.filter(module=identity.module, identifier=identity.identifier, active=True).first()
    provider = providers.describe(identity.module)
    if method is None:
        raise NotFound(provider.message("NO_ACCOUNT"))
    found = policies.of(identity.module, user)
    if not found.login:
        raise Forbidden(provider.message("LOGIN_DISABLED"))
    if not user.is_active:
        raise Forbidden(f"This account cannot sign in: {user.status}.")
    _impose(user, identity)
    method.info, method.affiliation = dict(identity.info or {}), identity.affiliation
    method.save(update_fields=["info", "affiliation"])
    if found.mirror_groups:
        _mirror(user, identity)
    return user


def _impose(user: User, identity: Identity) -> None:
    """Fields that the provider decides about. Raises `Forbidden` when its e-mail is another account's."""
    changed = {name: getattr(identity, name) for name in identity.forced if getattr(identity, name) != getattr(user, name)}
    if "email" in changed:
        try:
            users.change_email(user, changed["email"])
        except AlreadyExists:
            raise Forbidden(f"The e-mail {changed['email']} belongs to another account. Write to {conf.CONTACT_EMAIL}.") from None
    for name, value in changed.items():
        setattr(user, name, value)
    if changed:
        user.save(update_fields=[*changed, "updated_at"])


def _mirror(user: User, identity: Identity) -> None:
    """Give and take the groups that the provider decides about, and no others."""
    join(user, identity.groups)
    user.groups.remove(*Group.objects.filter(name__in=set(identity.managed_groups) - set(identity.groups)))


def join(user: User, names: Iterable[str]) -> None:
    for name in names:
        user.groups.add(Group.objects.get_or_create(name=users.parse_group(name))[0])


def fields_forced_on(user: User) -> set[str]:
    """Fields of the account that a provider decides about; pages show them read-only."""
    modules = user.login_methods.filter(active=True).values_list("module", flat=True)
    known = [provider for module in modules if (provider := providers.find(module)) is not None]
    return {name for provider in known for name in forced_fields(provider)}


# Linking


@transactional()
def link(user_id: UserID, identity: Identity, *, switch_from: int | None = None) -> None:
    """Add the identity to the account, or put it in place of another of the same provider.

    Raises `StateConflict` (the account has it), `AlreadyExists` (another has it), `Forbidden` (policies), `NotFound` (no
    method to switch from).
    """
    user = users.lock_user(user_id)
    link_locked(user, identity, switch_from=switch_from)


def link_locked(user: User, identity: Identity, *, switch_from: int | None = None) -> LoginMethod:
    """As `link`, within the caller's transaction and with the user locked."""
    provider = providers.describe(identity.module)
    identities.lock_identity(identity.module, identity.identifier)
    owner = identities.owner_of(identity.module, identity.identifier)
    if owner is not None:
        problem: type[StateConflict] = StateConflict if owner.pk == user.pk else AlreadyExists
        raise problem(provider.message("ALREADY_LINKED" if owner.pk == user.pk else "IN_USE"))
    found = policies.of(identity.module, user)
    if switch_from is not None:
        _take_out(user, identity.module, switch_from, found)
    refusal = why_not_add(user, identity.module, found)
    if refusal and switch_from is None:
        raise Forbidden(refusal)
    identities.drop_unverified(identity.module, identity.identifier, keep=user)
    method, _ = LoginMethod.objects.update_or_create(
        user=user, module=identity.module, identifier=identity.identifier,
        defaults={"active": True, "affiliation": identity.affiliation, "info": dict(identity.info or {})})
    join(user, found.add_groups)
    audit.record("login_method.switch" if switch_from else "login_method.add", actor=user.uuid, target=user.uuid,
                 module=identity.module, identifier=identity.identifier)
    security_mails.tell(user, f"{provider.title} was {'changed' if switch_from else 'added'} as a way to sign in to your account.")
    return method


def _take_out(user: User, module: str, pk: int, found: policies.Policies) -> None:
    old = user.login_methods.filter(pk=pk, module=module).first()
    if old is None:
        raise NotFound("There is no such sign-in method.")
    if not found.switch:
        raise Forbidden(providers.describe(module).message("SWITCH_DISABLED"))
    old.delete()


def why_not_add(user: User, module: str, found: policies.Policies | None = None) -> str:
    """The reason why the account may not get (another) identity of the provider, or nothing."""
    found = found or policies.of(module, user)
    provider = providers.describe(module)
    if not found.add:
        return provider.message("ADD_DISABLED")
    if user.login_methods.filter(module=module, active=True).count() >= found.limit:
        return provider.message("LIMIT_REACHED")
    return ""


# Removing


def why_not_remove(method: LoginMethod, active: Iterable[LoginMethod], found: policies.Policies) -> str:
    """The reason why a method must stay, or nothing. `active` are all active methods of the account."""
    provider = providers.describe(method.module)
    others = [other for other in active if other.pk != method.pk]
    if method.active and not others:
        return provider.message("LAST_METHOD")
    if found.required and all(other.module != method.module for other in others):
        return provider.message("REQUIRED_METHOD")
    return "" if found.remove else provider.message("REMOVE_DISABLED")


@transactional()
def unlink(user_id: UserID, pk: int) -> str:
    """Remove one of the user's own methods; returns its module. Raises `NotFound`, `Forbidden` with the reason."""
    user = users.lock_user(user_id)
    method = user.login_methods.filter(pk=pk).first()
    if method is None:
        raise NotFound("There is no such sign-in method.")
    refusal = why_not_remove(method, user.login_methods.filter(active=True), policies.of(method.module, user))
    if refusal:
        raise Forbidden(refusal)
    _drop(user, method, actor=user.uuid)
    return method.module


def release(user: User, module: str, *, actor: str = audit.OPERATOR) -> int:
    """An operator frees the identities of a provider that a user cannot use any more; returns how many. Policies do not
    count, but an account keeps one way in. Needs the caller's transaction and lock. Raises `NotFound`, `StateConflict`.
    """
    methods = list(user.login_methods.filter(module=module))
    if not methods:
        raise NotFound(f"The account has no sign-in method {module}.")
    if not user.login_methods.filter(active=True).exclude(module=module).exists():
        raise StateConflict(f"{module} is the account's only way to sign in: enable local sign-in first.")
    for method in methods:
        _drop(user, method, actor=actor)
    return len(methods)


def _drop(user: User, method: LoginMethod, *, actor: str) -> None:
    """Its groups go with it unless another method brings them too; without the local method no password works."""
    method.delete()
    left = set(user.login_methods.filter(active=True).values_list("module", flat=True))
    kept = {name for found in policies.of_all(left, user).values() for name in found.add_groups}
    lost = set(policies.of(method.module, user).add_groups) - kept if method.module not in left else set()
    user.groups.remove(*Group.objects.filter(name__in=lost))
    if method.module == LOCAL:
        user.password = make_password(None)
        user.save(update_fields=["password", "updated_at"])
    audit.record("login_method.remove", actor=actor, target=user.uuid, module=method.module, identifier=method.identifier)
    security_mails.tell(user, f"{providers.describe(method.module).title} was removed from the ways to sign in to your account.")


def enable_local(user: User, hashed: str) -> bool:
    """Give (back) the local method, with this password's hash unless a usable one is there; returns whether it was set. Needs
    the caller's transaction and lock.
    """
    needs_password = not user.has_usable_password()
    if needs_password:
        users.store_password(user, hashed)
    LoginMethod.objects.update_or_create(user=user, module=LOCAL, identifier="", defaults={"active": True})
    return needs_password


# What the profile shows


def overview(user: User) -> dict[str, list[dict[str, Any]]]:
    """The account's methods: enabled ones (with why they cannot be removed), those that policies switch off, and providers
    that can be added.
    """
    methods = list(user.login_methods.all())
    active = [method for method in methods if method.active]
    offered = providers.enabled()
    known = {provider.module for provider in offered}
    found = policies.of_all({*known, *(method.module for method in methods)}, user)
    shown: dict[str, list[dict[str, Any]]] = {"enabled": [], "disabled": [], "available": [], "missing": []}
    for method in methods:
        provider = providers.describe(method.module)
        item = {"method": method, "provider": provider, "details": _details(provider, method, user),
                "why_not_remove": why_not_remove(method, active, found[method.module]),
                "may_switch": found[method.module].switch and method.module in known and provider.start != providers.Start.PASSWORD}
        if method.active and method.module in known and found[method.module].login:
            shown["enabled"].append(item)
        else:
            shown["disabled"].append({**item, "reason": provider.message("LOGIN_DISABLED")})
    for provider in offered:
        refusal = why_not_add(user, provider.module, found[provider.module])
        if not refusal and provider.start is not providers.Start.PASSWORD:  # a password is set by its own form
            shown["available"].append({"provider": provider, "title": provider.message("ADD_TITLE")})
        if found[provider.module].required and all(method.module != provider.module for method in active):
            shown["missing"].append({"provider": provider, "reason": provider.message("REQUIRED_MISSING")})
    return shown


_RECOGNISABLE = ("email", "mail", "Shib-Mail", "preferred_username", "screen_name", "uid", "sAMAccountName")
"""Kept attributes by which people know their accounts better than by identifiers, best first."""


def _details(provider: providers.Provider, method: LoginMethod, user: User) -> str:
    info = {f"provider_info_{name}": value for name, value in method.info.items()}
    told = next((str(value) for name in _RECOGNISABLE if isinstance(value := method.info.get(name), str) and value), "")
    identifier = method.identifier or user.email
    return provider.message("METHOD_DETAILS", identifier=identifier, account=told or identifier, username=user.email, **info)


def missing_required(user: User) -> list[str]:
    """A message for each provider that the account must have and has not."""
    needed = policies.required_modules()
    if not needed:
        return []
    present = set(user.login_methods.filter(active=True).values_list("module", flat=True))
    return [providers.describe(module).message("REQUIRED_MISSING") for module in needed if module not in present]


@transactional()
def rekey(module: str, old: str, new: str) -> int:
    """An identity is called differently from now on; returns how many rows of verified users changed. No-op when equal, or
    when somebody verified has the new name.
    """
    if not old or old == new:
        return 0
    for name in sorted((old, new)):
        identities.lock_identity(module, name)
    if LoginMethod.objects.filter(module=module, identifier=new).exists():
        return 0
    changed = LoginMethod.objects.filter(module=module, identifier=old).update(identifier=new)
    if changed:
        log.info("login_method.rekeyed", module=module)
    return changed
