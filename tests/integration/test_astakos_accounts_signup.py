"""Signing up with a password: the mail, its link, moderation, and who hears of what."""

from __future__ import annotations

import datetime
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from synnefo.astakos.models import LoginMethod, QueuedMail, User
from synnefo.astakos.services import users
from tests.support.commands import run
from tests.support.identity import make_user

pytestmark = pytest.mark.django_db
UI = "/astakos/ui"
PASSWORD = "a quiet river in May"
FORM = {"email": "Ann@Example.org", "first_name": "Ann", "last_name": "Lee", "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


@pytest.fixture(autouse=True)
def _staff(settings_override: Any) -> None:
    settings_override(HELPDESK=[("Help", "help@example.org")], MANAGERS=[], ADMINS=[])


def sign_up(client: Client | None = None, **changes: str) -> Any:
    return (client or Client()).post(f"{UI}/signup", FORM | changes)


def mail_to(recipient: str) -> QueuedMail:
    return QueuedMail.objects.filter(recipient__contains=recipient).latest("pk")


def link() -> str:
    """The path of the link in the newest mail to Ann."""
    found = re.search(r"https?://\S+/ui/activate\S+", mail_to("ann@example.org").body)
    assert found
    return f"{urlsplit(found[0]).path}?{urlsplit(found[0]).query}"


def follow(address: str, client: Client | None = None) -> Any:
    client = client or Client()
    shown = client.get(address)
    assert shown.status_code == 200, shown.headers
    fields = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    return client.post(f"{UI}/activate", fields)


def templates() -> list[str]:
    return list(QueuedMail.objects.order_by("pk").values_list("template", flat=True))


def test_from_sign_up_to_the_wanted_page() -> None:
    client = Client()
    sent = sign_up(client, next="/machines")
    page = client.get(sent.headers["Location"])
    assert "ann@example.org" in page.content.decode()
    user = User.objects.get()
    assert (user.email, user.realname, user.status) == ("ann@example.org", "Ann Lee", "Pending email verification")
    assert not user.is_active
    done = follow(link(), client)
    assert (done.status_code, done.headers["Location"]) == (302, "/machines")
    user.refresh_from_db()
    assert user.status == "Accepted/Active (accepted policy: auto_moderation)"
    assert (user.accepted_email, user.moderated_data["email"]) == ("ann@example.org", "ann@example.org")
    assert client.get(f"{UI}/session?brief").json()["email"] == "ann@example.org"
    assert templates() == ["im/activation_email.txt", "im/welcome_email.txt", "im/account_activated_notification.txt"]
    assert Client().post(f"{UI}/login", {"username": "ann@example.org", "password": PASSWORD}).status_code == 302


def test_looking_at_the_link_confirms_nothing() -> None:
    sign_up()
    assert Client().get(link()).status_code == 200
    assert not User.objects.get().email_verified


def test_links_work_once_until_a_newer_one_is_sent_and_for_a_week() -> None:
    sign_up()
    first = link()
    assert run("user-activation-send", "ann@example.org").code == 0
    assert Client().get(first).status_code == 302
    User.objects.update(verification_sent_at=timezone.now() - datetime.timedelta(days=8))
    assert Client().get(link()).status_code == 302
    assert run("user-activation-send", "ann@example.org").code == 0
    address = link()
    follow(address)
    assert Client().get(address).status_code == 302
    assert "used already" in Client().get(address, follow=True).content.decode()
    assert Client().get(f"{UI}/activate").status_code == 403


def test_who_is_signed_in_confirms_nothing_by_accident() -> None:
    sign_up()
    client = Client()
    client.force_login(make_user("bob@example.org"))
    assert client.post(f"{UI}/activate", {"auth": parse_qs(urlsplit(link()).query)["auth"][0]}).status_code == 302
    assert not User.objects.get(email="ann@example.org").email_verified


def test_moderation(settings_override: Any) -> None:
    settings_override(ASTAKOS_MODERATION_ENABLED=True)
    sign_up()
    client = Client()
    shown = client.get(follow(link(), client).headers["Location"]).content.decode()
    assert "waits for approval" in shown
    user = User.objects.get()
    assert user.status == "Pending moderation"
    told = mail_to("help@example.org")
    assert f"snf-manage user-modify --accept {user.pk}" in told.body
    assert "waits for approval" in told.subject
    refused = client.post(f"{UI}/login", {"username": "ann@example.org", "password": PASSWORD})
    assert (refused.status_code, "Pending moderation" in refused.content.decode()) == (401, True)
    assert "Account accepted" in run("user-modify", "--accept", str(user.pk)).err
    assert templates()[2:] == ["im/welcome_email.txt", "im/account_activated_notification.txt"]
    assert run("user-modify", "--accept", str(user.pk)).code == 1
    assert len(templates()) == 4
    assert Client().post(f"{UI}/login", {"username": "ann@example.org", "password": PASSWORD}).status_code == 302


def test_rejected_users_hear_why_and_can_be_accepted_later(settings_override: Any) -> None:
    settings_override(ASTAKOS_MODERATION_ENABLED=True)
    sign_up()
    follow(link())
    assert run("user-modify", "--reject", "--reject-reason", "no student", "ann@example.org").code == 0
    refused = Client().post(f"{UI}/login", {"username": "ann@example.org", "password": PASSWORD})
    assert "Rejected (no student)" in refused.content.decode()
    assert run("user-modify", "--accept", "ann@example.org").code == 0
    assert User.objects.get().is_active


@pytest.mark.parametrize(("settings", "policy"), [
    ({"ASTAKOS_RE_USER_EMAIL_PATTERNS": [r".*@example\.org$"]}, "email"),
    ({"ASTAKOS_AUTH_PROVIDER_LOCAL_AUTOMODERATE_POLICY": True}, "auth_provider_local")])
def test_who_needs_no_approval(settings_override: Any, settings: dict[str, Any], policy: str) -> None:
    settings_override(ASTAKOS_MODERATION_ENABLED=True, **settings)
    sign_up()
    follow(link())
    assert User.objects.get().status == f"Accepted/Active (accepted policy: {policy})"


def test_an_e_mail_that_needs_no_proof(settings_override: Any) -> None:
    settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_AUTOVERIFY_POLICY=True)
    client = Client()
    assert sign_up(client, next="/machines").headers["Location"] == "/machines"
    assert client.get(f"{UI}/session?brief").json()["authenticated"]


def test_an_unconfirmed_account_gives_way() -> None:
    sign_up()
    old = link()
    sign_up(first_name="Anna")
    assert User.objects.get().first_name == "Anna"
    assert LoginMethod.objects.count() == 1
    assert Client().get(old).status_code == 302
    follow(link())
    assert User.objects.get().is_active


def test_a_known_e_mail() -> None:
    make_user("ann@example.org")
    again = sign_up()
    assert again.status_code == 409
    assert "There is already an account" in again.content.decode()
    assert 'value="Ann"' in again.content.decode()
    assert PASSWORD not in again.content.decode()
    assert not QueuedMail.objects.exists()


def test_a_site_that_keeps_its_accounts_to_itself(settings_override: Any) -> None:
    settings_override(ASTAKOS_HIDE_ACCOUNTS=True)
    make_user("ann@example.org")
    known, unknown = Client(), Client()
    pages = [known.get(sign_up(known).headers["Location"]), unknown.get(sign_up(unknown, email="new@example.org").headers["Location"])]
    assert [page.status_code for page in pages] == [200, 200]
    bodies = [re.sub(r'"[A-Za-z0-9]{64}"', "", page.content.decode().replace("new@", "ann@")) for page in pages]
    assert bodies[0] == bodies[1]
    assert "tried to make an account" in mail_to("ann@example.org").body


@pytest.mark.parametrize(("changes", "field"), [
    ({"email": "nonsense"}, "email"), ({"email": "a\x00b@example.org"}, "email"), ({"email": ""}, "email"),
    ({"password2": "another one here"}, "password2"), ({"password1": "short", "password2": "short"}, "password1"),
    ({"password1": "password123", "password2": "password123"}, "password1"), ({"first_name": "x" * 151}, "first_name"),
    ({"last_name": "a\nb\x1b"}, "last_name"), ({"password1": "y" * 2000, "password2": "y" * 2000}, "password1"),
    ({"first_name": "\ud800"}, "first_name")])
def test_what_is_wrong_is_told_at_the_field(changes: dict[str, str], field: str) -> None:
    if "\ud800" in changes.get(field, ""):
        answer = Client().post(f"{UI}/signup", b"email=a%40b.org&first_name=%ED%A0%80&last_name=&password1=&password2=",
                               content_type="application/x-www-form-urlencoded")
    else:
        answer = sign_up(**changes)
    assert answer.status_code == 400
    assert "small error" in answer.content.decode()
    assert not User.objects.exists()


def test_nobody_signs_up_where_policies_forbid_it(settings_override: Any) -> None:
    settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_CREATE_POLICY=False)
    assert sign_up().status_code == 403
    assert Client().get(f"{UI}/signup").status_code == 403
    assert Client().get(f"{UI}/signup?provider=local").status_code == 403
    assert "Create an account" not in Client().get(f"{UI}/login").content.decode()


def test_the_link_to_sign_up_can_be_hidden(settings_override: Any) -> None:
    assert f'href="{UI}/signup?next=' in Client().get(f"{UI}/login?next=/machines").content.decode()
    settings_override(ASTAKOS_SHOW_SIGNUP=False)
    assert "Create an account" not in Client().get(f"{UI}/login").content.decode()
    assert Client().get(f"{UI}/signup").status_code == 200


def test_who_is_signed_in_needs_no_account() -> None:
    client = Client()
    client.force_login(make_user())
    assert client.get(f"{UI}/signup?next=/machines").headers["Location"] == "/machines"


def test_the_mail_can_be_asked_for_again_a_few_times() -> None:
    client = Client()
    where = sign_up(client).headers["Location"]
    for _ in range(3):
        assert client.post(where).status_code == 302
    slow = client.post(where)
    assert (slow.status_code, 0 < int(slow.headers["Retry-After"]) <= 3600) == (429, True)
    assert "minutes" in slow.content.decode()
    assert QueuedMail.objects.count() == 4
    assert Client().get(f"{UI}/send/activation/nonsense").status_code == 302
    follow(link())
    assert Client().get(where).status_code == 200


def test_a_right_password_before_the_e_mail_is_confirmed_leads_to_the_mail() -> None:
    sign_up()
    client = Client()
    page = client.post(f"{UI}/login", {"username": "ann@example.org", "password": PASSWORD}, follow=True)
    assert "Your e-mail is not confirmed yet." in page.content.decode()
    assert "Send it again" in page.content.decode()
    wrong = client.post(f"{UI}/login", {"username": "ann@example.org", "password": "another"})
    assert "The e-mail or the password is wrong." in wrong.content.decode()


def test_one_address_does_not_fill_the_table() -> None:
    codes = [sign_up(email=f"user{number}@example.org").status_code for number in range(11)]
    assert codes == [302] * 10 + [429]


def test_an_inactive_account_is_not_opened_by_an_old_link() -> None:
    sign_up()
    address = link()
    follow(address)
    assert run("user-modify", "--set-inactive", "ann@example.org").code == 0
    assert Client().get(address).status_code == 302
    assert not User.objects.get().is_active


def test_operators_send_the_mail() -> None:
    make_user("bob@example.org")
    users.create_user("ann@example.org", verified=False, accepted=False)
    sent = run("user-activation-send", "ann@example.org", "bob@example.org", "nobody")
    assert sent.code == 1
    assert "Activation sent to 'ann@example.org'" in sent.err
    assert "already confirmed" in sent.err
    assert "does not exist" in sent.err
    assert templates() == ["im/activation_email.txt"]
    follow(link())
    assert User.objects.get(email="ann@example.org").is_active
