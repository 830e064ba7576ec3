"""Terms of use: a new version stops everything until it is agreed to, on pages and at the APIs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from synnefo.astakos.models import Terms, TermsSignature, User
from synnefo.astakos.services import terms
from synnefo.astakos.services.components import add_component
from synnefo.common.errors import DomainError
from tests.support.commands import run
from tests.support.identity import Http, make_token, make_user
from tests.support.together import at_once

pytestmark = pytest.mark.django_db
UI = "/astakos/ui"
MYACCOUNT = "/astakos/account/v1.0/myaccount"
PASSWORD = "a quiet river in May"


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


@pytest.fixture
def publish(tmp_path: Path) -> Any:
    def add(html: str = "<h2>Be kind</h2><p>And patient.</p>") -> int:
        path = tmp_path / "terms.html"
        path.write_text(html)
        done = run("term-add", str(path))
        assert done.code == 0, done.err
        return int(done.out.removeprefix("Created term id "))

    return add


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def agree(client: Client, number: int, **fields: str) -> Any:
    return client.post(f"{UI}/approval_terms", {"terms": str(number), "has_signed_terms": "on", **fields})


def test_new_terms_stop_the_api_until_they_are_signed(publish: Any) -> None:
    user = make_user(password=PASSWORD)
    token = make_token(user)
    assert Http(token).get(MYACCOUNT).status_code == 200
    number = publish()
    refused = Http(token).get(MYACCOUNT)
    assert (refused.status_code, refused.json()["unauthorized"]["message"]) == (401, "Pending approval terms")
    login = Http().post("/astakos/identity/v2.0/tokens", {"auth": {"passwordCredentials": {"username": user.email, "password": PASSWORD}}})
    assert (login.status_code, login.json()["unauthorized"]["message"]) == (401, "Pending approval terms")
    agree(browser(user), number)
    assert Http(token).get(MYACCOUNT).json()["has_signed_terms"] is True
    assert TermsSignature.objects.get().terms_id == number


def test_new_terms_come_first_and_the_wanted_page_after_them(publish: Any) -> None:
    client = browser(make_user())
    number = publish()
    wanted = client.get(f"{UI}/api_access?a=1")
    assert wanted.headers["Location"] == f"{UI}/approval_terms?next=%2Fastakos%2Fui%2Fapi_access%3Fa%3D1&show_form="
    page = client.get(wanted.headers["Location"]).content.decode()
    assert "<h2>Be kind</h2>" in page
    assert "I agree with the terms" in page
    unticked = client.post(f"{UI}/approval_terms", {"terms": str(number), "next": "/machines"})
    assert (unticked.status_code, "Tick the box" in unticked.content.decode()) == (400, True)
    assert agree(client, number, next=f"{UI}/api_access?a=1").headers["Location"] == f"{UI}/api_access?a=1"
    assert client.get(f"{UI}/api_access").status_code == 200
    assert "I agree" not in client.get(f"{UI}/approval_terms").content.decode()
    assert agree(client, number, next="https://evil.example.net").headers["Location"].startswith("/astakos/ui")


@pytest.mark.parametrize("path", ["/", "/machines", f"{UI}/landing", f"{UI}/profile", f"{UI}/projects", "/astakos/weblogin/login?next=pithos://x"])
def test_every_page_leads_there(publish: Any, path: str) -> None:
    client = browser(make_user())
    publish()
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{UI}/approval_terms?next=")


def test_scripts_get_a_status_and_nobody_is_locked_in(publish: Any) -> None:
    client = browser(make_user())
    publish()
    assert client.get("/machines", headers={"HX-Request": "true"}).status_code == 403
    assert client.get(f"{UI}/session?brief").json()["authenticated"]
    assert client.get(f"{UI}/get_menu").status_code == 200
    assert client.post(f"{UI}/logout").status_code == 302
    assert not client.get(f"{UI}/session?brief").json()["authenticated"]


def test_visitors_read_and_cannot_sign(publish: Any) -> None:
    assert Client().get(f"{UI}/approval_terms").status_code == 302
    first = publish("<p>First.</p>")
    second = publish("<p>Second.</p>")
    page = Client().get(f"{UI}/approval_terms").content.decode()
    assert ("Second." in page, "First." in page, "I agree" in page) == (True, False, False)
    old = Client().get(f"{UI}/approval_terms/{first}").content.decode()
    assert ("First." in old, "newer one" in old) == (True, True)
    assert Client().get(f"{UI}/approval_terms/{second + 1}").status_code == 404
    assert Client().get(f"{UI}/approval_terms/{'9' * 40}").status_code == 404
    assert "login" in agree(Client(), second).headers["Location"]
    assert f'href="{UI}/approval_terms"' in Client().get(f"{UI}/login").content.decode()


def test_what_was_read_is_what_is_signed(publish: Any) -> None:
    client = browser(make_user())
    first = publish("<p>First.</p>")
    publish("<p>Second.</p>")
    changed = agree(client, first)
    assert (changed.status_code, "Second." in changed.content.decode()) == (409, True)
    assert not TermsSignature.objects.exists()
    assert agree(client, 0).status_code == 409
    assert client.post(f"{UI}/approval_terms", {"terms": "\x00"}).status_code == 409


def test_the_text_cannot_break_out_of_its_page(publish: Any) -> None:
    publish("</article></form><form action='https://evil.example.net'><script>alert(1)</script><p onclick='x()'>Text<b>bold")
    html = Terms.objects.get().html
    assert "script" not in html
    assert "form" not in html
    assert "onclick" not in html
    assert html.endswith("<b>bold</b></p>")


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * ((1 << 20) + 1), b"<script>x</script>"])
def test_files_that_are_no_terms(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "terms.html"
    if content is not None:
        path.write_bytes(content)
    assert run("term-add", str(path)).code == 1
    assert not Terms.objects.exists()


def test_operators_see_and_sign(publish: Any) -> None:
    user = make_user()
    number = publish()
    assert "There was nothing" not in run("user-modify", "--sign-terms", user.email).err
    user.refresh_from_db()
    assert user.signed_terms == number
    assert "nothing to sign" in run("user-modify", "--sign-terms", user.email).err
    (row,) = run("term-list", "--output-format", "json").json()
    assert (row["id"], row["signatures"]) == (number, 1)


def test_who_signs_up_agrees_at_once(publish: Any, settings_override: Any) -> None:
    settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_AUTOVERIFY_POLICY=True)
    number = publish()
    form = {"email": "ann@example.org", "password1": PASSWORD, "password2": PASSWORD}
    refused = Client().post(f"{UI}/signup", form)
    assert (refused.status_code, "Tick the box" in refused.content.decode()) == (400, True)
    client = Client()
    assert client.post(f"{UI}/signup", form | {"has_signed_terms": "on", "terms": str(number)}).status_code == 302
    assert User.objects.get().signed_terms == number
    assert client.get(f"{UI}/landing").status_code == 200


def test_who_agreed_to_older_terms_at_sign_up_reads_the_new_ones(publish: Any, settings_override: Any) -> None:
    settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_AUTOVERIFY_POLICY=True)
    first = publish()
    publish("<p>Newer.</p>")
    client = Client()
    client.post(f"{UI}/signup", {"email": "ann@example.org", "password1": PASSWORD, "password2": PASSWORD, "has_signed_terms": "on", "terms": str(first)})
    assert not TermsSignature.objects.exists()
    assert "approval_terms" in client.get(f"{UI}/landing").headers["Location"]


def test_components_are_not_asked(publish: Any) -> None:
    _, token = add_component("cyclades")
    publish()
    assert Http(token).get("/astakos/account/v1.0/service_quotas").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_signing_at_once_signs_once() -> None:
    user = make_user()
    number = terms._add(Terms(location="/x", html="<p>x</p>", sha256="0")).pk
    done = at_once(4, lambda _: terms.sign(user.user_id, number))
    assert not [item for item in done if isinstance(item, DomainError)]
    assert TermsSignature.objects.count() == 1
