"""Sign-in and sign-out pages: sessions, forgery protection, refusals, waits, and where they lead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from synnefo.astakos.models import User
from synnefo.astakos.services.user_changes import Changes, modify_user
from synnefo.astakos.ui.redirects import safe_next
from tests.support.identity import PASSWORD, make_user

pytestmark = pytest.mark.django_db
LOGIN, LOGOUT = "/astakos/ui/login", "/astakos/ui/logout"


@pytest.fixture(autouse=True)
def _no_throttle() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def _sign_in(client: Client, username: str = "ann@example.org", password: str = PASSWORD, **more: str) -> Any:
    return client.post(LOGIN, {"username": username, "password": password, **more})


def test_signing_in_opens_a_session_and_leads_back() -> None:
    user = make_user(password=PASSWORD)
    client = Client()
    client.get(LOGIN)
    response = _sign_in(client, "ANN@example.org", next="/machines?x=1")
    assert (response.status_code, response.headers["Location"]) == (302, "/machines?x=1")
    assert client.session["_auth_user_id"] == str(user.pk)
    user.refresh_from_db()
    assert user.last_login is not None
    again = client.get(LOGIN, {"next": "/usage"})
    assert (again.status_code, again.headers["Location"]) == (302, "/usage")


def test_a_form_without_its_secret_is_refused() -> None:
    make_user(password=PASSWORD)
    client = Client(enforce_csrf_checks=True)
    assert _sign_in(client).status_code == 403
    page = client.get(LOGIN).content.decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found is not None
    assert _sign_in(client, csrfmiddlewaretoken=found[1]).status_code == 302
    assert client.post(LOGOUT).status_code == 403


@pytest.mark.parametrize(("username", "password", "status"), [
    ("ann@example.org", "wrong password", 401), ("nobody@example.org", PASSWORD, 401), ("", PASSWORD, 400),
    ("ann@example.org", "", 400), ("a\x00b", PASSWORD, 400), ("x" * 300, PASSWORD, 400), ("\N{SNOWMAN}", "x" * 1024, 401),
])
def test_refusals_open_no_session(username: str, password: str, status: int) -> None:
    make_user(password=PASSWORD)
    client = Client()
    response = _sign_in(client, username, password)
    assert response.status_code == status
    assert "_auth_user_id" not in client.session
    assert User.objects.get().last_login is None
    if status == 401:
        assert "The e-mail or the password is wrong." in response.content.decode()


def test_a_closed_account_is_told_so_only_with_the_right_password() -> None:
    user = make_user(password=PASSWORD)
    client = Client()
    _sign_in(client)
    modify_user(user.user_id, Changes(active=False, inactive_reason="unpaid"))
    assert client.get(LOGIN).status_code == 200, "the old session is worth nothing now"
    assert "unpaid" in _sign_in(client).content.decode()
    assert "unpaid" not in _sign_in(client, password="wrong password").content.decode()
    assert "_auth_user_id" not in Client().session


def test_a_new_password_ends_open_sessions() -> None:
    user = make_user(password=PASSWORD)
    client = Client()
    _sign_in(client)
    modify_user(user.user_id, Changes(password="a fresh passphrase"))
    assert client.get(LOGIN).status_code == 200


def test_guessing_has_to_wait() -> None:
    make_user(password=PASSWORD)
    client = Client()
    for _ in range(3):
        assert _sign_in(client, password="wrong password").status_code == 401
    response = _sign_in(client)
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) >= 1


def test_signing_out_takes_a_click() -> None:
    make_user(password=PASSWORD)
    client = Client()
    _sign_in(client)
    asked = client.get(LOGOUT)
    assert asked.status_code == 200
    assert "ann@example.org" in asked.content.decode()
    assert "_auth_user_id" in client.session
    assert client.post(LOGOUT).headers["Location"] == LOGIN
    assert "_auth_user_id" not in client.session
    assert client.get(LOGOUT).headers["Location"] == LOGIN
    assert client.put(LOGIN).status_code == 405


def test_the_root_leads_to_where_one_belongs() -> None:
    make_user(password=PASSWORD)
    client = Client()
    assert {client.get(path).headers["Location"] for path in ("/astakos/", "/astakos/ui", "/astakos/ui/")} == {LOGIN}
    _sign_in(client)
    assert client.get("/astakos/").headers["Location"] == "/"


@pytest.mark.parametrize(("target", "is_safe"), [
    ("/x", True), ("/x?next=%2Fy", True), ("http://testserver/x", True), ("https://testserver/", True),
    ("//evil.org", False), ("/\\evil.org", False), ("http://evil.org", False), ("javascript:alert(1)", False),
    ("http://testserver@evil.org", False), ("http://testserver.evil.org", False), ("http://[", False), ("\n/x", False), ("/x\r\ny", False),
    ("", False), ("x", False), ("ftp://testserver/", False), ("/" + "x" * 3000, False), ("http://a.cloud.org/x", True),
    ("http://evilcloud.org/", False), ("http://cloud.org:81/", True), ("pithos://x", False),
])
def test_where_pages_may_lead(target: str, is_safe: bool, settings_override: Any) -> None:
    settings_override(ASTAKOS_COOKIE_DOMAIN=".cloud.org")
    assert safe_next(target, "/default") == (target if is_safe else "/default")
