"""Passwords: what is acceptable, and whether one is right, at the same cost for known and unknown users."""

from __future__ import annotations

import secrets
import string

from django.contrib.auth import password_validation as rules
from django.contrib.auth.hashers import check_password, make_password
from django.core.exceptions import ValidationError

from synnefo.astakos.models import LOCAL, User
from synnefo.astakos.services import policies
from synnefo.common.errors import InvalidInput

MAX_LENGTH = 1024
_RULES = [
    rules.MinimumLengthValidator(min_length=10),
    rules.CommonPasswordValidator(),
    rules.UserAttributeSimilarityValidator(user_attributes=("email", "first_name", "last_name")),
]
_ALPHABET = string.ascii_letters + string.digits


def new_password() -> str:
    """A random password that people can type, 95 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(16))


def require_acceptable(password: str, user: User) -> None:
    """Raises `InvalidInput` naming everything that is wrong with it."""
    if len(password) > MAX_LENGTH:
        raise InvalidInput(f"The password is longer than {MAX_LENGTH} characters.", field="password")
    problems: list[str] = []
    for rule in _RULES:
        try:
            rule.validate(password, user)  # type: ignore[attr-defined]
        except ValidationError as error:
            problems += error.messages
    if problems:
        raise InvalidInput(" ".join(problems), field="password")


def may_sign_in(user: User) -> bool:
    """Whether the account may sign in with a password at all: it has the method, and no policy forbids it."""
    has_method = user.login_methods.filter(module=LOCAL, active=True).exists()
    return has_method and policies.of(LOCAL, user).login


def is_right(user: User | None, password: str) -> bool:
    """Compare; an unknown user costs one hashing too, so that time tells nothing."""
    if len(password) > MAX_LENGTH:
        return False
    if user is None or not user.has_usable_password():
        make_password(password)
        return False
    return check_password(password, user.password)
