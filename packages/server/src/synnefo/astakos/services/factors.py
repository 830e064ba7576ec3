"""The second factor at the identity API: whether an account asks for one, and receipts for the first.

A receipt says that somebody gave the right password a moment ago. It is signed, not stored, and dies with the password.
"""

from __future__ import annotations

import datetime
from typing import Protocol

from django.core import signing
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from synnefo.astakos.models import User
from synnefo.astakos.services import throttle
from synnefo.common.errors import Unauthenticated

RECEIPT_LIFE = datetime.timedelta(minutes=5)
REQUIRED = [["password", "totp"]]
_SALT = "astakos.auth.receipt"


class Checks(Protocol):
    """What knows the users' second factors."""

    def needed(self, user: User) -> bool: ...

    def verify_totp(self, user: User, passcode: str) -> bool: ...


class _None:
    """No account has one."""

    def needed(self, user: User) -> bool:
        return False

    def verify_totp(self, user: User, passcode: str) -> bool:
        return False


_checks: Checks = _None()


def use(checks: Checks) -> Checks:
    """Plug in what knows the second factors; returns what was plugged in before."""
    global _checks
    before, _checks = _checks, checks
    return before


def needed(user: User) -> bool:
    return _checks.needed(user)


def require_none(user: User) -> None:
    """Where there is no way to give a second factor. Raises `Unauthenticated`."""
    if needed(user):
        raise Unauthenticated("This account asks for a second factor: use an API token or an application credential here.")


def verify_totp(user: User, passcode: str, *, client_ip: str | None) -> None:
    """Raises `Unauthenticated`, `RateLimited`."""
    key = f"totp:{user.uuid}"
    throttle.check(key, client_ip)
    if not _checks.verify_totp(user, passcode):
        throttle.failed(key, client_ip)
        raise Unauthenticated("The passcode is wrong.")
    throttle.succeeded(key)


def make_receipt(user: User) -> tuple[str, datetime.datetime]:
    """A receipt for the password, and when it ends."""
    stated = {"user": user.uuid, "password": user.get_session_auth_hash()}
    return signing.dumps(stated, salt=_SALT, compress=True), timezone.now() + RECEIPT_LIFE


def user_of_receipt(receipt: str) -> User:
    """Who gave the password. Raises `Unauthenticated`."""
    try:
        stated = signing.loads(receipt[:2000], salt=_SALT, max_age=RECEIPT_LIFE)
    except signing.BadSignature as error:
        raise Unauthenticated("The receipt is unknown or has expired.") from error
    user = User.objects.filter(uuid=stated["user"]).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), stated["password"]):
        raise Unauthenticated("The receipt is unknown or has expired.")
    return user
