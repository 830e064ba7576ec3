"""Sign-in by people: e-mail and password, with the same answer for an unknown user and a wrong password."""

from __future__ import annotations

import structlog

from synnefo.astakos.models import LOCAL, User
from synnefo.astakos.services import audit, authentication, passwords, throttle
from synnefo.common.errors import Unauthenticated

log = structlog.get_logger(__name__)


def sign_in(login: str, password: str, *, client_ip: str | None) -> User:
    """The user, when the password is his. Whether he may come in is not looked at here.

    Raises `Unauthenticated`, `RateLimited`.
    """
    throttle.check(login, client_ip)
    user = authentication.find_by_login(login)
    if not passwords.is_right(user, password) or user is None:
        throttle.failed(login, client_ip)
        log.info("login.refused", method="page", client_ip=client_ip)
        audit.record("login.failed", target=user.uuid if user else "", method=LOCAL)
        raise Unauthenticated("The e-mail or the password is wrong.")
    throttle.succeeded(login)
    return user
