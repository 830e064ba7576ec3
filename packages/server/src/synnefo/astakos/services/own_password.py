"""A user replaces the own password by showing the present one."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password

from synnefo.astakos.models import User
from synnefo.astakos.services import audit, passwords, security_mails, throttle, users
from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, Unauthenticated
from synnefo.common.ids import UserID


def change(user: User, old: str, new: str, *, client_ip: str | None) -> None:
    """Raises `Forbidden` without a password to change, `Unauthenticated` for a wrong one, `InvalidInput`, `RateLimited`."""
    if not user.has_usable_password() or not passwords.may_sign_in(user):
        raise Forbidden("This account has no password: it signs in by another provider.")
    key = f"password:{user.uuid}"
    throttle.check(key, client_ip)
    if not passwords.is_right(user, old):
        throttle.failed(key, client_ip)
        raise Unauthenticated("The present password is wrong.")
    throttle.succeeded(key)
    passwords.require_acceptable(new, user)
    _store(user.user_id, make_password(new))


@transactional()
def _store(user_id: UserID, hashed: str) -> None:
    user = users.lock_user(user_id)
    users.store_password(user, hashed)
    audit.record("password.changed", actor=user.uuid, target=user.uuid)
    security_mails.tell(user, "The password of your account was changed.")
