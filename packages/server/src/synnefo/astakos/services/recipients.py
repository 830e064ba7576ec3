"""Which of the staff a mail goes to: lists of (name, address), each falling back to a wider one. Empty lists send nothing."""

from __future__ import annotations

from synnefo.common.settings import conf

_PLAIN = {
    "ACCOUNT_NOTIFICATIONS_RECIPIENTS": ("HELPDESK", "MANAGERS", "ADMINS"),
    "FEEDBACK_NOTIFICATIONS_RECIPIENTS": ("HELPDESK",),
    "PROJECT_NOTIFICATIONS_RECIPIENTS": ("HELPDESK", "MANAGERS"),
}
_FINER = {
    "ACCOUNT_PENDING_MODERATION_RECIPIENTS": "ACCOUNT_NOTIFICATIONS_RECIPIENTS",
    "ACCOUNT_ACTIVATED_RECIPIENTS": "ACCOUNT_NOTIFICATIONS_RECIPIENTS",
    "PROJECT_CREATION_RECIPIENTS": "PROJECT_NOTIFICATIONS_RECIPIENTS",
    "PROJECT_MODIFICATION_RECIPIENTS": "PROJECT_NOTIFICATIONS_RECIPIENTS",
}


def of(setting: str) -> list[tuple[str, str]]:
    """The recipients that a `..._RECIPIENTS` setting means."""
    value: list[tuple[str, str]] | None = getattr(conf, setting)
    if value is not None:
        return value
    if setting in _FINER:
        return of(_FINER[setting])
    return [person for staff in _PLAIN[setting] for person in getattr(conf, staff)]
