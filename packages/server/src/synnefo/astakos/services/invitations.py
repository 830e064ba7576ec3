"""Invitations: sent as long as the inviter has some left, and used up by the sign-up of whom they are for."""

from __future__ import annotations

import hashlib
import secrets

from django.db.models import F
from django.utils import timezone

from synnefo.astakos.models import Invitation, User
from synnefo.astakos.services import audit, mails, messages
from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, Forbidden, InvalidInput, NotFound, StateConflict
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

messages.declare(INVITATION_EMAIL_SUBJECT="{inviter} invites you to {service_name}")
MAX_NAME = 255


def entitle(user: User, level: int) -> None:
    """What a user of this level may invite. The caller saves."""
    user.level = level
    user.invitations = conf.ASTAKOS_INVITATIONS_PER_LEVEL.get(level, 0)


@transactional()
def invite(user_id: UserID, email: str, realname: str) -> Invitation:
    """Send an invitation to an e-mail that was parsed already. Raises `Forbidden`, `InvalidInput`, `AlreadyExists`, `StateConflict` when none is left."""
    if not conf.ASTAKOS_INVITATIONS_ENABLED:
        raise Forbidden("Nobody is invited here.")
    name = " ".join(realname.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise InvalidInput(f"A name has 1 to {MAX_NAME} printable characters.", field="realname")
    inviter = User.objects.select_for_update().filter(uuid=user_id).first()
    if inviter is None:
        raise NotFound(f"User {user_id} does not exist.")
    if Invitation.objects.filter(email=email).exists() or User.objects.filter(email=email, email_verified=True).exists():
        raise AlreadyExists(f"{email} was invited already or has an account.")
    if not User.objects.filter(pk=inviter.pk, invitations__gt=0).update(invitations=F("invitations") - 1):
        raise StateConflict("You have no invitations left.")
    code = secrets.token_urlsafe(24)
    made = Invitation.objects.create(inviter=inviter, realname=name, email=email, code_hash=_hash(code))
    mails.queue("im/invitation.txt", [(name, email)], messages.text("INVITATION_EMAIL_SUBJECT", inviter=inviter.realname or inviter.email),
                {"invitation": made, "inviter": inviter, "url": f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/ui/?code={code}"})
    audit.record("invitation.sent", actor=inviter.uuid, target=inviter.uuid, email=email)
    return made


def find(code: str) -> Invitation:
    """Raises `NotFound` for a code that is unknown or used up."""
    found = Invitation.objects.filter(code_hash=_hash(code), consumed_at=None).first() if conf.ASTAKOS_INVITATIONS_ENABLED else None
    if found is None:
        raise NotFound("This invitation is unknown or was used already.")
    return found


def consume(user: User) -> bool:
    """The owner of an invited e-mail, just verified, gets the level of the inviter and one more. False when nobody invited him.
    Needs the caller's transaction and lock; the caller saves.
    """
    if not conf.ASTAKOS_INVITATIONS_ENABLED:
        return False
    found = Invitation.objects.select_for_update().select_related("inviter").filter(email=user.email, consumed_at=None).first()
    if found is None:
        return False
    found.consumed_at = timezone.now()
    found.save(update_fields=["consumed_at"])
    entitle(user, found.inviter.level + 1)
    audit.record("invitation.used", actor=user.uuid, target=found.inviter.uuid, email=user.email)
    return True


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
