"""Sessions that began at a provider, and their end when it sends word of a sign-out there."""

from __future__ import annotations

import datetime

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from synnefo.astakos.models import ProviderSession, User
from synnefo.astakos.services import audit, sessions
from synnefo.common.db import transactional

BATCH = 1000


def note(session_key: str, user: User, module: str, identifier: str, sid: str = "") -> None:
    """A session has begun."""
    ProviderSession.objects.update_or_create(
        session_key=session_key, defaults={"user": user, "module": module, "identifier": identifier, "sid": sid[:255]})


@transactional()
def end(module: str, identifier: str, sid: str = "") -> int:
    """End the sessions of an identity, or with `sid` (alone or beside it) that one of the provider's; returns how many."""
    if not identifier and not sid:
        return 0
    wanted = (Q(identifier=identifier) if identifier else Q()) & (Q(sid=sid) if sid else Q())
    rows = ProviderSession.objects.select_for_update(of=("self",)).filter(wanted, module=module)
    found = list(rows.select_related("user"))
    for row in found:
        sessions.end_keys(row.user, [row.session_key])
        audit.record("session.end", target=row.user.uuid, method=module)
    return len(found)


def purge() -> int:
    """Remove a batch of rows whose sessions have expired; returns how many."""
    limit = timezone.now() - datetime.timedelta(seconds=settings.SESSION_COOKIE_AGE)
    keys = list(ProviderSession.objects.filter(created_at__lt=limit).values_list("pk", flat=True)[:BATCH])
    return ProviderSession.objects.filter(pk__in=keys).delete()[0] if keys else 0
