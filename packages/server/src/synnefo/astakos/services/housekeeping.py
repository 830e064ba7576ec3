"""What time leaves behind, removed in bounded batches. Everything here may be repeated and cut off at any point."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from django.contrib.sessions.models import Session
from django.utils import timezone

from synnefo.astakos.models import User
from synnefo.astakos.services import (
    app_credentials,
    audit,
    email_changes,
    pending_identities,
    provider_sessions,
    sessions,
    tokens,
    users,
)
from synnefo.astakos.services.oauth2 import devices, grants, keys
from synnefo.common.db import transactional
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

BATCH = 1000


def clean() -> dict[str, int]:
    """Remove what has expired; returns how many of each kind."""
    removed = {"sessions": _sessions(), "unverified users": _unverified()}
    for name, forget in _FORGETTING.items():
        removed[name] = 0
        while batch := forget():
            removed[name] += batch
    removed["signing keys"] = keys.forget_old()
    return removed


_FORGETTING: dict[str, Callable[[], int]] = {
    "tokens": lambda: tokens.purge(batch=BATCH),
    "application credentials": lambda: app_credentials.forget_expired(batch=BATCH),
    "grants": lambda: grants.forget_dead(batch=BATCH),
    "pending identities": pending_identities.purge,
    "changes of e-mails": email_changes.purge,
    "sessions of providers": provider_sessions.purge,
    "entries of ended sessions": lambda: sessions.purge(batch=BATCH),
    "audit records": lambda: audit.forget_old(batch=BATCH),
    "waiting devices": lambda: devices.forget_expired(batch=BATCH),
}


def _sessions() -> int:
    count = 0
    while keys := list(Session.objects.filter(expire_date__lt=timezone.now()).values_list("pk", flat=True)[:BATCH]):
        count += Session.objects.filter(pk__in=keys).delete()[0]
    return count


def _unverified() -> int:
    days = conf.ASTAKOS_UNVERIFIED_TTL_DAYS
    if not days:
        return 0
    limit = timezone.now() - datetime.timedelta(days=days)
    count = 0
    while keys := list(User.objects.filter(email_verified=False, is_superuser=False, date_joined__lt=limit)
                       .values_list("pk", flat=True)[:BATCH]):
        count += User.objects.filter(pk__in=keys, email_verified=False).delete()[1].get("astakos.User", 0)
    return count


def complete_superusers() -> int:
    """Verify and accept superusers that were made outside of our own commands; returns how many."""
    waiting = User.objects.filter(is_superuser=True, email_verified=False).values_list("uuid", flat=True)
    return sum(_complete(UserID(uuid)) for uuid in list(waiting))


@transactional()
def _complete(user_id: UserID) -> int:
    user = users.lock_user(user_id)
    if user.email_verified:
        return 0
    users.verify(user)
    if not user.moderated:
        users.accept(user)
    return 1
