"""What users tell the helpdesk."""

from __future__ import annotations

import re

from synnefo.astakos.models import User
from synnefo.astakos.services import audit, mails, messages, recipients, throttle
from synnefo.common.db import transactional
from synnefo.common.errors import InvalidInput

messages.declare(FEEDBACK_EMAIL_SUBJECT="Feedback of {user} on {service_name}")
MAX_LENGTH = 20_000
AN_HOUR = 20
_SECRET = re.compile(r"(?i)((?:x-auth-token|authorization|cookie|[a-z_-]*(?:password|passwd|secret|token|userdata|user_data|adminpass|personality|contents)"
                     r"[a-z_-]*)\"?\s*[:=]\s*)(\"[^\"]*\"|[^\s,;&}]+(?: [^\s,;&}]+)?)")
"""A name that stands before a secret, and the secret."""


def send(user: User, message: str, data: str = "") -> None:
    """Queue a mail to the helpdesk. `data` is what a page noted of the circumstances; secrets in it are struck out.

    Raises `InvalidInput`, `RateLimited`.
    """
    if not message.strip():
        raise InvalidInput("Write a message.", field="feedback_msg")
    if len(message) > MAX_LENGTH or len(data) > MAX_LENGTH:
        raise InvalidInput(f"At most {MAX_LENGTH} characters.", field="feedback_msg")
    if "\0" in message + data:
        raise InvalidInput("The message holds characters that no text has.", field="feedback_msg")
    throttle.spend("feedback", user.uuid, 1, allowed=AN_HOUR, window_s=3600)
    _send(user, message, cleansed(data))


def cleansed(data: str) -> str:
    return _SECRET.sub(r"\1***", data)


@transactional()
def _send(user: User, message: str, data: str) -> None:
    mails.queue("im/feedback_mail.txt", recipients.of("FEEDBACK_NOTIFICATIONS_RECIPIENTS"), messages.text("FEEDBACK_EMAIL_SUBJECT", user=user.email),
                {"message": message, "data": data, "user": user})
    audit.record("feedback.sent", actor=user.uuid, target=user.uuid)
