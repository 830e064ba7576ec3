"""The own password: changed, set for the first time, forgotten."""

from __future__ import annotations

import datetime
import re
import time
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.cache import cache
from django.test import Client

from synnefo.astakos.models import ApiToken, LoginMethod, QueuedMail, TokenKind, User, WebSession
from synnefo.astakos.services import own_password, tokens
from synnefo.common.errors import DomainError
from tests.support.commands import run
from tests.support.identity import make_user
from tests.support.together import at_once

pytestmark = pytest.mark.django_db
UI = "/astakos/ui"
OLD, NEW = "a quiet river in May", "a loud harbour in June"
CHANGE = {"old_password": OLD, "password1": NEW, "password2": NEW}


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


def signed_in(email: str = "ann@example.org", password: str = OLD) -> Client:
    client = Client()
    assert client.post(f"{UI}/login", {"username": email, "password": password}).status_code == 302
    return client


def may_sign_in(password: str, email: str = "ann@example.org") -> bool:
    return Client().post(f"{UI}/login", {"username": email, "password": password}).status_code == 302


def is_in(client: Client) -> bool:
    return bool(client.get(f"{UI}/session?brief").json()["authenticated"])


def mailed_link() -> str:
    found = re.search(r"https?://\S+/ui/local/reset/confirm\S+", QueuedMail.objects.filter(template="registration/password_email.txt").latest("pk").body)
    assert found
    return urlsplit(found[0]).path


def ask(email: str = "ann@example.org") -> Any:
    return Client().post(f"{UI}/local/password_reset", {"email": email})


def choose(address: str, password: str = NEW) -> Any:
    return Client().post(address, {"password1": password, "password2": password})


def test_a_change_ends_the_other_sessions_and_renews_the_token() -> None:
    user = make_user(password=OLD)
    here, there = signed_in(), signed_in()
    token = tokens.primary_of(user)
    done = here.post(f"{UI}/password_change", CHANGE)
    assert (done.status_code, done.headers["Location"]) == (302, f"{UI}/profile")
    assert (is_in(here), is_in(there)) == (True, False)
    assert (may_sign_in(NEW), may_sign_in(OLD)) == (True, False)
    renewed = tokens.primary_of(user)
    assert renewed is not None
    assert token is not None
    assert renewed.pk != token.pk
    assert "The password of your account was changed." in QueuedMail.objects.get().body
    assert WebSession.objects.count() == 2


@pytest.mark.parametrize("wants", [True, False])
def test_the_token_stays_where_the_operator_leaves_it_to_the_user(settings_override: Any, wants: bool) -> None:
    settings_override(ASTAKOS_NEWPASSWD_INVALIDATE_TOKEN=False)
    user = make_user(password=OLD)
    client = signed_in()
    before = tokens.primary_of(user)
    assert "Renew my API token too" in client.get(f"{UI}/password_change").content.decode()
    client.post(f"{UI}/password_change", CHANGE | ({"renew": "on"} if wants else {}))
    assert (tokens.primary_of(user) != before) is wants


@pytest.mark.parametrize(("changes", "text"), [
    ({"old_password": "wrong one here"}, "The present password is wrong."), ({"password2": "different"}, "The two passwords differ."),
    ({"password1": "short", "password2": "short"}, "too short"), ({"password1": "ann@example.org", "password2": "ann@example.org"}, "similar"),
    ({"old_password": ""}, "required"), ({"password1": "x" * 1025, "password2": "x" * 1025}, "1024"), ({"password1": "a\x00bcdefghijk"}, "Null")])
def test_a_refused_change_changes_nothing(changes: dict[str, str], text: str) -> None:
    make_user(password=OLD)
    client = signed_in()
    refused = client.post(f"{UI}/password_change", CHANGE | changes)
    assert refused.status_code == 400
    assert text in refused.content.decode()
    assert is_in(client)
    assert may_sign_in(OLD)


def test_guesses_of_the_present_password_are_slowed_down() -> None:
    make_user(password=OLD)
    client = signed_in()
    codes = [client.post(f"{UI}/password_change", CHANGE | {"old_password": f"guess number {number}"}).status_code for number in range(6)]
    assert codes[0] == 400
    assert codes[-1] == 429


def test_who_signs_in_by_a_provider_can_add_a_password() -> None:
    user = make_user()
    LoginMethod.objects.create(user=user, module="google", identifier="4711")
    client = Client()
    client.force_login(user)
    for age, is_asked in ((3600, True), (60, False)):
        session = client.session
        session["auth_time"] = time.time() - age
        session.save()
        assert client.get(f"{UI}/password_change").headers.get("Location", "").startswith(f"{UI}/login?force=") is is_asked
    assert "Set a password" in client.get(f"{UI}/password_change").content.decode()
    assert client.post(f"{UI}/password_change", {"password1": NEW, "password2": NEW}).status_code == 302
    assert is_in(client)
    assert "Change your password" in client.get(f"{UI}/password_change").content.decode()
    assert may_sign_in(NEW)


def test_who_may_not_have_a_password_is_told(settings_override: Any) -> None:
    settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_ADD_POLICY=False)
    user = make_user()
    LoginMethod.objects.create(user=user, module="google", identifier="4711")
    client = Client()
    client.force_login(user)
    assert client.get(f"{UI}/password_change").headers["Location"] == f"{UI}/profile"


def test_a_forgotten_password() -> None:
    user = make_user(password=OLD)
    browser = signed_in()
    token = tokens.primary_of(user)
    assert ask("ANN@example.org").headers["Location"] == f"{UI}/local/password_reset/done"
    assert Client().get(f"{UI}/local/password_reset/done").status_code == 200
    address = mailed_link()
    assert "Choose a new password" in Client().get(address).content.decode()
    assert choose(address).headers["Location"] == f"{UI}/login"
    assert not is_in(browser)
    assert (may_sign_in(NEW), may_sign_in(OLD)) == (True, False)
    assert tokens.primary_of(user) != token
    assert choose(address, "another harbour in July").status_code == 302
    assert may_sign_in(NEW)
    assert ApiToken.objects.filter(user=user, kind=TokenKind.SESSION, revoked_at=None).count() == 2


def test_a_link_dies_with_a_sign_in_a_day_and_the_account() -> None:
    user = make_user(password=OLD)
    ask()
    first = mailed_link()
    signed_in()
    assert Client().get(first).status_code == 302
    ask()
    second = mailed_link()
    tomorrow = datetime.datetime.now() + datetime.timedelta(hours=25)  # noqa: DTZ005 - as the links are made
    with mock.patch.object(PasswordResetTokenGenerator, "_now", return_value=tomorrow):
        assert Client().get(second).status_code == 302
    assert Client().get(second).status_code == 200
    run("user-modify", "--set-inactive", user.uuid)
    assert Client().get(second).status_code == 302


@pytest.mark.parametrize("address", ["x/y", f"{'0' * 36}/abc-def", "%00/%ff", f"{'9' * 400}/{'a' * 400}"])
def test_made_up_links_open_nothing(address: str) -> None:
    make_user(password=OLD)
    assert Client().get(f"{UI}/local/reset/confirm/{address}/").status_code in {302, 400, 404}


def test_all_addresses_get_one_answer_and_owners_the_truth() -> None:
    make_user("bob@example.org")  # no password
    run("user-add", "new@example.org")
    for email in ("bob@example.org", "nobody@example.org", "new@example.org"):
        assert ask(email).headers["Location"] == f"{UI}/local/password_reset/done"
    (mail,) = QueuedMail.objects.filter(template="registration/password_email.txt")
    assert "bob@example.org" in mail.recipient
    assert "by another provider" in mail.body
    assert "reset/confirm" not in mail.body


def test_a_site_that_tells_which_accounts_it_has(settings_override: Any) -> None:
    settings_override(ASTAKOS_HIDE_ACCOUNTS=False)
    make_user("bob@example.org")
    assert "There is no account with this e-mail." in ask("nobody@example.org").content.decode()
    assert "by another provider" in ask("bob@example.org").content.decode()
    assert not QueuedMail.objects.exists()


def test_nobody_s_mailbox_is_flooded() -> None:
    make_user(password=OLD)
    codes = [ask().status_code for _ in range(4)]
    assert codes == [302, 302, 302, 429]
    assert QueuedMail.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_link_used_twice_at_once_sets_one_password() -> None:
    make_user(password=OLD)
    own_password.ask_reset("ann@example.org", client_ip=None)
    uuid, token = mailed_link().strip("/").split("/")[-2:]
    done = at_once(4, lambda number: own_password.reset(uuid, token, f"{NEW} {number}"))
    (winner,) = [number for number, item in enumerate(done) if not isinstance(item, DomainError)]
    assert User.objects.get().check_password(f"{NEW} {winner}")
