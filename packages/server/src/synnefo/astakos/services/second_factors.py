"""The second factor of an account: an authenticator program, and recovery codes for when it is lost."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

from django.utils import timezone

from synnefo.astakos.models import Authenticator, Passkey, RecoveryCode, User
from synnefo.astakos.services import audit, one_time_codes, policies, security_mails, throttle, users
from synnefo.common.crypto import decrypt, encrypt
from synnefo.common.db import transactional
from synnefo.common.errors import InvalidInput, NotFound, StateConflict, Unauthenticated
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

RECOVERY_CODES = 10
TOTP, RECOVERY, PASSKEY = "totp", "recovery", "passkey"
_CODE = re.compile(rf"[0-9]{{{one_time_codes.DIGITS}}}")


def is_on(user: User) -> bool:
    return Authenticator.objects.filter(user=user, is_confirmed=True).exists()


def is_asked(user: User, module: str) -> bool:
    """Whether a sign-in by this provider asks for it. The operator may trust a provider to have asked already."""
    return not policies.of(module).factor_exempt and is_on(user)


def must_set_up(user: User, module: str) -> bool:
    """Whether a group of the user demands a second factor that the account has not got."""
    groups = conf.ASTAKOS_2FA_REQUIRED_GROUPS
    if not groups or policies.of(module).factor_exempt:
        return False
    return user.groups.filter(name__in=groups).exists() and not is_on(user)


def is_demanded(user: User) -> bool:
    """Whether a group of the user keeps it from being switched off."""
    groups = conf.ASTAKOS_2FA_REQUIRED_GROUPS
    return bool(groups) and user.groups.filter(name__in=groups).exists()


def codes_left(user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


# Setting up


@transactional()
def begin(user_id: UserID) -> str:
    """The secret of an authenticator that is about to be set up; the same until that is done. Raises `StateConflict`."""
    user = users.lock_user(user_id)
    found = Authenticator.objects.filter(user=user).first()
    if found is None:
        found = Authenticator.objects.create(user=user, secret_encrypted=encrypt(one_time_codes.new_secret()))
    if found.is_confirmed:
        raise StateConflict("The account has an authenticator already. Remove it first.")
    return decrypt(found.secret_encrypted)


@transactional()
def confirm(user_id: UserID, code: str) -> list[str]:
    """The program shows the right code: it is asked for from now on. Returns the recovery codes, which are never shown again.

    Raises `StateConflict` when nothing is being set up, `InvalidInput` for a wrong code.
    """
    user = users.lock_user(user_id)
    found = Authenticator.objects.filter(user=user, is_confirmed=False).first()
    if found is None:
        raise StateConflict("No authenticator is being set up.")
    step = one_time_codes.step_of(decrypt(found.secret_encrypted), _digits(code), after=0)
    if step is None:
        raise InvalidInput("This is not the code that the program shows now. Is its clock right?", field="code")
    found.is_confirmed, found.last_step = True, step
    found.save(update_fields=["is_confirmed", "last_step"])
    _tell(user, "second_factor.added", "An authenticator was set up for your account. Sign-in asks for its codes from now on.")
    return _new_codes(user)


@transactional()
def renew_codes(user_id: UserID) -> list[str]:
    """New recovery codes in place of all old ones. Raises `StateConflict`."""
    user = users.lock_user(user_id)
    if not is_on(user):
        raise StateConflict("The account has no second factor.")
    _tell(user, "recovery_codes.renewed", "New recovery codes were made for your account. The old ones do not work any more.")
    return _new_codes(user)


def _new_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    codes = [_readable(base64.b32encode(secrets.token_bytes(10)).decode().lower()) for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create([RecoveryCode(user=user, code_hash=_hash(code)) for code in codes])
    return codes


def _readable(code: str) -> str:
    return "-".join(code[start:start + 4] for start in range(0, len(code), 4))


# Giving it


def give(user: User, text: str, *, client_ip: str | None) -> str:
    """Accept the present code of the authenticator, or a recovery code; returns which of the two it was.

    Raises `Unauthenticated`, `RateLimited`.
    """
    key = f"totp:{user.uuid}"
    throttle.check(key, client_ip)
    kind = _give(user.user_id, text)
    if not kind:
        throttle.failed(key, client_ip)
        raise Unauthenticated("This code is wrong or was used already.")
    throttle.succeeded(key)
    return kind


@transactional()
def _give(user_id: UserID, text: str) -> str:
    user = users.lock_user(user_id)
    if _use_totp(user, text):
        return TOTP
    return RECOVERY if _use_recovery_code(user, text) else ""


def _use_totp(user: User, text: str) -> bool:
    """Whether it is a code that was not used yet; from now on it was. Needs the caller's transaction and lock."""
    code = _digits(text)
    found = Authenticator.objects.filter(user=user, is_confirmed=True).first()
    if found is None or not _CODE.fullmatch(code):
        return False
    step = one_time_codes.step_of(decrypt(found.secret_encrypted), code, after=found.last_step)
    if step is None:
        return False
    Authenticator.objects.filter(pk=found.pk).update(last_step=step)
    return True


def _use_recovery_code(user: User, text: str) -> bool:
    used = RecoveryCode.objects.filter(user=user, code_hash=_hash(text), used_at=None).update(used_at=timezone.now())
    if used:
        left = codes_left(user)
        _tell(user, "recovery_code.used", f"A recovery code was used to sign in to your account. {left} are left.")
    return bool(used)


def _digits(text: str) -> str:
    return "".join(text.split())


def _hash(code: str) -> str:
    """Of 80 random bits, however they are typed."""
    plain = "".join(character for character in code.lower() if character.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


# Taking it away


@transactional()
def remove(user_id: UserID) -> None:
    """The user wants none any more. Raises `NotFound`; `StateConflict` when a group demands it."""
    user = users.lock_user(user_id)
    if is_demanded(user):
        raise StateConflict("Your groups demand a second factor.")
    if not is_on(user):
        raise NotFound("The account has no second factor.")
    _remove(user)
    _tell(user, "second_factor.removed", "The second factor of your account was switched off.")


def reset(user: User) -> bool:
    """An operator helps somebody who has lost everything; False when there was nothing. Needs the caller's transaction and lock."""
    was_on = is_on(user) or Passkey.objects.filter(user=user).exists()
    _remove(user)
    Passkey.objects.filter(user=user).delete()
    if was_on:
        _tell(user, "second_factor.reset", "An administrator switched off the second factor of your account.", actor=audit.OPERATOR)
    return was_on


def _remove(user: User) -> None:
    Authenticator.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()


def _tell(user: User, event: str, text: str, *, actor: str = "") -> None:
    audit.record(event, actor=actor or user.uuid, target=user.uuid)
    security_mails.tell(user, text)


class Checks:
    """What the identity API asks (`services.factors`)."""

    def needed(self, user: User) -> bool:
        return is_on(user)

    @transactional()
    def verify_totp(self, user: User, passcode: str) -> bool:
        return _use_totp(users.lock_user(user.user_id), passcode)
