"""The user's own profile: names, and the e-mail, which changes once the new address is confirmed."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from synnefo.astakos.models import EmailChange, LoginMethod, QueuedMail, User
from synnefo.astakos.services import email_changes, housekeeping, users
from synnefo.common.errors import DomainError
from tests.support.identity import Http, make_token, make_user
from tests.support.together import at_once

pytestmark = pytest.mark.django_db
UI = "/astakos/ui"
PASSWORD = "a quiet river in May"
ASK = {"new_email": "Ann.Lee@example.net", "password": PASSWORD}


@pytest.fixture(autouse=True)
def _site(settings_override: Any) -> None:
    cache.clear()
    settings_override(ASTAKOS_EMAILCHANGE_ENABLED=True)


@pytest.fixture
def user() -> User:
    return make_user(password=PASSWORD, first_name="Ann", last_name="Lee")


@pytest.fixture
def client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def link() -> str:
    body = QueuedMail.objects.filter(template="registration/email_change_email_new_email.txt").latest("pk").body
    return "/astakos/ui/email_change/confirm/" + next(line for line in body.splitlines() if "/email_change/confirm/" in line).rpartition("/")[2]


def test_names_are_saved(client: Client, user: User) -> None:
    page = client.get(f"{UI}/profile")
    assert 'value="Ann"' in page.content.decode()
    assert not User.objects.get().profile_confirmed
    done = client.post(f"{UI}/profile", {"first_name": " Anna ", "last_name": "", "next": "/machines"})
    assert done.headers["Location"] == "/machines"
    user.refresh_from_db()
    assert (user.first_name, user.last_name, user.profile_confirmed) == ("Anna", "", True)


def test_bad_names_are_told_at_the_field(client: Client, user: User) -> None:
    refused = client.post(f"{UI}/profile", {"first_name": "x" * 151, "last_name": "a\x1bb"})
    assert refused.status_code == 400
    user.refresh_from_db()
    assert user.realname == "Ann Lee"


def test_a_provider_s_names_stay(client: Client, user: User, settings_override: Any) -> None:
    settings_override(ASTAKOS_IM_MODULES=["local", "ldap"], AUTH_LDAP_SERVER_URI="ldaps://ldap.example.org",
                      AUTH_LDAP_USER_SEARCH={"base": "dc=example", "filter": "(uid=%(user)s)"},
                      ASTAKOS_AUTH_PROVIDER_LDAP_USER_ATTR_MAP={"first_name": ("givenName", False), "email": ("mail", False)})
    LoginMethod.objects.create(user=user, module="ldap", identifier="ann")
    client.post(f"{UI}/profile", {"first_name": "Other", "last_name": "Name"})
    user.refresh_from_db()
    assert user.realname == "Ann Name"
    assert client.get(f"{UI}/email_change").status_code == 404


def test_users_look_at_their_profile_once_where_the_operator_wants_it(settings_override: Any, user: User) -> None:
    settings_override(ASTAKOS_FORCE_PROFILE_UPDATE=True)
    sign_in = {"username": user.email, "password": PASSWORD, "next": "/machines"}
    client = Client()
    assert client.post(f"{UI}/login", sign_in).headers["Location"] == f"{UI}/profile?next=%2Fmachines"
    client.post(f"{UI}/profile", {"first_name": "Ann", "last_name": "Lee"})
    assert Client().post(f"{UI}/login", sign_in).headers["Location"] == "/machines"


def test_links_of_the_operator(settings_override: Any, client: Client) -> None:
    settings_override(ASTAKOS_PROFILE_EXTRA_LINKS={"Help <desk>": "https://help.example.org", "Bad": "javascript:alert(1)"})
    page = client.get(f"{UI}/profile").content.decode()
    assert '<a href="https://help.example.org" rel="noopener">Help &lt;desk&gt;</a>' in page
    assert "javascript:" not in page


def test_the_e_mail_changes_when_the_new_address_is_confirmed(client: Client, user: User) -> None:
    token = make_token(user)
    assert client.post(f"{UI}/email_change", ASK).headers["Location"] == f"{UI}/profile"
    assert "ann.lee@example.net" in client.get(f"{UI}/profile").content.decode()
    new, old = QueuedMail.objects.order_by("pk")
    assert ("ann.lee@example.net" in new.recipient, "ann@example.org" in old.recipient) == (True, True)
    assert "confirm/" not in old.body
    address = link()
    assert Client().get(address).status_code == 200
    user.refresh_from_db()
    assert user.email == "ann@example.org"
    assert Client().post(address).headers["Location"] == f"{UI}/login"
    user.refresh_from_db()
    assert user.email == "ann.lee@example.net"
    assert not EmailChange.objects.exists()
    assert Client().get(address).status_code == 404
    shown = Http(token).post("/astakos/account/v1.0/user_catalogs", {"uuids": [user.uuid]}).json()
    assert shown["uuid_catalog"] == {user.uuid: "ann.lee@example.net"}
    assert Client().post(f"{UI}/login", {"username": "ann.lee@example.net", "password": PASSWORD}).status_code == 302


@pytest.mark.parametrize(("changes", "text"), [
    ({"password": "another one"}, "The password is wrong."), ({"password": ""}, "required"), ({"new_email": "nonsense"}, "Invalid e-mail"),
    ({"new_email": "ann@example.org"}, "your e-mail already"), ({"new_email": "BOB@example.org"}, "already an account")])
def test_a_refused_change_sends_nothing(client: Client, changes: dict[str, str], text: str) -> None:
    make_user("bob@example.org")
    refused = client.post(f"{UI}/email_change", ASK | changes)
    assert refused.status_code == 400
    assert text in refused.content.decode()
    assert not QueuedMail.objects.exists()


def test_a_change_can_be_mailed_again_and_cancelled(client: Client) -> None:
    client.post(f"{UI}/email_change", ASK)
    first = link()
    client.post(f"{UI}/email_change", {"action": "resend"})
    assert Client().get(first).status_code == 404
    assert Client().get(link()).status_code == 200
    client.post(f"{UI}/email_change", {"action": "cancel"})
    assert Client().get(link()).status_code == 404
    assert "No change" in client.post(f"{UI}/email_change", {"action": "cancel"}, follow=True).content.decode()
    assert "pending" not in client.get(f"{UI}/profile").content.decode()


def test_mails_are_bounded(client: Client) -> None:
    codes = [client.post(f"{UI}/email_change", ASK).status_code for _ in range(6)]
    assert codes == [302] * 5 + [429]


def test_somebody_else_who_is_signed_in_changes_nothing(client: Client, user: User) -> None:
    client.post(f"{UI}/email_change", ASK)
    other = Client()
    other.force_login(make_user("bob@example.org"))
    assert other.get(link()).status_code == 403
    assert other.post(link()).status_code == 403
    user.refresh_from_db()
    assert user.email == "ann@example.org"


def test_an_old_link_is_worth_nothing(client: Client) -> None:
    client.post(f"{UI}/email_change", ASK)
    EmailChange.objects.update(created_at=timezone.now() - datetime.timedelta(days=11))
    assert housekeeping.clean()["changes of e-mails"] == 1
    assert Client().post(link()).status_code == 404


def test_the_address_is_taken_meanwhile(client: Client, user: User) -> None:
    client.post(f"{UI}/email_change", ASK)
    other = make_user("ann.lee@example.net")
    page = client.post(link(), follow=True)
    assert "already an account" in page.content.decode()
    user.refresh_from_db()
    assert user.email == "ann@example.org"
    assert EmailChange.objects.filter(user=user).exists(), "it may become free again"
    assert User.objects.filter(pk=other.pk).exists()


def test_an_account_that_nobody_confirmed_holds_no_address(client: Client, user: User) -> None:
    users.create_user("ann.lee@example.net", verified=False, accepted=False)
    assert client.post(f"{UI}/email_change", ASK).status_code == 302
    client.post(link())
    user.refresh_from_db()
    assert user.email == "ann.lee@example.net"
    assert User.objects.count() == 1


def test_the_page_is_there_only_where_it_is_allowed(client: Client, settings_override: Any) -> None:
    settings_override(ASTAKOS_EMAILCHANGE_ENABLED=False)
    assert client.get(f"{UI}/email_change").status_code == 404
    assert client.get(f"{UI}/email_change/confirm/x").status_code == 404
    assert "Change the e-mail" not in client.get(f"{UI}/profile").content.decode()


def test_people_take_their_data_along(client: Client, user: User) -> None:
    LoginMethod.objects.create(user=user, module="ldap", identifier="ann-lee")
    token = make_token(user)
    answer = client.get(f"{UI}/profile/data")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="account-{user.uuid}.json"'
    found = answer.json()
    assert (found["account"]["email"], found["account"]["first_name"]) == (user.email, "Ann")
    assert {"ldap"} <= {item["module"] for item in found["sign_in_methods"]}
    assert [item["project__uuid"] for item in found["memberships"]] == [user.uuid]
    assert found["tokens"]
    text = answer.content.decode()
    assert token not in text
    assert "argon2" not in text
    assert "hash" not in text


def test_lasting_access_takes_a_fresh_sign_in(client: Client, user: User) -> None:
    session = client.session
    session["auth_time"] = 1
    session.save()
    for path, data in (("profile/data", None), ("api_access", {"action": "create", "name": "backup", "days": "9"}), ("programs", {"action": "make-key"})):
        answer = client.get(f"{UI}/{path}") if data is None else client.post(f"{UI}/{path}", data)
        assert answer.status_code == 302
        assert "force" in answer.headers["Location"], path
    assert not user.ec2_credentials.exists()
    assert not user.api_tokens.filter(name="backup").exists()


@pytest.mark.django_db(transaction=True)
def test_two_users_who_take_one_address_at_once() -> None:
    people = [make_user(f"user{number}@example.org", password=PASSWORD) for number in range(3)]
    keys = []
    for person in people:
        email_changes.ask(person, "one@example.net", PASSWORD, client_ip=None)
        keys.append(link().rpartition("/")[2])
    done = at_once(3, lambda number: email_changes.confirm(keys[number]))
    assert sum(not isinstance(item, DomainError) for item in done) == 1
    assert User.objects.filter(email="one@example.net").count() == 1
