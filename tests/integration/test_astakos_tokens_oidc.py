"""OpenID Connect: a relying party signs a user in, verifies the ID token by the published keys, and keys are replaced."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from django.core.cache import cache
from django.utils import timezone
from oauthlib.oauth2 import DeviceClient, WebApplicationClient
from pytest_django.live_server_helper import LiveServer

from synnefo.astakos.models import Group, SigningKey, User
from tests.support import commands
from tests.support.identity import PASSWORD, V3, Http, make_token, make_user
from tests.support.oauth2 import CALLBACK, ROOT, SECRET, Browser, basic, exchange, fields_of, make_client, post

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_throttle() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def claims_of(token: str, **options: Any) -> dict[str, Any]:
    """The claims of an ID token, verified by the published keys."""
    key = jwt.PyJWKSet.from_dict(Http().get(f"{ROOT}/jwks").json())[jwt.get_unverified_header(token)["kid"]]
    found: dict[str, Any] = jwt.decode(token, key, audience="app", issuer="http://testserver/astakos", **options)
    return found


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_an_id_token_says_who_signed_in_within_the_scopes(algorithm: str, settings_override: Any) -> None:
    settings_override(OAUTH2_ID_TOKEN_ALGORITHM=algorithm)
    make_client()
    user = make_user(first_name="Ann", last_name="Lee")
    user.groups.add(Group.objects.create(name="ops"))
    answer = exchange(Browser(user).code(scope="openid profile email groups", nonce="n-0")).json()
    claims = claims_of(answer["id_token"], algorithms=[algorithm])
    assert jwt.get_unverified_header(answer["id_token"])["alg"] == algorithm
    assert (claims["sub"], claims["nonce"], claims["name"], claims["email"], claims["email_verified"], claims["groups"], claims["amr"]) == (
        user.uuid, "n-0", "Ann Lee", "ann@example.org", True, ["ops"], ["pwd"])
    assert claims["iat"] - 60 <= claims["auth_time"] <= claims["iat"]
    bare = claims_of(exchange(Browser(user).code(scope="openid")).json()["id_token"], algorithms=[algorithm])
    assert not {"name", "email", "groups", "nonce"} & set(bare)
    settings_override(ASTAKOS_BASE_URL="https://accounts.example.org/astakos")
    shown = Http().get(f"{ROOT}/userinfo", Authorization=f"Bearer {answer['access_token']}")
    assert shown.status_code == 400  # not by plain http


def test_userinfo(settings_override: Any) -> None:
    settings_override(DEBUG=True)
    make_client()
    user = make_user()
    known = exchange(Browser(user).code(scope="openid email")).json()["access_token"]
    other = exchange(Browser(user).code(scope="api")).json()["access_token"]

    def ask(token: str) -> Any:
        return Http().get(f"{ROOT}/userinfo", Authorization=f"Bearer {token}")

    assert ask(known).json() == {"sub": user.uuid, "email": "ann@example.org", "email_verified": True}
    assert (ask(other).status_code, ask("wrong").status_code) == (403, 401)
    assert 'error="invalid_token"' in ask("wrong").headers["WWW-Authenticate"]
    assert ask(make_token(user)).status_code == 401


def test_what_the_client_may_ask_of_the_sign_in() -> None:
    make_client(is_trusted=True)
    make_client("asking")
    browser = Browser(make_user())
    assert fields_of(Browser().ask(scope="openid", prompt="none", state="s").headers["Location"]) == {"error": "login_required", "state": "s"}
    assert "code" in fields_of(browser.ask(scope="openid", prompt="none").headers["Location"])
    asking = browser.ask(client_id="asking", scope="openid", prompt="none").headers["Location"]
    assert fields_of(asking) == {"error": "consent_required"}
    assert "code" in fields_of(browser.ask(scope="openid", max_age="600").headers["Location"])
    again = browser.ask(scope="openid", prompt="login").headers["Location"]
    assert again.startswith("/astakos/ui/login?next=")
    assert "prompt" not in again
    assert browser.ask(scope="openid").headers["Location"].startswith("/astakos/ui/login")


def test_old_keys_are_published_until_what_they_signed_has_expired() -> None:
    make_client()
    browser = Browser(make_user())
    old = exchange(browser.code(scope="openid")).json()["id_token"]
    assert commands.run("oidc-rotate-keys").code == 0
    new = exchange(browser.code(scope="openid")).json()["id_token"]
    kids = [jwt.get_unverified_header(token)["kid"] for token in (old, new)]
    assert kids[0] != kids[1]
    assert claims_of(old, algorithms=["RS256"])["sub"] == claims_of(new, algorithms=["RS256"])["sub"]
    published = Http().get(f"{ROOT}/jwks").json()["keys"]
    assert len(published) == 2
    assert all({"kty", "n", "e", "kid", "use", "alg"} <= set(key) and "d" not in key for key in published)
    SigningKey.objects.filter(kid=kids[0]).update(retired_at=timezone.now() - datetime.timedelta(hours=25))
    assert [key["kid"] for key in Http().get(f"{ROOT}/jwks").json()["keys"]] == kids[1:]
    assert commands.run("oidc-rotate-keys").code == 0
    assert SigningKey.objects.filter(kid=kids[0]).count() == 0


def test_private_keys_are_stored_encrypted() -> None:
    Http().get(f"{ROOT}/jwks")
    stored = SigningKey.objects.get()
    assert "PRIVATE" not in str(SigningKey.objects.values().get())
    assert not {"d", "p", "q"} & set(stored.public_jwk)


def test_discovery_names_what_there_is() -> None:
    found = Http().get("/astakos/.well-known/openid-configuration")
    assert found.headers["Access-Control-Allow-Origin"] == "*"
    document = found.json()
    assert document["issuer"] == "http://testserver/astakos"
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "revocation_endpoint",
                 "introspection_endpoint", "device_authorization_endpoint"):
        path = document[name].removeprefix("http://testserver")
        assert Http().get(path).status_code != 404, name
    assert document["code_challenge_methods_supported"] == ["S256"]


def test_a_repeated_code_takes_the_api_token_back() -> None:
    make_client()
    code = Browser(make_user()).code(scope="openid api")
    token = exchange(code).json()["access_token"]
    assert exchange(code).status_code == 400
    assert Http(token).get(f"{V3}/auth/catalog").status_code == 401
    assert post(f"{ROOT}/introspect", {"token": token}, basic()).json() == {"active": False}


class RelyingParty:
    """A stock OAuth2 client library, and a browser, against a real server."""

    def __init__(self, server: LiveServer) -> None:
        self.http = httpx.Client(base_url=server.url, follow_redirects=False)
        self.document = self.http.get("/astakos/.well-known/openid-configuration").json()

    def sign_in(self, url: str) -> str:
        """Follow the browser's way through the sign-in and consent pages; the address that leads back."""
        answer = self.http.get(url)
        while "Location" in answer.headers and not answer.headers["Location"].startswith(CALLBACK):
            answer = self.http.get(answer.headers["Location"])
        while answer.status_code == 200:
            answer = self._send(answer)
            while "Location" in answer.headers and not answer.headers["Location"].startswith(CALLBACK):
                answer = self.http.get(answer.headers["Location"])
        assert "Location" in answer.headers, answer.text
        return answer.headers["Location"]

    def _send(self, page: httpx.Response) -> httpx.Response:
        """Fill in and send the form of a page."""
        fields = {name: value.replace("&amp;", "&") for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)}
        action = re.search(r'<form[^>]*action="([^"]*)"', page.text)
        assert action, page.text
        if 'name="username"' in page.text:
            fields |= {"username": "ann@example.org", "password": PASSWORD}
        return self.http.post(action[1].replace("&amp;", "&"), data=fields)


@pytest.fixture
def party(live_server: LiveServer, settings_override: Any, monkeypatch: pytest.MonkeyPatch) -> RelyingParty:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    settings_override(DEBUG=True, ASTAKOS_BASE_URL=f"{live_server.url}/astakos")
    return RelyingParty(live_server)


@pytest.mark.django_db(transaction=True)
def test_a_stock_client_signs_a_user_in_with_pkce_and_verifies_the_id_token(party: RelyingParty) -> None:
    user = make_user(password=PASSWORD)
    make_client()
    client = WebApplicationClient("app")
    verifier = client.create_code_verifier(64)
    url = client.prepare_request_uri(
        party.document["authorization_endpoint"], redirect_uri=CALLBACK, scope="openid email offline_access", state="s-1", nonce="n-1",
        code_challenge=client.create_code_challenge(verifier, "S256"), code_challenge_method="S256")
    back = party.sign_in(url)
    code = client.parse_request_uri_response(back, state="s-1")["code"]
    body = client.prepare_request_body(code, redirect_uri=CALLBACK, include_client_id=False, code_verifier=verifier)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = party.http.post(party.document["token_endpoint"], content=body, headers=form, auth=("app", SECRET))
    assert answer.status_code == 200, answer.text
    token = client.parse_request_body_response(answer.text)
    keys = jwt.PyJWKClient(party.document["jwks_uri"])
    claims = jwt.decode(token["id_token"], keys.get_signing_key_from_jwt(token["id_token"]), algorithms=["RS256"], audience="app",
                        issuer=party.document["issuer"])
    assert (claims["sub"], claims["nonce"], claims["email"]) == (user.uuid, "n-1", "ann@example.org")
    address, headers, _ = client.add_token(party.document["userinfo_endpoint"])
    assert party.http.get(address, headers=headers).json()["sub"] == user.uuid
    refreshed = party.http.post(party.document["token_endpoint"], content=client.prepare_refresh_body(refresh_token=token["refresh_token"]),
                                headers=form, auth=("app", SECRET))
    assert client.parse_request_body_response(refreshed.text)["access_token"] != token["access_token"]
    address, headers, body = client.prepare_token_revocation_request(
        party.document["revocation_endpoint"], refreshed.json()["refresh_token"], "refresh_token")
    assert party.http.post(address, headers=dict(headers), content=body, auth=("app", SECRET)).status_code == 200
    assert party.http.get(party.document["userinfo_endpoint"], headers={"Authorization": f"Bearer {refreshed.json()['access_token']}"}).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_a_stock_device_client(party: RelyingParty) -> None:
    user = make_user()
    make_client("tv", type_="public")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    started = party.http.post(party.document["device_authorization_endpoint"], data={"client_id": "tv", "scope": "openid api"}).json()
    Browser(User.objects.get(pk=user.pk)).client.post(
        "/astakos/ui/device", {"code": started["user_code"], "decision": "accept"}, secure=True)
    body = DeviceClient("tv").prepare_request_body(started["device_code"], include_client_id=True)
    answer = party.http.post(party.document["token_endpoint"], content=body, headers=form).json()
    assert party.http.get("/astakos/identity/v3/auth/catalog", headers={"X-Auth-Token": answer["access_token"]}).status_code == 200
