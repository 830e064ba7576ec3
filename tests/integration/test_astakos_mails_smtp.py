"""The mail queue and a real SMTP server: what arrives, and what becomes of mails that it refuses, forgets or never sees."""

from __future__ import annotations

import datetime
import itertools
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from synnefo.astakos.models import QueuedMail
from synnefo.astakos.services import mails
from tests.support.commands import run
from tests.support.mail_server import MailServer, mail_server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    with mail_server() as running:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", running.port, 5
        yield running


def _queue(*to: mails.Recipient, subject: str = "Hello") -> None:
    mails.queue("im/email.txt", to, subject, {})


def _due() -> None:
    QueuedMail.objects.update(next_attempt_at=timezone.now())


def test_what_arrives(server: MailServer) -> None:
    _queue(("Ann Łódź", "ann@example.org"), subject="Dzień dobry, Ann")
    assert mails.deliver() == 1
    (arrived,) = server.mails
    assert (arrived["Subject"], arrived["To"]) == ("Dzień dobry, Ann", "Ann Łódź <ann@example.org>")
    assert arrived["Auto-Submitted"] == "auto-generated"
    assert arrived["Message-ID"].endswith("@localhost>")
    assert [part.get_content_type() for part in arrived.iter_parts()] == ["text/plain", "text/html"]


def test_a_batch_takes_one_connection(server: MailServer) -> None:
    _queue(*(f"user{number}@example.org" for number in range(mails.BATCH + 5)))
    assert mails.deliver() == mails.BATCH + 5
    assert len({mail["To"] for mail in server.mails}) == mails.BATCH + 5
    assert server.connections == 2


def test_an_unknown_mailbox_is_given_up_and_the_others_get_theirs(server: MailServer) -> None:
    server.answers = {"gone@example.org": "550 5.1.1 No such user", "grey@example.org": "451 4.7.1 Come back later"}
    _queue("gone@example.org", "grey@example.org", "ann@example.org")
    assert mails.deliver() == 1
    assert [mail["To"] for mail in server.mails] == ["ann@example.org"]
    gone, grey = QueuedMail.objects.order_by("pk")
    assert gone.failed_at is not None
    assert "No such user" in gone.last_error
    assert grey.failed_at is None
    server.answers = {}
    _due()
    assert mails.deliver() == 1
    assert [mail["To"] for mail in server.mails] == ["ann@example.org", "grey@example.org"]


def test_no_server_loses_no_mail(settings: Any, server: MailServer) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.EMAIL_PORT = closed.getsockname()[1]
        _queue("ann@example.org", "bob@example.org")
        assert mails.deliver() == 0
    assert set(QueuedMail.objects.values_list("attempts", "failed_at")) == {(1, None)}
    assert not QueuedMail.objects.filter(next_attempt_at__lte=timezone.now()).exists()
    settings.EMAIL_PORT = server.port
    _due()
    assert mails.deliver() == 2


def test_a_mail_whose_fate_is_unknown_comes_again_under_the_same_id(server: MailServer) -> None:
    server.hang_up_after = 1
    _queue("ann@example.org", "bob@example.org")
    assert mails.deliver() == 1
    _due()
    assert mails.deliver() == 1
    first, second = server.to("ann@example.org")
    assert first["Message-ID"] == second["Message-ID"]
    assert len(server.to("bob@example.org")) == 1


def test_a_slow_server_does_not_outlast_the_lease(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=200)
    monkeypatch.setattr(mails, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    _queue(*(f"user{number}@example.org" for number in range(5)))
    assert mails.deliver() == 1
    assert QueuedMail.objects.filter(next_attempt_at__lte=timezone.now()).count() == 4, "handed back at once"


def test_a_dead_worker_s_mails_are_sent_after_the_lease(server: MailServer) -> None:
    _queue("ann@example.org")
    assert len(mails._claim()) == 1  # and here the process dies
    assert mails.deliver() == 0
    QueuedMail.objects.update(next_attempt_at=timezone.now() - datetime.timedelta(seconds=1))
    assert mails.deliver() == 1


def test_operators_look_after_the_queue(server: MailServer) -> None:
    server.answers = {"gone@example.org": "550 No such user"}
    _queue("gone@example.org", subject="Activate")
    mails.deliver()
    _queue("ann@example.org")
    (failed,) = run("mail-list", "--failed", "--output-format", "json").json()
    assert (failed["recipient"], failed["subject"], failed["attempts"]) == ("gone@example.org", "Activate", 1)
    assert len(run("mail-list", "--output-format", "json").json()) == 2
    server.answers = {}
    assert run("mail-retry", str(failed["id"])).err == "1 mails will be tried again.\n"
    assert mails.deliver() == 2
    assert run("mail-retry", "999999").code == 1
    assert run("mail-retry").code == 1
    assert run("mail-retry", "--all").err == "0 mails will be tried again.\n"
    _queue("ann@example.org")
    number = QueuedMail.objects.get().pk
    assert run("mail-remove", "--force", str(number)).code == 0
    assert run("mail-remove", "--force", str(number)).code == 1
    assert not QueuedMail.objects.exists()
