"""Proof that an e-mail is its user's: a mail with a link that works once, until a newer one is sent."""

from __future__ import annotations

import datetime
import hashlib
import secrets
from urllib.parse import urlencode

import structlog
from django.core import signing
from django.utils import timezone

from synnefo.astakos.models import User
from synnefo.astakos.services import account_mails, audit, throttle, users
from synnefo.common.db import transactional
from synnefo.common.errors import NotFound, StateConflict
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
MAILS_AN_HOUR = 3
TICKET_S = 7 * 86400
_SALT = "astakos.verification"


def send(user: User, *, target: str = "") -> None:
    """Queue the mail with a new code; links of older mails die. `target` is where the user wanted to go.

    Needs the locked row and the caller's transaction. Raises `StateConflict` when nothing is left to confirm.
    """
    if user.email_verified:
        raise StateConflict(f"The e-mail {user.email} is already confirmed.")
    code = secrets.token_urlsafe(32)
    user.verification_hash, user.verification_sent_at = _hash(code), timezone.now()
    user.save(update_fields=["verification_hash", "verification_sent_at", "updated_at"])
    query = {"auth": code} | ({"next": target} if target else {})
    account_mails.verification(user, f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/ui/activate?{urlencode(query)}")


@transactional()
def send_again(user_id: UserID, *, target: str = "", actor: str = audit.OPERATOR) -> None:
    """As `send`, in a transaction of its own. Raises `NotFound`, `StateConflict`."""
    user = users.lock_user(user_id)
    send(user, target=target)
    audit.record("verification.sent", actor=actor, target=user.uuid)


def ticket(email: str) -> str:
    """What lets somebody who has just given this e-mail ask for the mail again, and nobody else."""
    return signing.dumps(email, salt=_SALT, compress=False)


def email_of(text: str) -> str:
    """The e-mail of a ticket. Raises `NotFound`."""
    try:
        return str(signing.loads(text, salt=_SALT, max_age=TICKET_S))
    except signing.BadSignature:
        raise NotFound("This page has expired. Sign up or sign in again.") from None


def ask_again(email: str, *, target: str = "") -> None:
    """The visitor with the ticket of `email` wants the mail again. Nothing happens when no account waits for it, and he is
    not told. Raises `RateLimited`.
    """
    throttle.spend("verification", email, 1, allowed=MAILS_AN_HOUR, window_s=3600)
    user = User.objects.filter(email=email, email_verified=False).first()
    if user is not None:
        send_again(user.user_id, target=target, actor=user.uuid)


def find(code: str) -> User:
    """Whose code it is. Raises `NotFound` for one that is unknown, used, replaced by a newer one or expired."""
    oldest = timezone.now() - datetime.timedelta(days=conf.ASTAKOS_VERIFICATION_DAYS)
    user = User.objects.filter(verification_hash=_hash(code), email_verified=False, verification_sent_at__gte=oldest).first()
    if user is None:
        raise NotFound("This link was used already, is too old, or a newer mail took its place.")
    return user


@transactional()
def confirm(code: str) -> User:
    """The e-mail is the user's; where nobody has to approve, the account is open now. Raises `NotFound`, `AlreadyExists`."""
    user = users.lock_user(find(code).user_id)
    if user.verification_hash != _hash(code):  # another request was first
        raise NotFound("This link was used already, is too old, or a newer mail took its place.")
    users.verify(user)
    account_mails.verified(user)
    audit.record("user.verified", actor=user.uuid, target=user.uuid, status=user.status)
    log.info("user.verified", user=user.uuid, status=user.status)
    return user


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
