"""What follows on sign-in and sign-out, whichever page they come from, and on changes of the catalog."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from synnefo.astakos.models import Component, Endpoint, Service, User
from synnefo.astakos.services import catalog, factors, second_factors, sessions, users
from synnefo.astakos.ui import provider_outcome

factors.use(second_factors.Checks())


@receiver([post_save, post_delete], sender=Component)
@receiver([post_save, post_delete], sender=Service)
@receiver([post_save, post_delete], sender=Endpoint)
def _forget_catalog(sender: object, **_: Any) -> None:
    """Endpoints that are made in bulk come with the saving of their service."""
    transaction.on_commit(catalog.forget)


@receiver(user_logged_in)
def _note_time(sender: object, request: HttpRequest, user: User, **_: Any) -> None:
    """Clients may ask how long ago the user signed in."""
    request.session["auth_time"] = int(timezone.now().timestamp())


@receiver(user_logged_in)
def _link_what_was_brought(sender: object, request: HttpRequest, user: User, **_: Any) -> None:
    """By whatever method somebody signed in, the identity that he asked to add is added."""
    provider_outcome.link_pending(request, user)


@receiver(user_logged_out)
def _end_online_grants(sender: object, request: HttpRequest, user: User | None, **_: Any) -> None:
    """The session's token and the grants that were meant for it end with it."""
    sessions.forget(str(request.session.session_key or ""))
    if user is not None:
        users.end_online_grants(user)
