"""Invitations: sent from a page, counted, and used up by the sign-up of whom they are for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from synnefo.astakos.models import Invitation, QueuedMail, User
from synnefo.astakos.services import invitations
from synnefo.common.errors import DomainError
from tests.support.commands import run
from tests.support.identity import make_user
from tests.support.together import at_once

pytestmark = pytest.mark.django_db
UI = "/astakos/ui"
PASSWORD = "a quiet river in May"


@pytest.fixture(autouse=True)
def _open(settings_override: Any) -> None:
    cache.clear()
    settings_override(ASTAKOS_INVITATIONS_ENABLED=True, ASTAKOS_MODERATION_ENABLED=True)


@pytest.fixture
def ann() -> User:
    user = make_user(first_name="Ann", last_name="Lee")
    assert run("user-modify", "--level", "1", "--invitations", "2", user.email).code == 0
    user.refresh_from_db()
    return user


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def send(user: User, *people: tuple[str, str]) -> Any:
    return browser(user).post(f"{UI}/invite", {"realname": [name for name, _ in people], "username": [email for _, email in people]})


def test_from_invitation_to_account(ann: User) -> None:
    assert send(ann, ("Bob Roe", "Bob@Example.org"), ("", "")).status_code == 302
    ann.refresh_from_db()
    assert ann.invitations == 1
    mail = QueuedMail.objects.get(template="im/invitation.txt")
    assert "Ann Lee invites you" in mail.subject
    code = re.search(r"/ui/\?code=(\S+)", mail.body)[1]  # type: ignore[index]
    assert code not in Invitation.objects.get().code_hash
    shown = Client().get(f"{UI}/?code={code}", follow=True).content.decode()
    assert 'value="bob@example.org"' in shown
    assert 'value="Bob"' in shown
    Client().post(f"{UI}/signup", {"email": "bob@example.org", "first_name": "Bob", "last_name": "Roe", "password1": PASSWORD, "password2": PASSWORD})
    auth = re.search(r"auth=(\S+)", QueuedMail.objects.get(template="im/activation_email.txt").body)[1]  # type: ignore[index]
    Client().post(f"{UI}/activate", {"auth": auth})
    bob = User.objects.get(email="bob@example.org")
    assert bob.status == "Accepted/Active (accepted policy: invitation)"
    assert (bob.level, bob.invitations) == (2, 0)
    assert "used already" in Client().get(f"{UI}/signup?code={code}").content.decode()
    page = browser(ann).get(f"{UI}/invite").content.decode()
    assert "bob@example.org" in page
    assert "came" in page
    assert "You may invite 1 more." in page


def test_who_was_not_invited_waits_for_approval() -> None:
    Client().post(f"{UI}/signup", {"email": "eve@example.org", "password1": PASSWORD, "password2": PASSWORD})
    assert run("user-modify", "--verify", "eve@example.org").code == 0
    assert User.objects.get().status == "Pending moderation"


def test_refused_rows_stay_and_the_others_are_sent(ann: User) -> None:
    make_user("known@example.org")
    answer = send(ann, ("Known", "known@example.org"), ("Bad", "nonsense"), ("Bob", "bob@example.org"), ("x" * 300, "long@example.org"))
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "has an account" in page
    assert "Invalid e-mail" in page
    assert 'value="nonsense"' in page
    assert Invitation.objects.get().email == "bob@example.org"
    ann.refresh_from_db()
    assert ann.invitations == 1
    assert send(ann, ("Bob", "bob@example.org")).status_code == 400
    assert send(ann, ("Joe", "joe@example.org")).status_code == 302
    assert "no invitations left" in send(ann, ("Max", "max@example.org")).content.decode()
    assert Invitation.objects.count() == 2


def test_levels_of_the_operator(settings_override: Any) -> None:
    settings_override(ASTAKOS_DEFAULT_USER_LEVEL=0, ASTAKOS_INVITATIONS_PER_LEVEL={0: 7})
    user = make_user()
    assert (user.level, user.invitations) == (0, 7)
    assert run("user-modify", "--level", "many", user.email).code == 2


def test_where_nobody_is_invited(settings_override: Any, ann: User) -> None:
    settings_override(ASTAKOS_INVITATIONS_ENABLED=False)
    assert browser(ann).get(f"{UI}/invite").status_code == 404
    assert "Invite people" not in browser(ann).get(f"{UI}/profile").content.decode()
    assert "unknown" in Client().get(f"{UI}/signup?code=x").content.decode()


@pytest.mark.django_db(transaction=True)
def test_nobody_invites_more_people_than_he_may() -> None:
    user = make_user()
    User.objects.update(invitations=2)
    done = at_once(5, lambda number: invitations.invite(user.user_id, f"user{number}@example.org", "Somebody"))
    assert sum(not isinstance(item, DomainError) for item in done) == 2
    assert (User.objects.get().invitations, Invitation.objects.count()) == (0, 2)
