"""The mail queue: rolled back with its cause, sent after it, tried again after a refusal, put off for the lease."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from synnefo.astakos.models import QueuedMail
from synnefo.astakos.services import mails, recipients

pytestmark = pytest.mark.django_db(transaction=True)
CONTEXT: dict[str, Any] = {}


def _queue(*to: mails.Recipient, subject: str = "Hello") -> None:
    mails.queue("im/email.txt", to, subject, CONTEXT)


def test_a_mail_leaves_once_with_text_and_html(settings_override: Any) -> None:
    settings_override(CONTACT_EMAIL="help@example.org", BRANDING_SERVICE_NAME="Sky <1>", BRANDING_COMPANY_NAME="GRNET & Co")
    _queue(("Ann Ἀ", "ann@example.org"), "ANN@example.org", "bob@example.org")
    assert mails.deliver() == 2
    assert mails.deliver() == 0
    assert [message.to for message in mail.outbox] == [["=?utf-8?b?QW5uIOG8iA==?= <ann@example.org>"], ["bob@example.org"]]
    body, html = str(mail.outbox[0].body), str(mail.outbox[0].alternatives[0][0])
    assert "help@example.org" in body
    assert "Sky <1>" in body, "plain text is not escaped"
    assert "Sky &lt;1&gt;" in html
    assert not QueuedMail.objects.exists()


def test_what_is_rolled_back_sends_nothing() -> None:
    with transaction.atomic():
        _queue("ann@example.org")
        transaction.set_rollback(True)
    assert mails.deliver() == 0


def test_a_subject_carries_no_second_header() -> None:
    _queue("ann@example.org", subject="Hi\r\nBcc: eve@example.org")
    mails.deliver()
    assert mail.outbox[0].subject == "Hi Bcc: eve@example.org"


def test_a_refused_mail_waits_and_others_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    send = mail.EmailMultiAlternatives.send

    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.to == ["bob@example.org"]:
            raise ConnectionRefusedError("no server")
        return send(self, *args, **kwargs)

    monkeypatch.setattr(mail.EmailMultiAlternatives, "send", refuse)
    _queue("bob@example.org", "ann@example.org")
    assert mails.deliver() == 1
    waiting = QueuedMail.objects.get()
    assert waiting.last_error == "ConnectionRefusedError: no server"
    assert waiting.next_attempt_at > timezone.now()
    message_id = waiting.message_id
    monkeypatch.setattr(mail.EmailMultiAlternatives, "send", send)
    QueuedMail.objects.update(next_attempt_at=timezone.now())
    assert mails.deliver() == 1
    assert mail.outbox[-1].extra_headers["Message-ID"] == message_id


def test_a_mail_is_given_up_after_days_and_kept_for_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("gone")

    monkeypatch.setattr(mail.EmailMultiAlternatives, "send", refuse)
    _queue("bob@example.org")
    QueuedMail.objects.update(created_at=timezone.now() - datetime.timedelta(days=4))
    assert mails.deliver() == 0
    assert QueuedMail.objects.get().failed_at is not None
    QueuedMail.objects.update(next_attempt_at=timezone.now())
    assert mails.deliver() == 0


def test_recipients_fall_back_to_wider_lists(settings_override: Any) -> None:
    desk, boss, root = ("Desk", "desk@example.org"), ("Boss", "boss@example.org"), ("Root", "root@example.org")
    settings_override(HELPDESK=[desk], MANAGERS=[boss], ADMINS=[root, desk])
    assert mails.unique(recipients.of("ACCOUNT_ACTIVATED_RECIPIENTS")) == [
        "Desk <desk@example.org>", "Boss <boss@example.org>", "Root <root@example.org>"]
    assert recipients.of("PROJECT_CREATION_RECIPIENTS") == [desk, boss]
    settings_override(PROJECT_CREATION_RECIPIENTS=[])
    assert recipients.of("PROJECT_CREATION_RECIPIENTS") == []
