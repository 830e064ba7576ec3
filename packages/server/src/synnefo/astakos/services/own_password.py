"""A user's own password: replaced by showing the present one, set for the first time, or reset by a link in a mail."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator

from synnefo.astakos.models import LOCAL, User
from synnefo.astakos.services import (
    audit,
    login_methods,
    mails,
    messages,
    passwords,
    policies,
    security_mails,
    throttle,
    tokens,
    users,
)
from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, NotFound, Unauthenticated
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

messages.declare(PASSWORD_RESET_EMAIL_SUBJECT="Your password at {service_name}")  # noqa: S106 - a subject
RESET_HOURS = 24
RESETS_AN_HOUR = 3
RESETS_AN_HOUR_AND_ADDRESS = 30
_links = PasswordResetTokenGenerator()
"""Their tokens die with the password, the last sign-in and the e-mail that they were made with, and after PASSWORD_RESET_TIMEOUT."""


def change(user: User, old: str, new: str, *, client_ip: str | None, keep_session: str = "", renew: bool = False) -> None:
    """Sessions end, but for the one of the key `keep_session`; `renew` makes a new API token too, as
    ASTAKOS_NEWPASSWD_INVALIDATE_TOKEN always does.

    Raises `Forbidden` without a password to change, `Unauthenticated` for a wrong one, `InvalidInput`, `RateLimited`.
    """
    if not may_change(user):
        raise Forbidden("This account has no password: it signs in by another provider.")
    key = f"password:{user.uuid}"
    throttle.check(key, client_ip)
    if not passwords.is_right(user, old):
        throttle.failed(key, client_ip)
        raise Unauthenticated("The present password is wrong.")
    throttle.succeeded(key)
    passwords.require_acceptable(new, user)
    _store(user.user_id, make_password(new), keep_session=keep_session, renew=renew)


def may_change(user: User) -> bool:
    return user.has_usable_password() and passwords.may_sign_in(user)


def may_set(user: User) -> bool:
    """Whether an account that signs in by other providers may have a password too."""
    return not user.login_methods.filter(module=LOCAL).exists() and not login_methods.why_not_add(user, LOCAL)


def set_first(user: User, new: str, *, keep_session: str = "") -> None:
    """Add the password as a way to sign in. Raises `Forbidden`, `InvalidInput`."""
    if not may_set(user):
        raise Forbidden("This account cannot have a password.")
    passwords.require_acceptable(new, user)
    _store(user.user_id, make_password(new), keep_session=keep_session, is_first=True)


def ask_reset(email: str, *, client_ip: str | None) -> None:
    """Send the link to the owner of the e-mail, or word why there is none. What happened only the mail tells.
    Raises `RateLimited`; with ASTAKOS_HIDE_ACCOUNTS off `NotFound` and `Forbidden` for accounts without a password.
    """
    address = email.strip().lower()
    throttle.spend("reset-address", client_ip or "", 1, allowed=RESETS_AN_HOUR_AND_ADDRESS, window_s=3600)
    throttle.spend("reset", address, 1, allowed=RESETS_AN_HOUR, window_s=3600)
    user = User.objects.filter(email=address).first()
    if conf.ASTAKOS_HIDE_ACCOUNTS is False:
        _require_password(user)
    if user is not None and user.email_verified:
        _send(user)


def _require_password(user: User | None) -> None:
    if user is None:
        raise NotFound("There is no account with this e-mail.")
    refusal = why_not_reset(user)
    if refusal:
        raise Forbidden(refusal)


def why_not_reset(user: User) -> str:
    """What keeps the account from getting a new password by mail, or nothing."""
    if not user.is_active:
        return f"The account is not open: {user.status}."
    if not user.has_usable_password() or not user.login_methods.filter(module=LOCAL).exists():
        return "The account does not sign in with a password here, but by another provider."
    return "" if policies.of(LOCAL, user).login else "Signing in with a password is switched off."


@transactional()
def _send(user: User) -> None:
    refusal = why_not_reset(user)
    url = f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/ui/local/reset/confirm/{user.uuid}/{_links.make_token(user)}/"
    mails.queue("registration/password_email.txt", [mails.address_of(user)], messages.text("PASSWORD_RESET_EMAIL_SUBJECT"), {
        "user": user, "email": user.email, "refusal": refusal, "url": "" if refusal else url, "hours": RESET_HOURS})
    audit.record("password.reset_asked", target=user.uuid, refused=bool(refusal))


def of_link(uuid: str, token: str) -> User:
    """Whose link it is. Raises `NotFound` for one that is unknown, used or too old."""
    user = User.objects.filter(uuid=uuid.lower()).first() if len(uuid) == 36 and uuid.isprintable() else None
    if user is None or why_not_reset(user) or not _links.check_token(user, token):
        raise NotFound("This link was used already or is too old. Ask for a new one.")
    return user


def reset(uuid: str, token: str, new: str) -> User:
    """A new password for the owner of the link; all sessions end. Raises `NotFound`, `InvalidInput`."""
    user = of_link(uuid, token)
    passwords.require_acceptable(new, user)
    _store(user.user_id, make_password(new), token=token)
    return user


@transactional()
def _store(user_id: UserID, hashed: str, *, keep_session: str = "", renew: bool = False, is_first: bool = False, token: str = "") -> None:
    user = users.lock_user(user_id)
    if token and not _links.check_token(user, token):  # another request was first
        raise NotFound("This link was used already or is too old. Ask for a new one.")
    users.store_password(user, hashed, keep_session=keep_session)
    user.login_methods.filter(module=LOCAL, active=False).update(active=True)
    if renew or (conf.ASTAKOS_NEWPASSWD_INVALIDATE_TOKEN and not is_first and tokens.primary_of(user) is not None):
        tokens.replace_primary(user, keep_session=keep_session)
    how = "reset" if token else "set" if is_first else "changed"
    audit.record(f"password.{how}", actor=user.uuid, target=user.uuid)
    security_mails.tell(user, f"The password of your account was {how}.")
