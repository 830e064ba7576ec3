"""What is written down when a proven identity becomes a session."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import structlog
from django.utils import timezone

from synnefo.astakos.models import LOCAL, AuditRecord, LoginMethod, User
from synnefo.astakos.services import audit, policies, providers, security_mails, sessions, tokens, users
from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden
from synnefo.common.ids import UserID
from synnefo.common.middleware import current_client

log = structlog.get_logger(__name__)
PASSKEY = "passkey"
"""The way in that belongs to no provider."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What the new session needs to know: its own token (to be kept in the session), and when both end."""

    secret: str
    expires_at: datetime.datetime


def refuse(user: User, module: str) -> None:
    """Whether the account may be entered by this way, at this moment. Raises `Forbidden` with what is in the way."""
    if not user.is_active:
        raise Forbidden(f"This account cannot sign in: {user.status}.")
    if module == PASSKEY:
        _refuse_passkey(user)
    elif not policies.of(module, user).login:
        raise Forbidden(providers.describe(module).message("LOGIN_DISABLED"))
    elif module == LOCAL and not _has_local(user):
        raise Forbidden("This account does not sign in with a password. Use another way to sign in.")


def _has_local(user: User) -> bool:
    """An account without any way in may use its password: it was made outside of our own commands."""
    modules = set(user.login_methods.filter(active=True).values_list("module", flat=True))
    return not modules or LOCAL in modules


def _refuse_passkey(user: User) -> None:
    """A passkey is a shorter way into an account, not a way around the operator: one of its methods must be allowed."""
    modules = list(user.login_methods.filter(active=True).values_list("module", flat=True))
    if not any(found.login for found in policies.of_all(modules, user).values()):
        raise Forbidden("None of the ways to sign in to this account is allowed at the moment.")


@transactional()
def open_session(
    user_id: UserID, session_key: str, *, module: str, identifier: str = "", old_key: str = "", renew: bool = False,
    factor: str = "",
) -> Opened:
    """Note the session that begins under `session_key` (instead of `old_key`, if that was one of the user's own), and make
    its token. The API token is made anew when there is none, it has expired or `renew` asks for it.

    Raises `Forbidden` when the account was closed meanwhile, `NotFound` when it is gone.
    """
    user = users.lock_user(user_id)
    refuse(user, module)
    sessions.end_keys(user, [old_key] if old_key else [])
    primary = tokens.ready_primary(user, renew=renew, keep_session=session_key)
    issued = tokens.issue_session(user, primary.expires_at)
    sessions.record(session_key, user, method=module, token=issued.token)
    _note_use(user, module, identifier)
    if _is_new_browser(user):
        security_mails.tell(user, "Somebody signed in to your account with a browser that was not seen before.")
    audit.record("login.done", actor=user.uuid, target=user.uuid, method=module, factor=factor)
    log.info("login.done", method=module, user=user.uuid)
    return Opened(issued.secret, primary.expires_at)


def _is_new_browser(user: User) -> bool:
    """Whether the user signed in before, and never with this browser."""
    seen = AuditRecord.objects.filter(event="login.done", target=user.uuid)
    return seen.exists() and not seen.filter(agent=current_client().agent).exists()


def _note_use(user: User, module: str, identifier: str) -> None:
    if module == LOCAL:
        LoginMethod.objects.get_or_create(user=user, module=LOCAL, identifier="")
    user.login_methods.filter(module=module, identifier=identifier).update(last_login_at=timezone.now())


@transactional()
def adopt_session(user_id: UserID, session_key: str, expires_at: datetime.datetime, *, method: str = "") -> Opened:
    """A session that the catalog does not know, or whose token was revoked without it, gets an entry and a new token.
    Raises `NotFound`.
    """
    user = users.lock_user(user_id)
    sessions.forget(session_key)
    issued = tokens.issue_session(user, expires_at)
    sessions.record(session_key, user, method=method, token=issued.token)
    return Opened(issued.secret, expires_at)
