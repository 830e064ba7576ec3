"""A user's e-mail changes once the link in a mail to the new address is used."""

from __future__ import annotations

import datetime
import hashlib
import secrets

from django.utils import timezone

from synnefo.astakos.models import EmailChange, User
from synnefo.astakos.services import (
    audit,
    login_methods,
    mails,
    messages,
    passwords,
    security_mails,
    throttle,
    users,
)
from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, Forbidden, NotFound, Unauthenticated
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

messages.declare(
    EMAIL_CHANGE_NEW_EMAIL_SUBJECT="Confirm your new e-mail for {service_name}",
    EMAIL_CHANGE_OLD_EMAIL_SUBJECT="Your e-mail at {service_name} is about to change")
MAILS_AN_HOUR = 5


def may_change(user: User) -> bool:
    """Not where the operator or a provider decides about e-mails."""
    return bool(conf.ASTAKOS_EMAILCHANGE_ENABLED) and "email" not in login_methods.fields_forced_on(user)


def ask(user: User, new_email: str, password: str | None, *, client_ip: str | None) -> EmailChange:
    """Send the link to the new address and a notice to the present one. An earlier change that waits is given up.

    Raises `InvalidInput`, `Forbidden`, `Unauthenticated` for a wrong password (None: the account has none), `RateLimited`;
    `AlreadyExists` when the address has an account, unless accounts are kept secret.
    """
    if not may_change(user):
        raise Forbidden("The e-mail of this account cannot be changed here.")
    address = users.parse_email(new_email)
    _require_password(user, password, client_ip)
    throttle.spend("email-change", user.uuid, 1, allowed=MAILS_AN_HOUR, window_s=3600)
    if address == user.email:
        raise AlreadyExists("This is your e-mail already.")
    if _is_taken(address, user) and not conf.ASTAKOS_HIDE_ACCOUNTS:
        raise AlreadyExists(f"There is already an account with the e-mail {address}.")
    return _store(user.user_id, address)


def _require_password(user: User, password: str | None, client_ip: str | None) -> None:
    if password is None:
        if user.has_usable_password():
            raise Unauthenticated("The password is missing.")
        return
    key = f"password:{user.uuid}"
    throttle.check(key, client_ip)
    if not passwords.is_right(user, password):
        throttle.failed(key, client_ip)
        raise Unauthenticated("The password is wrong.")
    throttle.succeeded(key)


def _is_taken(email: str, user: User) -> bool:
    """Accounts that nobody confirmed hold no address."""
    return User.objects.filter(email=email, email_verified=True).exclude(pk=user.pk).exists()


@transactional()
def _store(user_id: UserID, email: str) -> EmailChange:
    user = users.lock_user(user_id)
    change = _renewed(user, email)
    mails.queue("registration/email_change_email_old_email.txt", [mails.address_of(user)],
                messages.text("EMAIL_CHANGE_OLD_EMAIL_SUBJECT"), {"ec": change, "user": user})
    audit.record("email.change_asked", actor=user.uuid, target=user.uuid, new_email=email)
    return change


def _renewed(user: User, email: str) -> EmailChange:
    """The change with a new key, which is mailed; older links die."""
    key = secrets.token_urlsafe(32)
    EmailChange.objects.filter(user=user).delete()
    change = EmailChange.objects.create(user=user, new_email=email, key_hash=_hash(key))
    url = f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/ui/email_change/confirm/{key}"
    mails.queue("registration/email_change_email_new_email.txt", [(user.realname, email)],
                messages.text("EMAIL_CHANGE_NEW_EMAIL_SUBJECT"),
                {"ec": change, "user": user, "url": url, "days": conf.ASTAKOS_EMAILCHANGE_ACTIVATION_DAYS})
    return change


def send_again(user: User) -> None:
    """Raises `NotFound` when nothing waits, `RateLimited`."""
    throttle.spend("email-change", user.uuid, 1, allowed=MAILS_AN_HOUR, window_s=3600)
    _send_again(user.user_id)


@transactional()
def _send_again(user_id: UserID) -> None:
    user = users.lock_user(user_id)
    _renewed(user, _waiting(user).new_email)


@transactional()
def cancel(user_id: UserID) -> None:
    """Raises `NotFound` when nothing waits."""
    user = users.lock_user(user_id)
    change = _waiting(user)
    audit.record("email.change_cancelled", actor=user.uuid, target=user.uuid, new_email=change.new_email)
    change.delete()


def _waiting(user: User) -> EmailChange:
    change = EmailChange.objects.filter(user=user).first()
    if change is None:
        raise NotFound("No change of your e-mail waits for confirmation.")
    return change


def find(key: str) -> EmailChange:
    """Raises `NotFound` for a key that is unknown, used or too old."""
    change = EmailChange.objects.select_related("user").filter(key_hash=_hash(key)).first()
    if change is None or not change.user.is_active:
        raise NotFound("This link was used already, is too old, or a newer mail took its place.")
    if change.created_at < _oldest():
        change.delete()
        raise NotFound("This link is too old. Ask for the change again in your profile.")
    return change


def _oldest() -> datetime.datetime:
    return timezone.now() - datetime.timedelta(days=conf.ASTAKOS_EMAILCHANGE_ACTIVATION_DAYS)


@transactional()
def confirm(key: str) -> User:
    """The user has the new e-mail from now on, everywhere. An account that nobody confirmed gives way to it.

    Raises `NotFound`; `AlreadyExists` when somebody else has the address by now: the key stays.
    """
    change = find(key)
    user = users.lock_user(change.user.user_id)
    if not EmailChange.objects.filter(pk=change.pk, key_hash=_hash(key)).exists():  # another request was first
        raise NotFound("This link was used already, is too old, or a newer mail took its place.")
    old = user.email
    User.objects.filter(email=change.new_email, email_verified=False).exclude(pk=user.pk).delete()
    users.change_email(user, change.new_email)
    change.delete()
    audit.record("email.changed", actor=user.uuid, target=user.uuid, before=old, after=user.email)
    security_mails.tell(user, f"The e-mail of your account was changed from {old} to {user.email}.")
    return user


def purge() -> int:
    """Forget changes that can no longer be confirmed; returns how many."""
    return EmailChange.objects.filter(created_at__lt=_oldest()).delete()[0]


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
