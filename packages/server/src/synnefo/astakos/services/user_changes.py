"""Several changes of one user in one transaction, as `user-modify` asks for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.hashers import make_password

from synnefo.astakos.models import Group, User
from synnefo.astakos.services import (
    account_mails,
    audit,
    login_methods,
    passwords,
    permissions,
    projects,
    second_factors,
    terms,
    users,
)
from synnefo.common.db import transactional
from synnefo.common.errors import InvalidInput, NotFound, StateConflict
from synnefo.common.ids import UserID

LOCAL_ENABLED = "Local sign-in enabled"


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change; None or empty means: leave it."""

    set_admin: bool | None = None
    reject_reason: str | None = None
    verify: bool = False
    accept: bool = False
    active: bool | None = None
    inactive_reason: str = ""
    password: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    add_groups: tuple[str, ...] = ()
    delete_groups: tuple[str, ...] = ()
    add_permissions: tuple[str, ...] = ()
    delete_permissions: tuple[str, ...] = ()
    level: int | None = None
    invitations: int | None = None
    sign_terms: bool = False
    reset_second_factor: bool = False
    default_project: str | None = None
    """Uuid."""
    release: tuple[str, ...] = ()
    """Providers whose identities the user loses."""
    local_password: str = ""
    """Enable the local sign-in, with this password if there is none."""

    @property
    def is_empty(self) -> bool:
        return self == Changes()


def modify_user(user_id: UserID, changes: Changes, *, actor: str = audit.OPERATOR) -> list[str]:
    """Apply all or nothing; returns a line for each change. `actor` is who wants it. Raises the errors of `services.users`."""
    if changes.is_empty:
        raise InvalidInput("Nothing to change: give at least one option.")
    hashed = ""
    if changes.password is not None:
        passwords.require_acceptable(changes.password, _current(user_id))
        hashed = make_password(changes.password)
    local = make_password(changes.local_password) if changes.local_password else ""
    return _apply(user_id, changes, hashed, local, actor)


@transactional()
def save_profile(user_id: UserID, first_name: str, last_name: str, *, forced: Collection[str]) -> None:
    """The user's own names, but for those of `forced`, which a provider decides about. Raises `InvalidInput`, `NotFound`."""
    user = users.lock_user(user_id)
    before = (user.first_name, user.last_name)
    if "first_name" not in forced:
        user.first_name = users.parse_name(first_name, "first name")
    if "last_name" not in forced:
        user.last_name = users.parse_name(last_name, "last name")
    user.profile_confirmed = True
    user.save(update_fields=["first_name", "last_name", "profile_confirmed", "updated_at"])
    if before != (user.first_name, user.last_name):
        audit.record("user.renamed", actor=user.uuid, target=user.uuid, before=list(before), after=[user.first_name, user.last_name])


def _current(user_id: UserID) -> User:
    user = User.objects.filter(uuid=user_id).first()
    if user is None:
        raise NotFound(f"User {user_id} does not exist.")
    return user


@transactional()
def _apply(user_id: UserID, changes: Changes, hashed: str, local: str, actor: str) -> list[str]:
    user = users.lock_user(user_id)
    before = _shown(user)
    done: list[str] = []
    if changes.set_admin is not None:
        user.is_superuser = changes.set_admin
        user.save(update_fields=["is_superuser", "updated_at"])
        done.append(f"{user.email} is {'now' if changes.set_admin else 'no longer'} an administrator")
    done += _moderate(user, changes)
    if changes.default_project is not None:
        projects.choose_default(user_id, changes.default_project)
        user.default_project = changes.default_project.lower()
        done.append(f"Default project set to {user.default_project}")
    done += _switch(user, changes)
    done += _describe(user, changes, hashed)
    done += _permit(user, changes)
    done += _methods(user, changes, local, actor)
    done += _sign(user) if changes.sign_terms else []
    if changes.reset_second_factor:
        done.append("Second factor switched off" if second_factors.reset(user) else "There was no second factor")
    _note(user, before, actor=actor, has_new_password=bool(hashed))
    return done


def _shown(user: User) -> dict[str, Any]:
    """What the audit log compares; no secret is in it."""
    return {"email": user.email, "first_name": user.first_name, "last_name": user.last_name, "admin": user.is_superuser,
            "status": user.status, "default_project": user.default_project, "groups": sorted(user.groups.values_list("name", flat=True)),
            "permissions": permissions.own(user)}


def _note(user: User, before: dict[str, Any], *, actor: str, has_new_password: bool) -> None:
    after = _shown(user)
    changed = [name for name, value in after.items() if value != before[name]]
    audit.record("user.modified", actor=actor, target=user.uuid, new_password=has_new_password,
                 before={name: before[name] for name in changed}, after={name: after[name] for name in changed})


def _moderate(user: User, changes: Changes) -> list[str]:
    done = []
    if changes.reject_reason is not None:
        users.reject(user, changes.reject_reason)
        done.append("Account rejected")
    if changes.verify:
        users.verify(user)
        if user.is_active:
            account_mails.accepted(user)
        done.append(f"Account verified ({user.status})")
    if changes.accept:
        done.append(_accept(user, just_verified=changes.verify))
    return done


def _accept(user: User, *, just_verified: bool) -> str:
    """Verification alone accepts where there is no moderation; asking for both is then no mistake."""
    try:
        users.accept(user)
    except StateConflict:
        if just_verified and user.is_active:
            return "Account already accepted"
        raise
    account_mails.accepted(user)
    return "Account accepted and activated"


def _switch(user: User, changes: Changes) -> list[str]:
    if changes.active is None:
        return []
    if changes.active:
        users.activate(user)
        return [f"Account {user.email} activated"]
    users.deactivate(user, changes.inactive_reason)
    return [f"Account {user.email} deactivated"]


def _describe(user: User, changes: Changes, hashed: str) -> list[str]:
    done = []
    if changes.first_name is not None or changes.last_name is not None:
        user.first_name = users.parse_name(changes.first_name or user.first_name, "first name")
        user.last_name = users.parse_name(changes.last_name or user.last_name, "last name")
        user.save(update_fields=["first_name", "last_name", "updated_at"])
        done.append("Name changed")
    if hashed:
        users.store_password(user, hashed)
        done.append("Password changed")
    for field in ("level", "invitations"):
        value = getattr(changes, field)
        if value is not None:
            setattr(user, field, value)
            user.save(update_fields=[field, "updated_at"])
            done.append(f"{field.capitalize()} set to {value}")
    for name in changes.add_groups:
        user.groups.add(_group(name))
        done.append(f"Added to group {name}")
    for name in changes.delete_groups:
        user.groups.remove(_group(name))
        done.append(f"Removed from group {name}")
    if changes.email is not None:
        users.change_email(user, changes.email)
        done.append(f"E-mail changed to {user.email}")
    return done


def _methods(user: User, changes: Changes, local: str, actor: str) -> list[str]:
    done = []
    if local:
        done.append(LOCAL_ENABLED if login_methods.enable_local(user, local) else f"{LOCAL_ENABLED}, with the password that is there")
    return done + [f"{login_methods.release(user, module, actor=actor)} identities of {module} released" for module in changes.release]


def _sign(user: User) -> list[str]:
    newest = terms.latest_id()
    if terms.has_signed(user, newest=newest):
        return ["There was nothing to sign"]
    terms.sign_locked(user, newest, actor=audit.OPERATOR)
    return [f"Terms {newest} signed"]


def _permit(user: User, changes: Changes) -> list[str]:
    done = [f"Permission {name} given" if permissions.grant(user, name) else f"Permission {name} was there already"
            for name in changes.add_permissions]
    done += [f"Permission {name} taken" if permissions.withdraw(user, name) else f"There was no permission {name}"
             for name in changes.delete_permissions]
    return done


def _group(name: str) -> Group:
    group = Group.objects.filter(name=name).first()
    if group is None:
        raise NotFound(f"Group {name} does not exist. Make it with: snf-manage group-add {name}")
    return group
