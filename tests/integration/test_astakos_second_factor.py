"""The second factor: set up, asked for, lost, demanded by groups, and at the identity API."""

from __future__ import annotations

import re
import time
from typing import Any
from unittest import mock

import pytest
from django.core.cache import cache
from django.test import Client

from synnefo.astakos.models import ApiToken, AuditRecord, Authenticator, Group, QueuedMail, RecoveryCode, User
from synnefo.astakos.services import one_time_codes, second_factors
from synnefo.common.errors import DomainError
from tests.support.commands import run
from tests.support.identity import Http, make_user
from tests.support.together import at_once

pytestmark = pytest.mark.django_db
UI, V3 = "/astakos/ui", "/astakos/identity/v3"
PASSWORD = "a quiet river in May"
SIGN_IN = {"username": "ann@example.org", "password": PASSWORD, "next": "/machines"}
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


@pytest.fixture
def user() -> User:
    return make_user(password=PASSWORD)


def code(secret: str, *, steps: int = 0) -> str:
    return one_time_codes.code_at(secret, int(time.time() // 30) + steps)


def set_up(user: User) -> tuple[str, list[str]]:
    """The secret and the recovery codes; the code of the present step may be used afterwards."""
    secret = second_factors.begin(user.user_id)
    codes = second_factors.confirm(user.user_id, code(secret, steps=-1))
    return secret, codes


def is_in(client: Client) -> bool:
    return bool(client.get(f"{UI}/session?brief").json()["authenticated"])


@pytest.mark.parametrize(("at", "expected"), [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
                                              (2000000000, "279037"), (20000000000, "353130")])
def test_the_codes_of_the_standard(at: int, expected: str) -> None:
    assert one_time_codes.code_at(RFC_SECRET, at // 30) == expected
    assert one_time_codes.step_of(RFC_SECRET, expected, after=0, now=at) == at // 30
    assert one_time_codes.step_of(RFC_SECRET, expected, after=0, now=at + 30) == at // 30
    assert one_time_codes.step_of(RFC_SECRET, expected, after=0, now=at + 60) is None
    assert one_time_codes.step_of(RFC_SECRET, expected, after=at // 30, now=at) is None


def test_setting_up_and_signing_in_with_it(user: User) -> None:
    client = Client()
    client.post(f"{UI}/login", SIGN_IN)
    page = client.get(f"{UI}/security/authenticator").content.decode()
    secret = re.sub(r"\s", "", re.search(r'<code class="wrap">([A-Z2-7 ]+)</code>', page)[1])  # type: ignore[index]
    assert "<svg" in page
    wrong = client.post(f"{UI}/security/authenticator", {"code": "000000"})
    assert (wrong.status_code, second_factors.is_on(user)) == (400, False)
    done = client.post(f"{UI}/security/authenticator", {"code": f" {code(secret, steps=-1)[:3]} {code(secret, steps=-1)[3:]}"}).content.decode()
    codes = re.findall(r"\b[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}\b", done)
    assert len(set(codes)) == 10
    assert codes[0] not in client.get(f"{UI}/security").content.decode()
    assert "authenticator was set up" in QueuedMail.objects.latest("pk").body
    assert secret not in Authenticator.objects.get().secret_encrypted

    other = Client()
    step = other.post(f"{UI}/login", SIGN_IN)
    assert step.headers["Location"] == f"{UI}/login/second-factor"
    assert not is_in(other)
    assert other.post(f"{UI}/login/second-factor", {"code": "000000"}).status_code == 401
    given = other.post(f"{UI}/login/second-factor", {"code": code(secret)})
    assert (given.status_code, given.headers["Location"]) == (302, "/machines")
    assert is_in(other)
    assert AuditRecord.objects.filter(event="login.done").latest("pk").details["factor"] == "totp"
    third = Client()
    third.post(f"{UI}/login", SIGN_IN)
    assert third.post(f"{UI}/login/second-factor", {"code": code(secret)}).status_code == 401, "the same code again"


def test_a_recovery_code_works_once(user: User) -> None:
    _, codes = set_up(user)
    client = Client()
    client.post(f"{UI}/login", SIGN_IN)
    page = client.post(f"{UI}/login/second-factor", {"code": codes[0].upper().replace("-", " ")}, follow=True)
    assert "9 recovery codes are left" in page.content.decode()
    assert is_in(client)
    assert "A recovery code was used" in QueuedMail.objects.latest("pk").body
    other = Client()
    other.post(f"{UI}/login", SIGN_IN)
    assert other.post(f"{UI}/login/second-factor", {"code": codes[0]}).status_code == 401
    assert other.post(f"{UI}/login/second-factor", {"code": codes[1]}).status_code == 302
    assert all(codes[0] not in row.code_hash for row in RecoveryCode.objects.all())


def test_guesses_are_slowed_down_for_the_account(user: User) -> None:
    set_up(user)
    answers = []
    for number in range(5):
        client = Client()
        client.post(f"{UI}/login", SIGN_IN)
        answers.append(client.post(f"{UI}/login/second-factor", {"code": f"{number:06}"}).status_code)
    assert answers[0] == 401
    assert answers[-1] == 429


def test_the_second_step_needs_the_first(user: User) -> None:
    secret, _ = set_up(user)
    assert Client().get(f"{UI}/login/second-factor").headers["Location"] == f"{UI}/login"
    client = Client()
    client.post(f"{UI}/login", SIGN_IN)
    with mock.patch("synnefo.astakos.ui.sign_in.time", mock.Mock(time=lambda: time.time() + 601)):
        assert client.post(f"{UI}/login/second-factor", {"code": code(secret)}).headers["Location"] == f"{UI}/login"
    run("user-modify", "--password", "a loud harbour in June", user.email)
    assert client.post(f"{UI}/login/second-factor", {"code": code(secret)}).headers["Location"] == f"{UI}/login"
    assert not is_in(client)


def test_a_closed_account_is_not_entered_by_its_second_step(user: User) -> None:
    secret, _ = set_up(user)
    client = Client()
    client.post(f"{UI}/login", SIGN_IN)
    run("user-modify", "--set-inactive", user.email)
    assert client.post(f"{UI}/login/second-factor", {"code": code(secret)}).status_code == 401
    assert not is_in(client)


@pytest.mark.parametrize("text", ["", "x" * 41, "a\x00b", "\uff11\uff12\uff13\uff14\uff15\uff16", "-----", "\u017f" * 20])
def test_odd_codes(user: User, text: str) -> None:
    set_up(user)
    client = Client()
    client.post(f"{UI}/login", SIGN_IN)
    assert client.post(f"{UI}/login/second-factor", {"code": text}).status_code == 401


def test_switching_off_and_new_recovery_codes_take_a_fresh_sign_in(user: User) -> None:
    _, codes = set_up(user)
    client = Client()
    client.force_login(user)
    session = client.session
    session["auth_time"] = int(time.time()) - 3600
    session.save()
    for path, fields in (("security/change", {"action": "remove"}), ("security/authenticator", {"code": "1"})):
        assert "force=" in client.post(f"{UI}/{path}", fields).headers["Location"]
    assert second_factors.is_on(user)
    session = client.session
    session["auth_time"] = int(time.time())
    session.save()
    renewed = client.post(f"{UI}/security/change", {"action": "codes"}).content.decode()
    assert codes[0] not in renewed
    assert second_factors.codes_left(user) == 10
    client.post(f"{UI}/security/change", {"action": "remove"})
    assert not second_factors.is_on(user)
    assert not RecoveryCode.objects.exists()
    assert Client().post(f"{UI}/login", SIGN_IN).headers["Location"] == "/machines"


def test_an_operator_helps_who_has_lost_everything(user: User) -> None:
    set_up(user)
    assert "Second factor switched off" in run("user-modify", "--reset-2fa", user.email).err
    assert "There was no second factor" in run("user-modify", "--reset-2fa", user.email).err
    assert Client().post(f"{UI}/login", SIGN_IN).headers["Location"] == "/machines"
    assert "An administrator switched off" in QueuedMail.objects.latest("pk").body


def test_groups_that_demand_it(user: User, settings_override: Any) -> None:
    settings_override(ASTAKOS_2FA_REQUIRED_GROUPS=["admin"])
    user.groups.add(Group.objects.get_or_create(name="admin")[0])
    client = Client()
    client.post(f"{UI}/login", SIGN_IN)
    assert client.get(f"{UI}/api_access").headers["Location"] == f"{UI}/security/authenticator"
    assert client.get("/machines").headers["Location"] == f"{UI}/security/authenticator"
    assert client.get("/machines", headers={"HX-Request": "true"}).status_code == 403
    assert client.get(f"{UI}/session?brief").status_code == 200
    secret = second_factors.begin(user.user_id)
    client.post(f"{UI}/security/authenticator", {"code": code(secret)})
    assert client.get(f"{UI}/api_access").status_code == 200
    client.post(f"{UI}/security/change", {"action": "remove"})
    assert second_factors.is_on(user), "not while a group demands it"
    bob = Client()
    bob.force_login(make_user("bob@example.org"))
    assert bob.get(f"{UI}/api_access").status_code == 200


def test_a_provider_that_has_asked_already(user: User, settings_override: Any) -> None:
    set_up(user)
    settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_2FA_EXEMPT_POLICY=True)
    assert Client().post(f"{UI}/login", SIGN_IN).headers["Location"] == "/machines"


def test_the_identity_api_asks_too(user: User) -> None:
    secret, _ = set_up(user)
    password = {"user": {"id": user.uuid, "password": PASSWORD}}
    alone = Http().post(f"{V3}/auth/tokens", {"auth": {"identity": {"methods": ["password"], "password": password}}})
    assert alone.status_code == 401
    receipt = alone.headers["Openstack-Auth-Receipt"]
    body = {"auth": {"identity": {"methods": ["totp"], "totp": {"user": {"id": user.uuid, "passcode": code(secret)}}}}}
    assert Http().post(f"{V3}/auth/tokens", body, **{"Openstack-Auth-Receipt": receipt}).status_code == 201
    assert Http().post(f"{V3}/auth/tokens", body, **{"Openstack-Auth-Receipt": receipt}).status_code == 401, "the same code again"
    assert ApiToken.objects.filter(user=user).count() == 1


def test_sessions_are_shown_and_ended(user: User) -> None:
    here, there, third = (Client(headers={"User-Agent": f"Browser {number}"}) for number in range(3))
    for client in (here, there, third):
        client.post(f"{UI}/login", SIGN_IN)
    page = here.get(f"{UI}/security").content.decode()
    assert all(f"Browser {number}" in page for number in range(3))
    assert "this one" in page
    assert "Signed in" in page
    number = re.search(r'name="id" value="(\d+)"', page)[1]  # type: ignore[index]
    here.post(f"{UI}/security/sessions", {"id": number})
    assert [is_in(here), is_in(there), is_in(third)].count(True) == 2
    here.post(f"{UI}/security/sessions")
    assert [is_in(here), is_in(there), is_in(third)] == [True, False, False]
    stranger = Client()
    stranger.force_login(make_user("bob@example.org"))
    for odd in (number, "x", "9" * 30, "-1", "²"):
        stranger.post(f"{UI}/security/sessions", {"id": odd})
    assert is_in(here)


def test_a_browser_that_was_not_seen_before_is_told_of(user: User) -> None:
    phone, desk = (Client(headers={"User-Agent": name}) for name in ("Phone", "Desk"))
    phone.post(f"{UI}/login", SIGN_IN)
    assert not QueuedMail.objects.exists()
    for _ in range(2):
        desk.post(f"{UI}/login", SIGN_IN)
        phone.post(f"{UI}/login", SIGN_IN)
    (mail,) = QueuedMail.objects.all()
    assert "not seen before" in mail.body
    assert "Desk" in mail.body


@pytest.mark.django_db(transaction=True)
def test_a_code_given_at_once_opens_one_door() -> None:
    user = make_user(password=PASSWORD)
    secret, codes = set_up(user)
    for text in (code(secret), codes[0]):
        cache.clear()
        done = at_once(4, lambda _, text=text: second_factors.give(user, text, client_ip=None))
        assert sum(not isinstance(item, DomainError) for item in done) == 1
