"""Mails that tell users of changes to their sign-in, so that they notice those they did not make."""

from __future__ import annotations

from django.utils import timezone

from synnefo.astakos.models import User
from synnefo.astakos.services import mails, messages
from synnefo.common.middleware import current_client

messages.declare(SECURITY_EVENT_SUBJECT="Security of your {service_name} account")


def tell(user: User, event: str) -> None:
    """Queue a mail about `event`, a whole sentence. Part of the caller's transaction."""
    client = current_client()
    mails.queue("im/security_event.txt", [mails.address_of(user)], messages.text("SECURITY_EVENT_SUBJECT"), {
        "user": user, "event": event, "time": timezone.now().strftime("%Y-%m-%d %H:%M:%S UTC"), "ip": client.ip,
        "agent": client.agent})
