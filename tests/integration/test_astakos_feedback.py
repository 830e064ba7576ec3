"""A word to the helpdesk, by page and by API."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from synnefo.astakos.models import QueuedMail, User
from synnefo.astakos.services import feedback
from tests.support.identity import make_token, make_user

pytestmark = pytest.mark.django_db
PAGE, API = "/astakos/ui/feedback", "/astakos/account/v1.0/feedback"


@pytest.fixture(autouse=True)
def _helpdesk(settings_override: Any) -> None:
    cache.clear()
    settings_override(HELPDESK=[("Help", "help@example.org")])


@pytest.fixture
def user() -> User:
    return make_user(first_name="Ann", last_name="Lee")


@pytest.fixture
def client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_message_goes_to_the_helpdesk(client: Client, user: User) -> None:
    shown = client.get(PAGE, {"feedback_data": "GET /servers 500\nX-Auth-Token: abc123\n"}).content.decode()
    assert "abc123" not in shown
    assert "X-Auth-Token: ***" in shown
    sent = client.post(PAGE, {"feedback_msg": "Thank you <b>all</b>", "feedback_data": "GET /servers 500", "next": "/machines"})
    assert sent.headers["Location"] == "/machines"
    (mail,) = QueuedMail.objects.all()
    assert "help@example.org" in mail.recipient
    assert user.email in mail.subject
    assert f"Ann Lee <ann@example.org> ({user.uuid})" in mail.body
    assert "Thank you <b>all</b>" in mail.body
    assert "GET /servers 500" in mail.body


@pytest.mark.parametrize("fields", [{}, {"feedback_msg": "  "}, {"feedback_msg": "x" * 20_001}, {"feedback_msg": "a\x00b"}])
def test_what_is_no_message(client: Client, user: User, fields: dict[str, str]) -> None:
    assert client.post(PAGE, fields | {"feedback_data": "kept"}).status_code == 400
    refused = Client().post(API, fields, headers={"X-Auth-Token": make_token(user)}, content_type="application/x-www-form-urlencoded")
    assert refused.status_code == 400
    assert not QueuedMail.objects.exists()


def test_by_api(user: User) -> None:
    token = {"X-Auth-Token": make_token(user)}
    sent = Client().post(API, "feedback_msg=Hello&feedback_data=password%3D%22secret+words%22", content_type="application/x-www-form-urlencoded", headers=token)
    assert (sent.status_code, sent.content) == (200, b"")
    assert "secret" not in QueuedMail.objects.get().body
    assert Client().post(API, {"feedback_msg": "x"}, content_type="application/json", headers=token).status_code == 400
    assert Client().post(API, b"feedback_msg=\xff", content_type="application/x-www-form-urlencoded", headers=token).status_code == 400
    assert Client().post(API, "feedback_msg=x", content_type="application/x-www-form-urlencoded").status_code == 401
    assert Client().get(API, headers=token).status_code == 405


def test_nobody_floods_the_helpdesk(client: Client) -> None:
    codes = [client.post(PAGE, {"feedback_msg": "again"}).status_code for _ in range(21)]
    assert codes[-2:] == [302, 429]


@pytest.mark.parametrize(("text", "left"), [
    ('{"adminPass": "abc", "name": "x"}', '{"adminPass": ***, "name": "x"}'), ("token=abc&x=1", "token=***&x=1"),
    ("Authorization: Bearer abc\nHost: y", "Authorization: ***\nHost: y"), ("nothing here", "nothing here")])
def test_secrets_are_struck_out(text: str, left: str) -> None:
    assert feedback.cleansed(text) == left


def test_old_addresses(client: Client) -> None:
    assert client.get("/astakos/im/send_feedback?x=1").headers["Location"] == f"{PAGE}?x=1"
    assert client.get("/astakos/im/password").headers["Location"] == "/astakos/ui/password_change"
