"""Sign-in by people: e-mail and password, with the same answer for an unknown user and a wrong password."""

from __future__ import annotations

import structlog

from synnefo.astakos.models import User
from synnefo.astakos.services import authentication, passwords, throttle
from synnefo.common.errors import Forbidden, Unauthenticated

log = structlog.get_logger(__name__)


def sign_in(login: str, password: str, *, client_ip: str | None) -> User:
    """The user, when the password is his and the account is open.

    Raises `Unauthenticated`, `RateLimited`; `Forbidden` with the account's state when only that is in the way.
    """
    throttle.check(login, client_ip)
    user = authentication.find_by_login(login)
    if not passwords.is_right(user, password) or user is None:
        throttle.failed(login, client_ip)
        log.info("login.refused", method="page", client_ip=client_ip)
        raise Unauthenticated("The e-mail or the password is wrong.")
    if not user.is_active:
        raise Forbidden(f"This account cannot sign in: {user.status}.")
    throttle.succeeded(login)
    log.info("login.done", method="page", user=user.uuid, client_ip=client_ip)
    return user
