"""Identities without an account: kept for an hour, until somebody signs up with one, or adds it to his account."""

from __future__ import annotations

import datetime
import secrets

from django.db.models import Q
from django.utils import timezone

from synnefo.astakos.models import LOCAL, PendingIdentity, User
from synnefo.astakos.services import audit, identities, login_methods, mails, messages, policies, providers, users
from synnefo.astakos.services.identity import Identity, restored
from synnefo.common.crypto import hash_token, new_token
from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, NotFound, RateLimited, StateConflict
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

LIFE = datetime.timedelta(hours=1)
MAIL_PAUSE = datetime.timedelta(minutes=5)
BATCH = 1000
messages.declare(SWITCH_ACCOUNTS_EMAIL_SUBJECT="Another way to sign in to your account at {service_name}")
_GONE = "This link is not valid any more. Sign in with your provider again."


@transactional()
def keep(identity: Identity, browser: str) -> str:
    """Note the identity; returns the token for the address. Earlier tokens of it are worth nothing. `browser` is a secret
    of the session that came from the provider.
    """
    token = new_token()
    now = timezone.now()
    identities.lock_identity(identity.module, identity.identifier)
    PendingIdentity.objects.update_or_create(module=identity.module, identifier=identity.identifier, defaults={
        "details": identity.stored(), "token_hash": hash_token(token), "browser_hash": hash_token(browser),
        "mail_token_hash": None, "mail_user": None, "created_at": now, "expires_at": now + LIFE})
    return token


def find(token: str, browser: str) -> PendingIdentity:
    """The row of a token, shown by the browser it was made for. Raises `NotFound`."""
    found = PendingIdentity.objects.filter(token_hash=hash_token(token[:100]), expires_at__gte=timezone.now()).first()
    if found is None or not browser or not secrets.compare_digest(found.browser_hash, hash_token(browser)):
        raise NotFound(_GONE)
    return found


def identity_of(pending: PendingIdentity) -> Identity:
    return restored(pending.module, pending.identifier, pending.details)


def consume(pending: PendingIdentity) -> Identity:
    """The identity, once. Needs the caller's transaction. Raises `NotFound` when it was used or replaced meanwhile, or
    when a verified user has the identity by now.
    """
    identities.lock_identity(pending.module, pending.identifier)
    fresh = PendingIdentity.objects.select_for_update().filter(
        Q(token_hash=pending.token_hash), pk=pending.pk, expires_at__gte=timezone.now()).first()
    if fresh is None:
        raise NotFound(_GONE)
    fresh.delete()
    return identity_of(fresh)


def drop_if_owned(pending: PendingIdentity) -> None:
    """Raises `NotFound` when a verified user has the identity by now; the record is gone then."""
    if identities.owner_of(pending.module, pending.identifier) is not None:
        pending.delete()
        raise NotFound(_GONE)


def link(user_id: UserID, token: str, browser: str) -> str:
    """Add the identity to the account that signed in with the same browser; returns the module.

    Raises `NotFound`, and what `login_methods.link` raises; the token is used up in any case.
    """
    pending = find(token, browser)
    try:
        return _link(user_id, pending)
    except (Forbidden, StateConflict):
        PendingIdentity.objects.filter(pk=pending.pk, token_hash=pending.token_hash).delete()
        raise


@transactional()
def _link(user_id: UserID, pending: PendingIdentity) -> str:
    user = users.lock_user(user_id)
    identity = consume(pending)
    login_methods.link_locked(user, identity)
    return identity.module


# By mail to the owner of the account


def account_for_mail(email: str) -> User | None:
    """The verified local account of this e-mail to which the identity may be added by a mail."""
    if not conf.ASTAKOS_ENABLE_LOCAL_ACCOUNT_MIGRATION:
        return None
    return User.objects.filter(email=email.strip().lower(), email_verified=True, login_methods__module=LOCAL,
                               login_methods__active=True).first()


@transactional()
def send_mail(pending: PendingIdentity, email: str, confirm_url: str) -> None:
    """Mail the owner of the account a link that adds the identity; `confirm_url` gets the token appended. An address without
    an account gets nothing, and nobody is told. Raises `RateLimited`, `NotFound`.
    """
    now = timezone.now()
    row = PendingIdentity.objects.select_for_update().filter(pk=pending.pk, token_hash=pending.token_hash).first()
    if row is None:
        raise NotFound(_GONE)
    if row.mail_sent_at is not None and now - row.mail_sent_at < MAIL_PAUSE:
        wait = int((MAIL_PAUSE - (now - row.mail_sent_at)).total_seconds()) + 1
        raise RateLimited(f"A mail was sent a moment ago. Try again in {wait} seconds.", retry_after_s=wait)
    user = account_for_mail(email)
    row.mail_sent_at = now
    if user is not None:
        token = new_token()
        row.mail_user, row.mail_token_hash = user, hash_token(token)
        provider = providers.describe(row.module)
        mails.queue("im/switch_accounts_email.txt", [mails.address_of(user)], messages.text("SWITCH_ACCOUNTS_EMAIL_SUBJECT"), {
            "user": user, "url": f"{confirm_url}{token}", "provider": provider.title, "who": shown_name(row)})
        audit.record("login_method.mail", target=user.uuid, module=row.module, identifier=row.identifier)
    row.save()


def shown_name(pending: PendingIdentity) -> str:
    """How people recognise the identity."""
    identity = identity_of(pending)
    return identity.email or f"{identity.first_name} {identity.last_name}".strip() or identity.identifier


def find_mailed(token: str, user: User) -> PendingIdentity:
    """The row of a mailed token. Raises `NotFound`, `Forbidden` for another account than the one it was mailed to."""
    found = PendingIdentity.objects.filter(mail_token_hash=hash_token(token[:100]), expires_at__gte=timezone.now()).first()
    if found is None:
        raise NotFound(_GONE)
    if found.mail_user_id != user.pk:
        raise Forbidden("This link was sent to the owner of another account. Sign out first.")
    return found


@transactional()
def link_mailed(user_id: UserID, pending: PendingIdentity) -> str:
    """Add it to the account; where there is no room for another identity of the provider and switching is allowed, in place
    of the old one. Returns the module. Raises what `login_methods.link` raises.
    """
    user = users.lock_user(user_id)
    identity = consume(pending)
    found = policies.of(identity.module, user)
    old = list(user.login_methods.filter(module=identity.module, active=True))
    replaces = old[0].pk if found.add and found.switch and len(old) == 1 and found.limit == 1 else None
    login_methods.link_locked(user, identity, switch_from=replaces)
    return identity.module


def purge() -> int:
    """Remove a batch of expired rows; returns how many."""
    keys = list(PendingIdentity.objects.filter(expires_at__lt=timezone.now()).values_list("pk", flat=True)[:BATCH])
    return PendingIdentity.objects.filter(pk__in=keys).delete()[0] if keys else 0
