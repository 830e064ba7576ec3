"""The OAuth2 server: what it refuses, codes and tokens that are good once, PKCE, refresh, devices, and its clients."""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from synnefo.astakos.models import AuditRecord, OAuthClient, OAuthCode, OAuthDevice, OAuthGrant, OAuthToken, SigningKey
from synnefo.astakos.services import housekeeping
from synnefo.astakos.services.oauth2 import redirects
from synnefo.astakos.services.oauth2.errors import OAuthError
from synnefo.astakos.services.user_changes import Changes, modify_user
from tests.support import commands
from tests.support.identity import ACCOUNT, V2, V3, Http, make_token, make_user, register_catalog, v3_token
from tests.support.oauth2 import (
    AUTH,
    CALLBACK,
    CHALLENGE,
    ROOT,
    TOKEN,
    VERIFIER,
    Browser,
    basic,
    exchange,
    fields_of,
    make_client,
    post,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_throttle() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.mark.parametrize("parameters", [
    {"client_id": "-"}, {"client_id": "nobody"}, {"client_id": "a\x00b"}, {"response_type": "-"}, {"response_type": "token"},
    {"redirect_uri": "https://evil.example.org/callback"}, {"redirect_uri": f"{CALLBACK}X"}, {"redirect_uri": "/callback"},
    {"redirect_uri": f"{CALLBACK}/../x"}, {"redirect_uri": f"{CALLBACK}/%2e%2E/x"}, {"redirect_uri": f"{CALLBACK}#x"},
    {"redirect_uri": "https://app.example.org@evil.org/callback"}, {"redirect_uri": "https://app.example.org\\@evil.org/callback"},
    {"redirect_uri": "http://app.example.org/callback"}, {"redirect_uri": "javascript:alert(1)"}, {"redirect_uri": "https://[::/x"},
    {"redirect_uri": CALLBACK + "/" + "x" * 5001}, {"redirect_uri": f"{CALLBACK}/a b"}, {"redirect_uri": f"{CALLBACK}/%zz"},
    {"redirect_uri": ""}, {"scope": "x" * 5001}, {"code_challenge": CHALLENGE}, {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
    {"code_challenge": "short", "code_challenge_method": "S256"}, {"max_age": "soon"}, {"state": "x" * 6000},
])
def test_bad_requests_show_a_page_and_redirect_nowhere(parameters: dict[str, str]) -> None:
    make_client(is_trusted=True)
    response = Browser(make_user()).ask(**parameters)
    assert response.status_code == 400, response.headers
    assert "Location" not in response.headers
    assert b"This cannot go on" in response.content
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert OAuthGrant.objects.count() == 0


def test_repeated_parameters_and_plain_http_are_refused(settings_override: Any) -> None:
    settings_override(ASTAKOS_BASE_URL="https://accounts.example.org/astakos")
    make_client(is_trusted=True)
    browser = Browser(make_user())
    assert browser.client.get(f"{AUTH}?client_id=app&client_id=app&response_type=code", secure=True).status_code == 400
    assert browser.client.get(f"{AUTH}?client_id=app&response_type=code").status_code == 400
    assert post(TOKEN, {"grant_type": "authorization_code"}, secure=False).status_code == 400


def test_a_cloud_within_one_machine_needs_no_https(settings_override: Any) -> None:
    settings_override(ASTAKOS_BASE_URL="http://127.0.0.1:8080/astakos")
    make_client(is_trusted=True)
    client = Browser(make_user()).client
    path = f"{AUTH}?client_id=app&response_type=code"
    assert client.get(path).status_code == 302
    assert client.get(path, REMOTE_ADDR="192.0.2.7").status_code == 400


def test_a_trusted_proxy_vouches_for_https(settings_override: Any) -> None:
    settings_override(ASTAKOS_BASE_URL="https://accounts.example.org/astakos")
    make_client(is_trusted=True)
    client = Browser(make_user()).client
    path = f"{AUTH}?client_id=app&response_type=code"
    assert client.get(path, headers={"X-Forwarded-Proto": "https"}).status_code == 400
    settings_override(TRUSTED_PROXIES=["127.0.0.1"])
    assert client.get(path, headers={"X-Forwarded-Proto": "https"}).status_code == 302


def test_credentials_in_the_authorization_request_must_fit_but_need_not_be_there() -> None:
    make_client(is_trusted=True)
    browser = Browser(make_user())
    assert browser.ask(headers=basic()).status_code == 302
    for headers in (basic(secret="wrong"), basic("other"), {"Authorization": "Basic !"}):
        assert browser.ask(headers=headers).status_code == 400


def test_anonymous_users_sign_in_first_and_come_back_with_all_parameters() -> None:
    make_client()
    response = Browser().ask(state="a&b=c", scope="/u/c/ö")
    assert response.status_code == 302
    path, _, rest = response.headers["Location"].partition("?")
    assert path == "/astakos/ui/login"
    back = fields_of(f"?{rest}")["next"]
    assert back.startswith(f"{AUTH}?")
    assert fields_of(back) == {"client_id": "app", "response_type": "code", "state": "a&b=c", "scope": "/u/c/ö"}


def test_a_trusted_client_gets_its_code_at_once_and_nothing_else_of_the_request() -> None:
    make_client(is_trusted=True)
    response = Browser(make_user()).ask(redirect_uri=f"{CALLBACK}/é?q=ü&x=1", state="", scope="/u/c", nonce="n")
    location = response.headers["Location"]
    assert location.startswith(f"{CALLBACK}/%C3%A9?q=%C3%BC&x=1&code=")
    fields = fields_of(location)
    assert set(fields) == {"q", "x", "code", "state"}
    assert (fields["state"], len(fields["code"])) == ("", 60)
    assert fields["code"] not in str(OAuthCode.objects.values().get())
    assert "state" not in fields_of(Browser(make_user("bob@example.org")).ask().headers["Location"])


def test_users_are_asked_for_their_consent_and_may_refuse() -> None:
    make_client(name="The app")
    browser = Browser(make_user())
    page = browser.ask(scope="openid api", state="s").content.decode()
    assert "Let The app in?" in page
    assert "use this cloud in your name" in page
    refused = browser.agree(state="s", reject="true").headers["Location"]
    assert refused == f"{CALLBACK}?error=access_denied&state=s"
    assert OAuthGrant.objects.count() == 0
    assert fields_of(browser.agree(state="s").headers["Location"])["state"] == "s"


def test_consent_is_not_given_by_a_foreign_page() -> None:
    make_client()
    browser = Browser(make_user(), checks_csrf=True)
    assert browser.agree().status_code == 403
    assert OAuthGrant.objects.count() == 0
    plain = browser.client.post(AUTH, {"client_id": "app", "response_type": "code"}, secure=True)
    assert (plain.status_code, plain.headers["Location"]) == (302, f"{AUTH}?client_id=app&response_type=code")


def test_after_a_form_of_our_own_the_browser_gets_a_page_that_leads_on() -> None:
    make_client(is_trusted=True)
    response = Browser(make_user()).ask(headers={"Sec-Fetch-Site": "same-origin"})
    assert response.status_code == 200
    assert f'content="0; url={CALLBACK}?code=' in response.content.decode()


def test_a_closed_account_gets_no_code() -> None:
    make_client(is_trusted=True)
    user = make_user()
    browser = Browser(user)
    modify_user(user.user_id, Changes(active=False))
    assert browser.ask().status_code in {302, 403}
    assert OAuthGrant.objects.count() == 0


def test_a_code_gives_one_token_and_its_reuse_revokes_it() -> None:
    make_client()
    user = make_user(first_name="Ann", last_name="Lee")
    code = Browser(user).code(scope="/u/c/a")
    response = exchange(code)
    assert response.status_code == 200, response.content
    assert response.headers["Cache-Control"].count("no-store") == 1
    token = response.json()
    assert (token["token_type"], token["expires_in"], len(token["access_token"])) == ("Bearer", 20, 30)
    assert "refresh_token" not in token
    shown = Http().get(f"{V2}/tokens/{token['access_token']}").json()["access"]
    assert shown["token"]["tenant"] == {"id": user.uuid, "name": "Ann Lee"}
    assert shown["user"]["roles"] == [{"id": "member", "name": "member"}]
    assert "serviceCatalog" not in shown
    again = exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert Http().get(f"{V2}/tokens/{token['access_token']}").status_code == 404


@pytest.mark.parametrize(("form", "headers", "error"), [
    ({"redirect_uri": "https://app.example.org/other"}, None, "invalid_grant"), ({"redirect_uri": "nonsense"}, None, "invalid_request"),
    ({"client_id": "other"}, None, "invalid_request"), ({"client_id": "app"}, {}, "invalid_client"), ({}, {}, "invalid_client"),
    ({}, basic("other"), "invalid_grant"), ({"code": "x" * 60}, None, "invalid_grant"), ({"code": ""}, None, "invalid_request"),
    ({"grant_type": "password"}, None, "unsupported_grant_type"), ({"grant_type": "client_credentials"}, None, "unsupported_grant_type"),
    ({"grant_type": ""}, None, "invalid_request"), ({"client_id": "app", "client_secret": "wrong"}, {}, "invalid_client"),
])
def test_bad_exchanges(form: dict[str, str], headers: dict[str, str] | None, error: str) -> None:
    make_client()
    make_client("other")
    code = Browser(make_user()).code()
    response = post(TOKEN, {"grant_type": "authorization_code", "code": code, **form}, basic() if headers is None else headers)
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert response.json()["error_description"]
    assert OAuthToken.objects.count() == 0
    assert exchange(code, {}, client_id="app", client_secret="the secret of a client").status_code == 200


def test_a_wrong_basic_secret_is_challenged_and_slowed_down() -> None:
    make_client()
    response = exchange("x", basic(secret="wrong"))
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response.headers["WWW-Authenticate"].startswith("Basic ")
    for _ in range(2):
        exchange("x", basic(secret="wrong"))
    slow = exchange("x")
    assert slow.status_code == 429
    assert int(slow.headers["Retry-After"]) >= 1


def test_the_token_endpoint_reads_forms_only_and_only_by_post() -> None:
    make_client()
    get = Browser().client.get(TOKEN, secure=True)
    assert (get.status_code, get.headers["Allow"]) == (405, "POST")
    assert post(TOKEN, {}, content_type="application/json", body="{}").json()["error"] == "invalid_request"
    assert post(TOKEN, {}, body="grant_type=authorization_code&grant_type=x").json()["error"] == "invalid_request"
    assert post(TOKEN, {}, body=b"code=%FF\xff").json()["error"] == "invalid_request"
    code = Browser(make_user()).code()
    body = f"grant_type=authorization_code&code={code}"
    typed = post(TOKEN, {}, basic(), body=body, content_type="application/x-www-form-urlencoded; charset=UTF-8")
    assert typed.status_code == 200


def test_a_redirect_address_that_was_used_must_be_named_again_in_any_equal_form() -> None:
    make_client()
    browser = Browser(make_user())
    code = browser.code(redirect_uri=f"{CALLBACK}/ä?x=~")
    assert exchange(code).json()["error"] == "invalid_request"
    assert exchange(code, redirect_uri="HTTPS://app.example.org:443/callback/%c3%a4?x=%7E").status_code == 200


def test_codes_expire_and_die_with_the_account() -> None:
    make_client()
    user = make_user()
    late, dead = Browser(user).code(), Browser(user).code()
    OAuthCode.objects.filter(grant=OAuthGrant.objects.order_by("pk").first()).update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert exchange(late).json()["error"] == "invalid_grant"
    modify_user(user.user_id, Changes(active=False))
    assert exchange(dead).json()["error"] == "invalid_grant"


def test_public_clients_must_prove_that_they_asked() -> None:
    make_client("app", type_="public", urls=["http://127.0.0.1/cb"])
    browser = Browser(make_user())
    here = {"redirect_uri": "http://127.0.0.1:43217/cb"}
    assert browser.ask(**here).status_code == 400
    pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    code = browser.code(**here, **pkce)
    form = {"client_id": "app", **here}
    assert exchange(code, {}, **form).json()["error"] == "invalid_request"
    assert exchange(code, {}, **form, code_verifier="w" * 43).json()["error"] == "invalid_grant"
    assert exchange(code, {}, **form, code_verifier=VERIFIER).status_code == 200
    assert exchange(code, {"Authorization": "Basic YXBwOng="}, **form).json()["error"] == "invalid_client"


@pytest.mark.parametrize(("path", "status"), [
    ("/u/c/a", 200), ("/u/c/a/b", 200), ("/u/c/ab", 404), ("/u/c", 404), ("", 404), ("/u/c/%61/x", 200),
])
def test_belongs_to(path: str, status: int) -> None:
    make_client()
    token = exchange(Browser(make_user()).code(scope="/u/c/a")).json()["access_token"]
    assert Http().get(f"{V2}/tokens/{token}?belongsTo={quote(path)}").status_code == status


@pytest.mark.parametrize(("scope", "path", "fits"), [
    ("/u/é", "/u/e\u0301/x", True), ("/u/", "/u/x", True), ("", "/u", False), ("/", "/u", True), ("/u%20x", "/u x/y", True),
])
def test_belonging(scope: str, path: str, fits: bool) -> None:
    from synnefo.astakos.services.oauth2 import scopes

    assert scopes.belongs(path, scope) is fits


def test_only_oauth2_tokens_are_validated_there_and_they_are_no_api_tokens() -> None:
    make_client()
    user = make_user()
    token = exchange(Browser(user).code()).json()["access_token"]
    assert Http().get(f"{V2}/tokens/{make_token(user)}").status_code == 404
    assert Http().post(f"{V2}/tokens", {"auth": {"token": {"id": token}}}).status_code == 401
    assert Http(token).get(f"{V3}/auth/catalog").status_code == 401
    for method in ("HEAD", "POST", "PUT"):
        assert Http().call(method, f"{V2}/tokens/{token}").status_code == 405
    OAuthToken.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert Http().get(f"{V2}/tokens/{token}").status_code == 404
    assert OAuthToken.objects.count() == 0


def test_the_scope_api_gives_a_token_for_every_api_but_not_for_the_account() -> None:
    register_catalog()
    make_client(name="Desk")
    user = make_user()
    answer = exchange(Browser(user).code(scope="openid api unheard-of")).json()
    assert answer["scope"] == "openid api"
    assert answer["expires_in"] == 3600
    api = Http(answer["access_token"])
    assert api.get("/cyclades/compute/v2.1/servers").status_code == 200
    assert api.get(f"/pithos/object-store/v1/{user.uuid}").status_code in {200, 204}
    assert api.get(f"{V3}/auth/catalog", Authorization=f"Bearer {api.token}").status_code == 200
    assert api.get(f"{ACCOUNT}/myaccount/tokens").status_code == 403
    assert post(f"{ROOT}/revoke", {"token": api.token}, basic()).status_code == 200
    assert api.get("/cyclades/compute/v2.1/servers").status_code == 401


def test_refresh_tokens_rotate_and_a_second_use_ends_everything() -> None:
    make_client()
    make_client("other")
    first = exchange(Browser(make_user()).code(scope="api offline_access")).json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert post(TOKEN, form, basic("other")).json()["error"] == "invalid_grant"
    assert post(TOKEN, {**form, "scope": "api openid"}, basic()).json()["error"] == "invalid_scope"
    second = post(TOKEN, form, basic()).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert Http(second["access_token"]).get(f"{V3}/auth/catalog").status_code == 200
    assert post(TOKEN, form, basic()).json()["error"] == "invalid_grant"
    assert post(TOKEN, {**form, "refresh_token": second["refresh_token"]}, basic()).json()["error"] == "invalid_grant"
    for token in (first, second):
        assert Http(token["access_token"]).get(f"{V3}/auth/catalog").status_code == 401


def test_online_grants_end_at_sign_out_and_offline_ones_do_not() -> None:
    make_client()
    browser = Browser(make_user())
    online = exchange(browser.code(scope="api")).json()
    offline = exchange(browser.code(scope="api", access_type="offline")).json()
    browser.client.post("/astakos/ui/logout", secure=True)
    assert Http(online["access_token"]).get(f"{V3}/auth/catalog").status_code == 401
    assert post(TOKEN, {"grant_type": "refresh_token", "refresh_token": offline["refresh_token"]}, basic()).status_code == 200


def test_revoking_a_refresh_token_ends_the_grant_and_an_unknown_one_is_no_error() -> None:
    make_client()
    answer = exchange(Browser(make_user()).code(scope="api offline_access")).json()
    assert post(f"{ROOT}/revoke", {"token": "unknown"}, basic()).status_code == 200
    assert post(f"{ROOT}/revoke", {"token": answer["refresh_token"]}, basic(secret="wrong")).status_code == 401
    assert post(f"{ROOT}/revoke", {"token": answer["refresh_token"]}, basic()).status_code == 200
    assert Http(answer["access_token"]).get(f"{V3}/auth/catalog").status_code == 401


def test_introspection_is_for_components_and_for_the_client_itself() -> None:
    service = register_catalog()["pithos"]
    make_client()
    make_client("other")
    make_client("public", type_="public")
    user = make_user()
    token = exchange(Browser(user).code(scope="openid")).json()["access_token"]
    path = f"{ROOT}/introspect"
    for headers in (basic(), {"X-Auth-Token": service}):
        shown = post(path, {"token": token}, headers).json()
        assert (shown["active"], shown["sub"], shown["client_id"], shown["scope"]) == (True, user.uuid, "app", "openid")
    assert post(path, {"token": token}, basic("other")).json() == {"active": False}
    assert post(path, {"token": "unknown"}, basic()).json() == {"active": False}
    assert post(path, {"token": token, "client_id": "public"}).json()["error"] == "invalid_client"
    assert post(path, {"token": token}, {"X-Auth-Token": "wrong"}).status_code == 401


def test_a_device_waits_for_its_user() -> None:
    make_client("app", type_="public")
    user = make_user()
    started = post(f"{ROOT}/device", {"client_id": "app", "scope": "api"}).json()
    assert started["verification_uri"] == "http://testserver/astakos/ui/device"
    poll = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": started["device_code"], "client_id": "app"}
    assert post(TOKEN, poll).json()["error"] == "authorization_pending"
    assert post(TOKEN, poll).json()["error"] == "slow_down"
    browser = Browser(user)
    page = browser.client.get("/astakos/ui/device", {"code": started["user_code"].lower()}, secure=True)
    assert b"use this cloud in your name" in page.content
    assert OAuthDevice.objects.get().grant is None
    form = {"code": started["user_code"], "decision": "accept"}
    assert browser.client.post("/astakos/ui/device", form, secure=True).status_code == 302
    answer = post(TOKEN, poll)
    assert answer.status_code == 200, answer.content
    assert Http(answer.json()["access_token"]).get(f"{V3}/auth/catalog").status_code == 200
    assert post(TOKEN, poll).json()["error"] == "invalid_grant"


def test_devices_are_refused_expire_and_are_not_guessed() -> None:
    make_client("app", type_="public")
    browser = Browser(make_user())
    poll = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": "app"}
    started = [post(f"{ROOT}/device", {"client_id": "app", "scope": "api"}).json() for _ in range(2)]
    browser.client.post("/astakos/ui/device", {"code": started[0]["user_code"], "decision": "reject"}, secure=True)
    assert post(TOKEN, {**poll, "device_code": started[0]["device_code"]}).json()["error"] == "access_denied"
    OAuthDevice.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert post(TOKEN, {**poll, "device_code": started[1]["device_code"]}).json()["error"] == "expired_token"
    pages = [browser.client.get("/astakos/ui/device", {"code": "BBBB-BBBB"}, secure=True) for _ in range(5)]
    assert {page.status_code for page in pages} == {404}
    assert b"Too many" in pages[-1].content
    assert Browser().client.get("/astakos/ui/device", secure=True).status_code == 302
    assert post(f"{ROOT}/device", {"client_id": "app"}).json()["error"] == "invalid_request"


@pytest.mark.parametrize(("registered", "asked", "fits"), [
    ("https://a.org/x", "https://a.org/x/", True), ("https://a.org/x/", "https://a.org/x", True), ("https://a.org", "https://a.org/any", True),
    ("https://a.org/x", "https://A.ORG:443/x?q=1", True), ("https://a.org/x?q=1", "https://a.org/x?q=2", False),
    ("https://a.org/x?q=1", "https://a.org/x?q=1", True), ("https://a.org/x", "https://a.org:8443/x", False),
    ("http://127.0.0.1:1/x", "http://127.0.0.1:2/x", True), ("http://localhost/x", "http://127.0.0.1/x", False),
    ("http://[::1]/x", "http://[::1]:9/x", True), ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4/y", True),
    ("https://a.org/x", "https://b.a.org/x", False),
])
def test_which_addresses_are_covered(registered: str, asked: str, fits: bool) -> None:
    assert redirects.covers(redirects.normalise(registered), redirects.normalise(asked)) is fits


def test_the_longest_address_is_stored(settings_override: Any) -> None:
    longest = "https://a.org/" + "x" * 4986
    assert len(longest) == 5000
    make_client(urls=[longest])
    assert OAuthClient.objects.get().redirects.get().url == longest
    with pytest.raises(OAuthError):
        redirects.normalise(longest + "x")


def test_commands_for_clients() -> None:
    added = commands.run("oauth2-client-add", "app", "--url", CALLBACK, "--url", "https://a.org/" + "x" * 5000, "--is-trusted",
                         "--output-format", "json")
    assert "Left out" in added.err
    secret = added.json()["secret"]
    assert secret not in str(OAuthClient.objects.values().get())
    assert post(TOKEN, {"grant_type": "authorization_code", "code": "x"}, basic(secret=secret)).json()["error"] == "invalid_grant"
    assert commands.run("oauth2-client-add", "app", "--url", CALLBACK).code == 1
    assert commands.run("oauth2-client-add", "bad", "--url", "ftp://x").code == 1
    assert commands.run("oauth2-client-add", "desk", "--type", "public", "--secret", "x", "--url", CALLBACK).code == 1
    assert commands.run("oauth2-client-add", "desk", "--type", "public", "--url", CALLBACK).code == 0
    listed = commands.run("oauth2-client-list", "--trusted", "-o", "identifier,redirect_urls", "--output-format", "json").json()
    assert [list(item.values()) for item in listed] == [["app", CALLBACK]]
    assert len(commands.run("oauth2-client-list", "--public", "--output-format", "json").json()) == 1
    assert commands.run("oauth2-client-remove", "--yes", "app").code == 0
    assert commands.run("oauth2-client-remove", "--yes", "app").code == 1
    assert AuditRecord.objects.filter(event="oauth2.client.removed").count() == 1


def test_removing_a_client_ends_its_tokens() -> None:
    make_client()
    token = exchange(Browser(make_user()).code(scope="api")).json()["access_token"]
    assert commands.run("oauth2-client-remove", "--yes", "app").code == 0
    assert Http(token).get(f"{V3}/auth/catalog").status_code == 401


def test_what_is_dead_for_long_is_forgotten() -> None:
    make_client()
    exchange(Browser(make_user()).code())
    Browser(make_user("bob@example.org")).code()
    alive = exchange(Browser(make_user("eve@example.org")).code(scope="api offline_access")).json()
    OAuthGrant.objects.update(created_at=timezone.now() - datetime.timedelta(days=8))
    OAuthToken.objects.filter(is_refresh=False).update(expires_at=timezone.now() - datetime.timedelta(days=8))
    post(f"{ROOT}/device", {"client_id": "app", "client_secret": "the secret of a client", "scope": "api"})
    OAuthDevice.objects.update(expires_at=timezone.now() - datetime.timedelta(days=1))
    housekeeping.clean()
    assert (OAuthGrant.objects.count(), OAuthDevice.objects.count(), OAuthCode.objects.count()) == (1, 0, 1)
    assert post(TOKEN, {"grant_type": "refresh_token", "refresh_token": alive["refresh_token"]}, basic()).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_exchanges_at_once_one_wins_and_nothing_survives() -> None:
    make_client()
    code = Browser(make_user()).code()
    results: list[Any] = []
    gate = threading.Barrier(2)

    def run() -> None:
        gate.wait()
        results.append(exchange(code))
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(response.status_code for response in results) == [200, 400]
    won = next(json.loads(response.content) for response in results if response.status_code == 200)
    assert Http().get(f"{V2}/tokens/{won['access_token']}").status_code == 404
    assert SigningKey.objects.count() == 0


def test_what_was_made_from_a_clients_token_ends_with_the_grant() -> None:
    make_client()
    user = make_user()
    for end in ("code", "token", "page"):
        code = Browser(user).code(scope="api")
        access = exchange(code).json()["access_token"]
        derived = Http().post(f"{V3}/auth/tokens", v3_token(access)).headers["X-Subject-Token"]
        assert Http(derived).get(f"{V3}/auth/catalog").status_code == 200
        if end == "code":
            exchange(code)
        elif end == "token":
            post(f"{ROOT}/revoke", {"token": access}, basic())
        else:
            commands.run("oauth2-client-remove", "--yes", "app")
        assert Http(derived).get(f"{V3}/auth/catalog").status_code == 401, end
