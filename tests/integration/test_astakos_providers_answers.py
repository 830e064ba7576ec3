"""Answers of providers, checked: an OpenID provider that lies, and our side of Google, LinkedIn and Twitter.

The last three cannot be run here: a stand-in plays their published endpoints.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from django.core.cache import cache
from django.test import Client

from synnefo.astakos.models import LoginMethod, User
from tests.support.identity import make_user
from tests.support.openid_provider import query_of
from tests.support.sign_in import UI, form_fields, messages_of, signed_in_as, token_of
from tests.support.stand_in import StandIn, new_key, stand_in

pytestmark = pytest.mark.django_db(transaction=True)
START = f"{UI}/login/oidc:odd"


@pytest.fixture(scope="module")
def _server() -> Iterator[StandIn]:
    with stand_in() as found:
        yield found


@pytest.fixture
def other(_server: StandIn, settings_override: Any) -> Iterator[StandIn]:
    cache.clear()
    _server.answers.clear()
    _server.requests.clear()
    _server.describe()
    settings_override(ASTAKOS_IM_MODULES=["local", "oidc:odd", "google", "linkedin", "twitter"],
                      ASTAKOS_OIDC_PROVIDERS={"odd": {"issuer": _server.issuer, "client_id": "cloud-1", "client_secret": "s"}},
                      ASTAKOS_GOOGLE_CLIENT_ID="cloud-1", ASTAKOS_GOOGLE_CLIENT_SECRET="s", ASTAKOS_GOOGLE_ISSUER=_server.issuer,
                      ASTAKOS_LINKEDIN_TOKEN="cloud-1", ASTAKOS_LINKEDIN_SECRET="s", ASTAKOS_LINKEDIN_ISSUER=_server.issuer,
                      ASTAKOS_TWITTER_TOKEN="cloud-1", ASTAKOS_TWITTER_SECRET="s", ASTAKOS_TWITTER_AUTHORIZE_URL=f"{_server.issuer}/asking",
                      ASTAKOS_TWITTER_TOKEN_URL=f"{_server.issuer}/token", ASTAKOS_TWITTER_USER_URL=f"{_server.issuer}/me")
    yield _server
    cache.clear()


@pytest.fixture
def ann(other: StandIn) -> User:
    user = make_user()
    LoginMethod.objects.create(user=user, module="oidc:odd", identifier=f"{other.issuer}|4711")
    return user


def _come(other: StandIn, *, start: str = START, extra: str = "", **token: Any) -> Client:
    """To the provider and back with this ID token."""
    client = Client()
    asked = query_of(client.get(start).headers["Location"])
    other.tell(**{"nonce": asked.get("nonce"), **token})
    client.get(f"{start}/authenticated?code=c&state={asked['state']}{extra}")
    return client


def test_a_good_token_is_accepted(other: StandIn, ann: User) -> None:
    assert signed_in_as(_come(other)) == str(ann.pk)
    assert signed_in_as(_come(other, aud=["cloud-1", "second"], azp="cloud-1")) == str(ann.pk)
    assert signed_in_as(_come(other, extra=f"&iss={other.issuer}")) == str(ann.pk)
    form = other.forms("/token")[0]
    assert (form["client_id"], form["client_secret"], form["code"]) == ("cloud-1", "s", "c")


_NOW = int(time.time())


@pytest.mark.parametrize("lie", [
    {"nonce": "another"}, {"nonce": None}, {"aud": "another client"}, {"aud": ["cloud-1", "x"]}, {"azp": "x"}, {"iss": "https://evil.example"},
    {"exp": _NOW - 3600}, {"exp": None}, {"iat": None}, {"iat": _NOW + 3600}, {"sub": None}, {"sub": ""}, {"key": "another"}, {"kid": "unknown"},
    {"algorithm": "none"}, {"algorithm": "HS256"}, {"extra": "&iss=https://evil.example"},
], ids="-".join)
def test_lies_open_no_session(other: StandIn, ann: User, lie: dict[str, Any]) -> None:
    if lie.get("key"):
        lie = {"key": new_key()}
    if lie.get("algorithm"):
        client = Client()
        asked = query_of(client.get(START).headers["Location"])
        claims = {"iss": other.issuer, "aud": "cloud-1", "sub": "4711", "iat": _NOW, "exp": _NOW + 3600, "nonce": asked["nonce"]}
        secret = None if lie["algorithm"] == "none" else "s" * 32
        token = jwt.encode(claims, secret, lie["algorithm"], headers={"kid": "one"})
        other.describe(id_token_signing_alg_values_supported=["RS256", "HS256", "none"])
        other.answers["/token"] = 200, {"access_token": "a", "id_token": token}
        client.get(f"{START}/authenticated?code=c&state={asked['state']}")
    else:
        client = _come(other, **lie)
    assert signed_in_as(client) is None
    assert "did not sign you in" in messages_of(client.get(f"{UI}/login"))


@pytest.mark.parametrize(("status", "answer"), [
    (200, {"access_token": "a"}), (200, {"id_token": 7}), (200, []), (200, b"no json"), (400, {"error": "invalid_grant"}), (503, {}),
    (200, b"[" + b"1," * 700_000 + b"1]"), (200, {"id_token": "a.b.c"}), (302, {}),
], ids=range(9))
def test_answers_that_make_no_sense_are_no_sign_in(other: StandIn, ann: User, status: int, answer: Any) -> None:
    client = Client()
    state = query_of(client.get(START).headers["Location"])["state"]
    other.answers["/token"] = status, answer
    response = client.get(f"{START}/authenticated?code=c&state={state}")
    assert response.status_code == 302
    assert signed_in_as(client) is None


def test_user_information_must_be_about_the_same_person(other: StandIn, ann: User) -> None:
    other.describe(userinfo_endpoint=f"{other.issuer}/info")
    other.answers["/info"] = 200, {"sub": "somebody else"}
    assert signed_in_as(_come(other)) is None
    other.answers["/info"] = 200, {"sub": "4711"}
    assert signed_in_as(_come(other)) == str(ann.pk)


def test_new_keys_are_fetched_once_a_minute(other: StandIn, ann: User) -> None:
    assert signed_in_as(_come(other)) == str(ann.pk)
    fresh = new_key()
    other.answers["/keys"] = 200, {"keys": [other.public(fresh, "two")]}
    assert signed_in_as(_come(other, key=fresh, kid="two")) == str(ann.pk)
    for _ in range(3):
        assert signed_in_as(_come(other, key=fresh, kid="three")) is None
    assert len(other.forms("/keys")) == 2


def test_a_client_that_must_use_basic_authentication_does(other: StandIn, ann: User) -> None:
    other.describe(token_endpoint_auth_methods_supported=["client_secret_basic"])
    assert signed_in_as(_come(other)) == str(ann.pk)
    headers = next(headers for path, _, headers in other.requests if path == "/token")
    assert base64.b64decode(headers["Authorization"].split()[1]) == b"cloud-1:s"
    assert "client_secret" not in other.forms("/token")[0]


def test_google_identities_are_its_subjects(other: StandIn) -> None:
    user = make_user()
    LoginMethod.objects.create(user=user, module="google", identifier="4711")
    assert signed_in_as(_come(other, start=f"{UI}/login/google")) == str(user.pk)
    assert "code_verifier" in other.forms("/token")[0]
    assert user.login_methods.get().affiliation == "Google.com"


def test_linkedin_knows_neither_nonces_nor_challenges(other: StandIn) -> None:
    user = make_user()
    LoginMethod.objects.create(user=user, module="linkedin", identifier="4711")
    asked = query_of(Client().get(f"{UI}/login/linkedin").headers["Location"])
    assert not {"nonce", "code_challenge"} & set(asked)
    assert signed_in_as(_come(other, start=f"{UI}/login/linkedin", nonce=None)) == str(user.pk)
    assert "code_verifier" not in other.forms("/token")[0]


def test_twitter_users_are_their_numbers(other: StandIn, settings_override: Any) -> None:
    settings_override(ASTAKOS_TWITTER_AUTH_FORCE_LOGIN=True)
    client = Client()
    asked = query_of(client.get(f"{UI}/login/twitter").headers["Location"])
    assert (asked["force_login"], asked["client_id"]) == ("true", "cloud-1")
    other.answers["/token"] = 200, {"access_token": "access"}
    other.answers["/me"] = 200, {"data": {"id": "815", "name": "Ann Lee", "username": "annlee"}}
    response = client.get(f"{UI}/login/twitter/authenticated?code=c&state={asked['state']}")
    fields = form_fields(messages_of(client.get(response.headers["Location"])))
    assert (fields["email"], fields["first_name"], fields["last_name"]) == ("", "Ann", "Lee")
    client.post(f"{UI}/signup", {"third_party_token": token_of(response), "email": "ann@example.org"})
    method = LoginMethod.objects.get()
    assert (method.identifier, method.info, method.affiliation) == ("815", {"screen_name": "annlee"}, "Twitter.com")
    form = other.forms("/token")[0]
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
    headers = next(headers for path, _, headers in other.requests if path == "/me")
    assert headers["Authorization"] == "Bearer access"
    for answer in ({"data": {"id": "x"}}, {"data": None}, {}):
        other.answers["/me"] = 200, answer
        fresh = Client()
        state = query_of(fresh.get(f"{UI}/login/twitter").headers["Location"])["state"]
        fresh.get(f"{UI}/login/twitter/authenticated?code=c&state={state}")
        assert "did not sign you in" in messages_of(fresh.get(f"{UI}/login"))
