"""From a proven identity to a session: the catalog of sessions, the API token, the cookie, and how sessions end."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from synnefo.astakos.models import ApiToken, AuditRecord, LoginMethod, TokenKind, User, WebSession
from synnefo.astakos.services import housekeeping, sessions, tokens
from synnefo.astakos.services.user_changes import Changes, modify_user
from tests.support.identity import PASSWORD, Http, make_token, make_user

pytestmark = pytest.mark.django_db
UI, LOGIN, LOGOUT, WEBLOGIN = "/astakos/ui", "/astakos/ui/login", "/astakos/ui/logout", "/astakos/weblogin/login"
MYACCOUNT = "/astakos/account/v1.0/myaccount"
COOKIE = "_pithos2_a"


@pytest.fixture(autouse=True)
def _no_throttle() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def sign_in(client: Client, email: str = "ann@example.org", password: str = PASSWORD, **more: str) -> Any:
    return client.post(LOGIN, {"username": email, "password": password, **more})


def signed_in(email: str = "ann@example.org") -> Client:
    client = Client()
    assert sign_in(client, email).status_code == 302
    return client


def is_in(client: Client) -> bool:
    return bool(client.get(f"{UI}/session").json()["authenticated"])


def cookie_of(client: Client) -> tuple[str, str]:
    """(uuid, token) as other sites read them."""
    uuid, token = unquote(client.cookies[COOKIE].value).split("|", 1)
    return uuid, token


def works(token: str) -> bool:
    return bool(Http(token).get(MYACCOUNT).status_code == 200)


def primary(user: User) -> ApiToken:
    return ApiToken.objects.get(user=user, kind=TokenKind.PRIMARY, revoked_at=None)


def expire(token: ApiToken) -> None:
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - datetime.timedelta(seconds=5))


# What a sign-in leaves


def test_a_sign_in_makes_an_api_token_and_notes_the_session() -> None:
    user = make_user(password=PASSWORD)
    client = Client(headers={"User-Agent": "Netscape 4"})
    before = client.get(LOGIN).cookies.get("sessionid")
    sign_in(client)
    session = WebSession.objects.get(user=user)
    assert (session.session_key, session.method, session.agent) == (client.cookies["sessionid"].value, "local", "Netscape 4")
    assert session.session_key != (before.value if before else "")
    user.refresh_from_db()
    assert user.last_login is not None
    assert LoginMethod.objects.get(user=user).last_login_at is not None
    assert AuditRecord.objects.filter(event="login.done", target=user.uuid, details__method="local").count() == 1
    assert client.cookies["astakos_last_login_method"].value == "local"
    assert abs(client.session.get_expiry_date() - primary(user).expires_at) < datetime.timedelta(seconds=2)


def test_the_next_sign_in_finds_the_same_api_token_and_a_new_session_id() -> None:
    user = make_user(password=PASSWORD)
    client = signed_in()
    first, key = primary(user), client.cookies["sessionid"].value
    sign_in(client)
    assert primary(user) == first
    assert client.cookies["sessionid"].value != key
    assert [row.session_key for row in WebSession.objects.all()] == [client.cookies["sessionid"].value]
    assert not Session.objects.filter(session_key=key).exists()


def test_an_expired_token_is_renewed_and_other_sessions_end() -> None:
    user = make_user(password=PASSWORD)
    other = signed_in()
    old = primary(user)
    expire(old)
    here = signed_in()
    assert primary(user) != old
    assert (is_in(here), is_in(other)) == (True, False)


def test_a_live_token_leaves_other_sessions_alone() -> None:
    make_user(password=PASSWORD)
    one, two = signed_in(), signed_in()
    assert (is_in(one), is_in(two)) == (True, True)


def test_renew_takes_the_credentials_and_ends_other_sessions() -> None:
    user = make_user(password=PASSWORD)
    here, other = signed_in(), signed_in()
    old = tokens.shown_secret(primary(user))
    assert here.get(LOGIN, {"renew": "", "next": "/x"}).status_code == 200, "a link alone renews nothing"
    assert works(old)
    response = sign_in(here, renew="", next="/x")
    assert response.headers["Location"] == "/x"
    assert (works(old), works(tokens.shown_secret(primary(user)))) == (False, True)
    assert (is_in(here), is_in(other)) == (True, False)


def test_another_user_in_the_same_browser_takes_over_cleanly() -> None:
    make_user(password=PASSWORD)
    bob = make_user("bob@example.org", password=PASSWORD)
    client = signed_in()
    _, token = cookie_of(client)
    sign_in(client, "bob@example.org")
    assert not works(token)
    assert list(WebSession.objects.values_list("user", flat=True)) == [bob.pk]
    assert cookie_of(client)[0] == bob.uuid


@pytest.mark.parametrize("state", ["inactive", "policy", "no method"])
def test_what_is_in_the_way_leaves_no_trace(state: str, settings_override: Any) -> None:
    user = make_user(password=PASSWORD)
    if state == "inactive":
        modify_user(user.user_id, Changes(active=False, inactive_reason="unpaid"))
    elif state == "policy":
        settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_LOGIN_POLICY=False)
    else:
        LoginMethod.objects.filter(user=user).update(module="google", identifier="1")
    client = Client()
    response = sign_in(client)
    assert response.status_code == 401
    assert COOKIE not in response.cookies
    assert "_auth_user_id" not in client.session
    user.refresh_from_db()
    assert user.last_login is None
    assert not WebSession.objects.exists()
    assert not ApiToken.objects.exists()
    assert sign_in(client, password="wrong password").content.decode().count("The e-mail or the password is wrong.") == 1


# The cookie


def test_the_cookie_names_the_user_and_a_token_of_the_session() -> None:
    user = make_user(password=PASSWORD)
    client = signed_in()
    morsel = client.cookies[COOKIE]
    uuid, token = cookie_of(client)
    assert uuid == user.uuid
    assert works(token)
    assert token != tokens.shown_secret(primary(user))
    assert ApiToken.objects.get(kind=TokenKind.SESSION).prefix == token[:6]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["domain"]) == (True, "Lax", "/", "")
    assert not set(morsel.value) & set("|;, ")


def test_the_cookie_follows_the_settings(settings_override: Any) -> None:
    settings_override(ASTAKOS_COOKIE_NAME="other", ASTAKOS_COOKIE_DOMAIN="cloud.org", ASTAKOS_COOKIE_SECURE=True, ASTAKOS_COOKIE_HTTPONLY=False,
                      ASTAKOS_COOKIE_PRIMARY_TOKEN=True)
    user = make_user(password=PASSWORD)
    morsel = signed_in().cookies["other"]
    assert (morsel["httponly"], morsel["secure"], morsel["domain"]) == ("", True, "cloud.org")
    assert unquote(morsel.value) == f"{user.uuid}|{tokens.shown_secret(primary(user))}"


def test_a_page_with_a_wrong_cookie_is_asked_for_once_more() -> None:
    make_user(password=PASSWORD)
    client = signed_in()
    right = client.cookies[COOKIE].value
    client.cookies[COOKIE] = "foreign%7Cnonsense"
    response = client.get(f"{UI}/profile?x=1")
    assert (response.status_code, response.headers["Location"]) == (302, f"{UI}/profile?x=1")
    assert client.cookies[COOKIE].value == right
    assert client.get(f"{UI}/profile").status_code == 200


def test_a_browser_that_never_sends_the_cookie_is_not_sent_in_circles() -> None:
    make_user(password=PASSWORD)
    client = signed_in()
    answers = []
    for _ in range(3):
        client.cookies.pop(COOKIE, None)
        answers.append(client.get(f"{UI}/profile").status_code)
    assert answers == [302, 200, 200]


def test_a_form_with_a_wrong_cookie_is_processed_and_the_cookie_mended() -> None:
    make_user(password=PASSWORD)
    client = signed_in()
    right = client.cookies[COOKIE].value
    client.cookies[COOKIE] = "foreign%7Cnonsense"
    response = client.post(f"{UI}/programs", {"action": "make-key"})
    assert response.headers["Location"] == f"{UI}/programs"
    assert response.cookies[COOKIE].value == right


def test_a_visitor_loses_a_left_over_cookie() -> None:
    client = Client()
    client.cookies[COOKIE] = "foreign%7Cnonsense"
    assert client.get(LOGIN).cookies[COOKIE].value == ""
    assert client.get(LOGIN).status_code == 200


def test_a_session_whose_token_was_revoked_gets_a_new_one() -> None:
    user = make_user(password=PASSWORD)
    client = signed_in()
    _, token = cookie_of(client)
    ApiToken.objects.filter(user=user, kind=TokenKind.SESSION).update(revoked_at=timezone.now())
    fresh = client.get(f"{UI}/session").json()["token"]
    assert fresh != token
    assert works(fresh)
    assert WebSession.objects.count() == 1


# What scripts may ask


def test_scripts_learn_who_is_signed_in() -> None:
    user = make_user(password=PASSWORD, first_name="Ann", last_name="Lee")
    client = signed_in()
    response = client.get(f"{UI}/session")
    told = response.json()
    assert (told["authenticated"], told["uuid"], told["email"], told["name"]) == (True, user.uuid, user.email, "Ann Lee")
    assert told["token"] == cookie_of(client)[1]
    assert datetime.datetime.fromisoformat(told["expires"]) > timezone.now()
    assert {"Cookie", "Origin"} <= {name.strip() for name in response.headers["Vary"].split(",")}
    assert "no-store" in response.headers["Cache-Control"]
    assert "token" not in client.get(f"{UI}/session?brief").json()
    assert Client().get(f"{UI}/session").json() == {"authenticated": False}
    assert client.post(f"{UI}/session").status_code == 405


@pytest.mark.parametrize(("headers", "allowed"), [
    ({"Origin": "http://testserver"}, True), ({"Origin": "http://drive.cloud.org"}, True), ({"Origin": "https://app.example"}, True),
    ({"Origin": "https://drive.cloud.org"}, False), ({"Origin": "http://evilcloud.org"}, False), ({"Origin": "null"}, False),
    ({"Origin": "http://["}, False), ({"Sec-Fetch-Site": "cross-site"}, False), ({"Sec-Fetch-Site": "same-origin"}, True)])
def test_which_pages_may_ask(headers: dict[str, str], allowed: bool, settings_override: Any) -> None:
    settings_override(ASTAKOS_COOKIE_DOMAIN=".cloud.org", ASTAKOS_CORS_ORIGINS=["https://app.example"])
    make_user(password=PASSWORD)
    client = Client()
    sign_in(client)
    response = client.get(f"{UI}/session", headers=headers)
    assert response.status_code == (200 if allowed else 403)
    assert response.headers.get("Access-Control-Allow-Origin") == (headers.get("Origin") if allowed else None)
    assert ("token" in response.json()) is allowed


def test_staying_signed_in_gives_a_session_that_is_about_to_end_a_new_life() -> None:
    user = make_user(password=PASSWORD)
    client = signed_in()
    _, token = cookie_of(client)
    old = primary(user)
    assert client.post(f"{UI}/session/extend").status_code == 200
    assert primary(user) == old, "there is time left"
    soon = timezone.now() + datetime.timedelta(minutes=4)
    ApiToken.objects.filter(user=user).update(expires_at=soon)
    told = client.post(f"{UI}/session/extend").json()
    assert told["seconds_left"] > 86400
    assert primary(user) != old
    assert ApiToken.objects.get(kind=TokenKind.SESSION, prefix=token[:6]).expires_at == primary(user).expires_at
    assert Client().post(f"{UI}/session/extend", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401


# How sessions end


def test_signing_out_ends_the_session_its_token_and_nothing_else() -> None:
    user = make_user(password=PASSWORD)
    client, other = signed_in(), signed_in()
    _, token = cookie_of(client)
    named, key = make_token(user), client.cookies["sessionid"].value
    response = client.post(LOGOUT)
    assert response.cookies[COOKIE].value == ""
    assert (works(token), works(named), is_in(client), is_in(other)) == (False, True, False, True)
    assert works(tokens.shown_secret(primary(user)))
    assert not Session.objects.filter(session_key=key).exists()
    assert "You have signed out." in client.get(LOGIN).content.decode()


def test_renewing_the_token_ends_other_sessions_and_short_lived_tokens() -> None:
    user = make_user(password=PASSWORD)
    here, other = signed_in(), signed_in()
    old = tokens.shown_secret(primary(user))
    short = tokens.issue_short(user, ["password"]).secret
    issued = tokens.renew_primary(user.user_id, keep_session=here.cookies["sessionid"].value)
    assert (works(old), works(short), works(cookie_of(other)[1])) == (False, False, False)
    assert (works(issued.secret), works(cookie_of(here)[1])) == (True, True)
    assert (is_in(here), is_in(other)) == (True, False)
    assert ApiToken.objects.filter(kind=TokenKind.PRIMARY).exclude(token_encrypted="").count() == 1, "only the live one can be read"


@pytest.mark.parametrize("change", [Changes(active=False), Changes(password="a fresh passphrase")])
def test_a_closed_account_or_a_new_password_ends_every_session(change: Changes) -> None:
    user = make_user(password=PASSWORD)
    clients = [signed_in(), signed_in()]
    held = [cookie_of(client)[1] for client in clients]
    modify_user(user.user_id, change)
    assert not WebSession.objects.exists()
    assert not Session.objects.exists()
    assert [works(token) for token in held] == [False, False]
    assert [is_in(client) for client in clients] == [False, False]


def test_one_session_or_all_others_can_be_ended() -> None:
    user = make_user(password=PASSWORD)
    make_user("bob@example.org", password=PASSWORD)
    here, there, third, bobs = signed_in(), signed_in(), signed_in(), signed_in("bob@example.org")
    number = WebSession.objects.get(session_key=there.cookies["sessionid"].value).pk
    sessions.end(user.user_id, number)
    assert [is_in(client) for client in (here, there, third, bobs)] == [True, False, True, True]
    assert sessions.end_others(user.user_id, here.cookies["sessionid"].value) == 1
    assert [is_in(client) for client in (here, there, third, bobs)] == [True, False, False, True]


def test_tokens_may_be_kept_as_hashes_only(settings_override: Any) -> None:
    settings_override(ASTAKOS_TOKEN_SHOW_ONCE=True)
    user = make_user(password=PASSWORD)
    client = signed_in()
    assert tokens.shown_secret(primary(user)) == ""
    assert works(tokens.renew_primary(user.user_id).secret)
    assert not ApiToken.objects.exclude(token_encrypted="").exists()
    assert not is_in(client)


def test_time_removes_entries_of_ended_sessions() -> None:
    user = make_user(password=PASSWORD)
    clients = [signed_in() for _ in range(3)]
    ApiToken.objects.filter(web_session__session_key=clients[0].cookies["sessionid"].value).update(expires_at=timezone.now() - datetime.timedelta(1))
    Session.objects.filter(session_key=clients[1].cookies["sessionid"].value).delete()
    WebSession.objects.update(last_used_at=timezone.now() - datetime.timedelta(hours=1))
    assert housekeeping.clean()["entries of ended sessions"] == 2
    assert [row.session_key for row in sessions.list_of(user)] == [clients[2].cookies["sessionid"].value]


# Desktop programs


def weblogin(client: Client, target: str = "pithos://login", **more: str) -> Any:
    return client.get(WEBLOGIN, {"next": target, **more})


def test_a_desktop_program_gets_a_token_of_its_own() -> None:
    user = make_user(password=PASSWORD)
    client = signed_in()
    response = weblogin(client, "pithos://host/path?a=1&token=mine#part")
    assert response.status_code == 302
    address = urlsplit(response.headers["Location"])
    query = parse_qs(address.query)
    assert (address.scheme, address.netloc, address.path, address.fragment) == ("pithos", "host", "/path", "part")
    assert (query["a"], query["uuid"], query["user"]) == (["1"], [user.uuid], [user.email])
    token = ApiToken.objects.get(kind=TokenKind.WEBLOGIN)
    assert token.name.startswith("Desktop client, ")
    assert query["token"][0].startswith(token.prefix)
    assert works(query["token"][0])
    client.post(LOGOUT)
    assert works(query["token"][0]), "the program outlives the browser's session"


def test_the_users_own_token_is_given_where_the_operator_wants_that(settings_override: Any) -> None:
    settings_override(ASTAKOS_WEBLOGIN_PRIMARY_TOKEN=True)
    user = make_user(password=PASSWORD)
    query = parse_qs(urlsplit(weblogin(signed_in()).headers["Location"]).query)
    assert query["token"] == [tokens.shown_secret(primary(user))]


@pytest.mark.parametrize("target", ["http://evil.org", "https://testserver/x", "javascript:alert(1)", "//evil.org", "pithos", "x://y", "pithos://a\r\nb",
                                    "pit hos://x", "pithos://" + "x" * 3000, "data:text/html,x", "pithos\\://x"])
def test_tokens_are_sent_to_programs_only(target: str) -> None:
    make_user(password=PASSWORD)
    assert weblogin(signed_in(), target).status_code == 403
    assert not ApiToken.objects.filter(kind=TokenKind.WEBLOGIN).exists()


def test_a_program_has_to_say_where_it_is() -> None:
    client = Client()
    response = client.get(WEBLOGIN)
    assert (response.status_code, response.content) == (400, b"Missing next parameter")
    assert client.post(WEBLOGIN, {"next": "pithos://x"}).status_code == 405


def test_a_program_waits_until_its_user_has_signed_in() -> None:
    make_user(password=PASSWORD)
    client = Client()
    response = weblogin(client, "pithos://x?b=%26c", force="")
    page = urlsplit(response.headers["Location"])
    assert page.path == LOGIN
    back = parse_qs(page.query)["next"][0]
    assert "force" not in parse_qs(urlsplit(back).query, keep_blank_values=True)
    shown = client.get(response.headers["Location"])
    assert "form-action 'self' pithos: pithosdev:;" in shown.headers["Content-Security-Policy"]
    assert "form-action 'self';" in client.get(LOGIN).headers["Content-Security-Policy"]
    again = sign_in(client, next=back).headers["Location"]
    assert again == back
    final = client.get(again).headers["Location"]
    assert final.startswith("pithos://x?b=%26c&uuid=")


def test_force_signs_out_first_and_only_for_the_user_himself() -> None:
    make_user(password=PASSWORD)
    client = signed_in()
    foreign = client.get(WEBLOGIN, {"next": "pithos://x", "force": ""}, headers={"Sec-Fetch-Site": "cross-site"})
    assert urlsplit(foreign.headers["Location"]).path == LOGIN
    assert is_in(client), "a link on another page signs nobody out"
    response = weblogin(client, force="")
    assert urlsplit(response.headers["Location"]).path == LOGIN
    assert not is_in(client)
    client = signed_in()
    assert weblogin(client, force="yes").headers["Location"].startswith("pithos:"), "it counts when present and empty"


def test_renew_gives_a_new_token_and_keeps_this_session() -> None:
    user = make_user(password=PASSWORD)
    client, other = signed_in(), signed_in()
    old = primary(user)
    foreign = client.get(WEBLOGIN, {"next": "pithos://x", "renew": ""}, headers={"Sec-Fetch-Site": "cross-site"})
    assert "renew=&" in foreign.headers["Location"]
    assert primary(user) == old, "a link on another page renews nothing"
    assert weblogin(client, renew="").headers["Location"].startswith("pithos:")
    assert primary(user) != old
    assert (is_in(client), is_in(other)) == (True, False)


def test_of_many_programs_the_oldest_end() -> None:
    make_user(password=PASSWORD)
    client = signed_in()
    first = parse_qs(urlsplit(weblogin(client).headers["Location"]).query)["token"][0]
    for _ in range(tokens.MAX_WEBLOGIN_TOKENS):
        weblogin(client)
    assert ApiToken.objects.filter(kind=TokenKind.WEBLOGIN, revoked_at=None).count() == tokens.MAX_WEBLOGIN_TOKENS
    assert not works(first)


def test_old_addresses_lead_to_todays() -> None:
    client = Client()
    assert client.get("/astakos/weblogin").headers["Location"] == "/astakos/weblogin/"
    assert client.get("/astakos/login?next=pithos://x&renew=").headers["Location"] == f"{WEBLOGIN}?next=pithos://x&renew="
    assert client.get("/astakos/im/logout?next=/x").headers["Location"] == f"{LOGOUT}?next=/x"
