"""The catalog of browser sessions: who has which open, and their end.

A session lives in the session engine; the catalog knows its key. Where the engine keeps sessions in the database they are
deleted there in the transaction of the cause, and what a cache holds of them right after it.
"""

from __future__ import annotations

import datetime
import importlib
from collections.abc import Iterable

import structlog
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from synnefo.astakos.models import ApiToken, ProviderSession, User, WebSession
from synnefo.astakos.services import audit
from synnefo.common.db import transactional
from synnefo.common.errors import NotFound
from synnefo.common.ids import UserID
from synnefo.common.middleware import current_client

log = structlog.get_logger(__name__)
TOUCH_STEP = datetime.timedelta(minutes=10)
"""How exactly the last use of a session is known."""


def record(session_key: str, user: User, *, method: str, token: ApiToken | None) -> WebSession:
    """A session has begun, or is continued under this new key."""
    client = current_client()
    return WebSession.objects.update_or_create(session_key=session_key, defaults={
        "user": user, "method": method[:64], "token": token, "ip": client.ip, "agent": client.agent})[0]


def list_of(user: User) -> list[WebSession]:
    """The user's open sessions, the one used last first."""
    return list(WebSession.objects.filter(user=user, token__expires_at__gte=timezone.now()).order_by("-last_used_at", "-pk"))


def method_of(session_key: str) -> str:
    """By which provider the session began; empty when that is not known."""
    return WebSession.objects.filter(session_key=session_key).values_list("method", flat=True).first() or ""


def touch(session_key: str) -> None:
    """The session was used."""
    client = current_client()
    WebSession.objects.filter(session_key=session_key).update(last_used_at=timezone.now(), ip=client.ip, agent=client.agent)


def forget(session_key: str) -> None:
    """A session is ending by itself: its token ends with it. Repeatable."""
    if session_key:
        with transaction.atomic():
            _end_tokens([session_key])
            WebSession.objects.filter(session_key=session_key).delete()


@transactional()
def end(user_id: UserID, number: int) -> None:
    """Sign out one browser of the user, by its number in the catalog. Raises `NotFound`."""
    found = WebSession.objects.select_related("user").filter(user__uuid=user_id, pk=number).first()
    if found is None:
        raise NotFound("There is no such session.")
    end_keys(found.user, [found.session_key])
    audit.record("session.end", actor=user_id, target=user_id, ip=found.ip)


@transactional()
def end_others(user_id: UserID, keep: str) -> int:
    """Sign out every browser of the user but the one whose session has the key `keep`; returns how many. Raises `NotFound`."""
    user = User.objects.select_for_update().filter(uuid=user_id).first()
    if user is None:
        raise NotFound(f"User {user_id} does not exist.")
    count = end_all(user, keep=keep)
    audit.record("session.end_others", actor=user_id, target=user_id, sessions=count)
    return count


def end_all(user: User, *, keep: str = "") -> int:
    """End the user's sessions, but for the key `keep`; returns how many. Part of the caller's transaction."""
    keys = list(WebSession.objects.filter(user=user).exclude(session_key=keep).values_list("session_key", flat=True))
    end_keys(user, keys)
    return len(keys)


def end_keys(user: User, keys: Iterable[str]) -> None:
    """End sessions by their keys, with their tokens and whatever is noted of them. Part of the caller's transaction."""
    ended = list(keys)
    if not ended:
        return
    _end_tokens(ended)
    WebSession.objects.filter(session_key__in=ended).delete()
    ProviderSession.objects.filter(session_key__in=ended).delete()
    if _is_in_database():
        Session.objects.filter(session_key__in=ended).delete()
    transaction.on_commit(lambda: _delete_from_engine(ended))
    log.info("session.ended", user=user.uuid, sessions=len(ended))


def _end_tokens(keys: Iterable[str]) -> None:
    ApiToken.objects.filter(web_session__session_key__in=list(keys), revoked_at=None).update(revoked_at=timezone.now())


def _engine() -> type[SessionBase]:
    found: type[SessionBase] = importlib.import_module(settings.SESSION_ENGINE).SessionStore
    return found


def _is_in_database() -> bool:
    return hasattr(_engine(), "get_model_class")


def _delete_from_engine(keys: Iterable[str]) -> None:
    for key in keys:
        _engine()(key).delete()


def purge(*, batch: int = 1000) -> int:
    """Remove a batch of entries whose sessions have expired or are gone; returns how many."""
    now = timezone.now()
    dead = set(WebSession.objects.filter(token__expires_at__lt=now).values_list("pk", flat=True)[:batch])
    if _is_in_database():
        quiet = WebSession.objects.filter(last_used_at__lt=now - TOUCH_STEP)
        dead |= set(quiet.exclude(session_key__in=Session.objects.values("session_key")).values_list("pk", flat=True)[:batch])
    return WebSession.objects.filter(pk__in=dead).delete()[0] if dead else 0
