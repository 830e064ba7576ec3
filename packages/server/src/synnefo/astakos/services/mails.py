"""Mails by templates, through a queue in the database: written with their cause, sent after it by the worker.

A mail is sent at least once. Its `Message-ID` stays the same over attempts, so that a doubled one can be recognised.
"""

from __future__ import annotations

import contextlib
import datetime
import smtplib
import time
from collections.abc import Iterable
from email.utils import formataddr, make_msgid
from typing import Any

import structlog
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db.models import F
from django.template import Context, Engine
from django.utils import timezone
from django.utils.html import urlize
from prometheus_client import Counter

from synnefo.astakos.models import QueuedMail, User
from synnefo.common.db import transactional
from synnefo.common.errors import NotFound
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
MAILS = Counter("astakos_mails", "Mails sent, put off and given up", ["outcome"])
BATCH = 50
LEASE = datetime.timedelta(minutes=10)
LONGEST_WAIT = datetime.timedelta(hours=1)
GIVE_UP_AFTER = datetime.timedelta(days=3)
PERMANENT = 500
"""From here on SMTP statuses say that trying again is of no use."""
Recipient = str | tuple[str, str]
_engine: Engine | None = None


def _templates() -> Engine:
    """Plain text: nothing is escaped. Files below TEMPLATES_DIR win over the product's."""
    global _engine  # noqa: PLW0603 - settings are loaded after the import
    if _engine is None:
        _engine = Engine(dirs=[conf.TEMPLATES_DIR], app_dirs=True, autoescape=False)
    return _engine


def common_context() -> dict[str, Any]:
    """What every mail and page may name: the branding, the support address and the site's root."""
    branding = {setting.name: value for setting, value, _ in conf.describe() if setting.name.startswith("BRANDING_")}
    return {**branding, "support": conf.CONTACT_EMAIL, "baseurl": conf.ASTAKOS_BASE_URL}


def queue(template: str, recipients: Iterable[Recipient], subject: str, context: dict[str, Any], *, sender: str = "") -> None:
    """Render and queue one mail for each recipient (an address, or (name, address)). Part of the caller's transaction:
    what is rolled back sends nothing.
    """
    body = _templates().get_template(template).render(Context({**common_context(), **context}, autoescape=False)).strip() + "\n"
    subject = " ".join(f"{conf.EMAIL_SUBJECT_PREFIX}{subject}".split())[:500]
    QueuedMail.objects.bulk_create([
        QueuedMail(recipient=recipient, sender=sender or conf.SERVER_EMAIL, subject=subject, body=body, template=template,
                   message_id=make_msgid(domain=conf.SERVER_EMAIL.rpartition("@")[2] or None))
        for recipient in unique(recipients)])


def unique(recipients: Iterable[Recipient]) -> list[str]:
    """Each address once, as a header may carry it."""
    found: dict[str, str] = {}
    for item in recipients:
        name, address = ("", item) if isinstance(item, str) else item
        if address:
            found.setdefault(address.lower(), formataddr((" ".join(name.split()), address)))
    return list(found.values())


def address_of(user: User) -> Recipient:
    return (user.realname, user.email)


def deliver() -> int:
    """Send what is due; returns how many left. Called by the worker; several may do so at once."""
    sent = 0
    while batch := _claim():
        sent += _send_all(batch)
        if len(batch) < BATCH:
            break
    return sent


def _send_all(batch: list[QueuedMail]) -> int:
    """Over one connection, made anew after a failure. Mails for which no server answers are put off together, and those not
    reached well within the lease are handed back, as others may claim them after it.
    """
    connection = get_connection()
    stop_at = time.monotonic() + LEASE.total_seconds() / 2
    sent = 0
    for position, mail in enumerate(batch):
        if time.monotonic() > stop_at:
            _hand_back(batch[position:])
            break
        try:
            connection.open()
        except Exception as error:  # noqa: BLE001 - see _send
            for waiting in batch[position:]:
                _put_off(waiting, error)
            break
        sent += _send(mail, connection)
    _close(connection)
    return sent


def _close(connection: Any) -> None:
    with contextlib.suppress(OSError):  # the server may be gone
        connection.close()


def _hand_back(mails: list[QueuedMail]) -> None:
    QueuedMail.objects.filter(pk__in=[mail.pk for mail in mails]).update(next_attempt_at=timezone.now())


@transactional()
def _claim() -> list[QueuedMail]:
    """Mails that are due, put off for the lease: if this process dies, another sends them then."""
    now = timezone.now()
    due = (QueuedMail.objects.select_for_update(skip_locked=True).filter(next_attempt_at__lte=now, failed_at=None)
           .order_by("next_attempt_at")[:BATCH])
    mails = list(due)
    QueuedMail.objects.filter(pk__in=[mail.pk for mail in mails]).update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1)
    return mails


def _send(mail: QueuedMail, connection: Any) -> int:
    message = EmailMultiAlternatives(mail.subject, mail.body, mail.sender, [mail.recipient], connection=connection,
                                     headers={"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated"})
    message.attach_alternative(_as_html(mail.body), "text/html")
    try:
        message.send()
    except Exception as error:  # noqa: BLE001 - whatever a mail backend raises, the mail is tried again
        _close(connection)
        _put_off(mail, error)
        return 0
    QueuedMail.objects.filter(pk=mail.pk).delete()
    MAILS.labels("sent").inc()
    log.info("mail.sent", template=mail.template)
    return 1


def _put_off(mail: QueuedMail, error: Exception) -> None:
    now = timezone.now()
    given_up = _is_refused(error) or now - mail.created_at > GIVE_UP_AFTER
    wait = min(LONGEST_WAIT, datetime.timedelta(seconds=30 * 2 ** min(mail.attempts, 10)))
    QueuedMail.objects.filter(pk=mail.pk).update(
        next_attempt_at=now + wait, last_error=f"{type(error).__name__}: {error}"[:500], failed_at=now if given_up else None)
    MAILS.labels("given up" if given_up else "put off").inc()
    log.warning("mail.put_off", template=mail.template, attempts=mail.attempts + 1, error=type(error).__name__, given_up=given_up)


def _is_refused(error: Exception) -> bool:
    """Whether the server knows that there is no such mailbox. Everything else may pass: a full one, a dropped connection."""
    return isinstance(error, smtplib.SMTPRecipientsRefused) and all(code >= PERMANENT for code, _ in error.recipients.values())


def retry(numbers: Iterable[int] | None = None) -> int:
    """Have these mails, or all, tried at the next round; returns how many."""
    wanted = QueuedMail.objects.all() if numbers is None else QueuedMail.objects.filter(pk__in=numbers)
    return wanted.update(next_attempt_at=timezone.now(), failed_at=None)


def remove(number: int) -> None:
    """Raises `NotFound`."""
    if not QueuedMail.objects.filter(pk=number).delete()[0]:
        raise NotFound(f"There is no mail {number}.")


def _as_html(text: str) -> str:
    return f'<div style="white-space: pre-wrap; font-family: sans-serif">{urlize(text, autoescape=True)}</div>'
