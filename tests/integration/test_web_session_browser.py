"""A session about to end, and one that ended in another tab, in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from synnefo.astakos.models import User
from synnefo.astakos.services import tokens
from synnefo.astakos.services.components import add_component
from tests.support.identity import make_user

CHROMIUM = os.environ.get("SYNNEFO_TEST_CHROMIUM", "/usr/bin/chromium")
pytestmark = [
    pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed (Debian: chromium)")]
PAGE = "/astakos/ui/landing"


@pytest.fixture
def signed_in(live_server: LiveServer, client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[BrowserContext]:
    """A browser whose session ends in two minutes."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    client.force_login(make_user())
    session = client.session
    session.set_expiry(120)
    session.save()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--no-first-run"])
        context = browser.new_context()
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": str(session.session_key), "url": live_server.url}])
        yield context
        browser.close()


def test_a_session_about_to_end_can_be_extended(signed_in: BrowserContext, live_server: LiveServer, client: Client) -> None:
    page = signed_in.new_page()
    page.goto(f"{live_server.url}{PAGE}")
    stay = page.get_by_role("button", name="Stay signed in")
    expect(stay).to_be_focused()
    stay.click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.reload()
    assert int(str(page.locator("#session-end").get_attribute("data-seconds-left"))) > 3600
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_signing_out_reaches_the_other_tabs(signed_in: BrowserContext, live_server: LiveServer) -> None:
    here, there = signed_in.new_page(), signed_in.new_page()
    for page in (here, there):
        page.goto(f"{live_server.url}{PAGE}")
        page.get_by_role("button", name="Not now").click()
    there.get_by_role("button", name="Sign out").click()
    expect(there.get_by_text("You have signed out.")).to_be_visible()
    expect(here.get_by_text("You are signed out.")).to_be_visible(timeout=5000)
    expect(here.get_by_role("link", name="Sign in")).to_be_visible()


def test_what_was_typed_can_be_sent_after_a_new_sign_in(signed_in: BrowserContext, live_server: LiveServer) -> None:
    page = signed_in.new_page()
    page.goto(f"{live_server.url}/astakos/ui/api_access")
    page.get_by_role("button", name="Not now").click()
    name = page.get_by_role("textbox", name="Name")
    name.fill("typed before")
    sign_in_elsewhere(signed_in, User.objects.get(), live_server)
    come_back(page)
    expect(page.locator("main.ended")).to_have_count(0)
    name.press("Enter")
    expect(page.get_by_text("typed before").first).to_be_visible()


def test_a_page_of_another_user_says_so(signed_in: BrowserContext, live_server: LiveServer) -> None:
    page = signed_in.new_page()
    page.goto(f"{live_server.url}{PAGE}")
    page.get_by_role("button", name="Not now").click()
    sign_in_elsewhere(signed_in, make_user("bob@example.org"), live_server)
    come_back(page)
    expect(page.get_by_text("bob@example.org is signed in now.")).to_be_visible()
    page.get_by_role("link", name="Reload").click()
    expect(page.get_by_text("This page is another user's.")).to_have_count(0)


def sign_in_elsewhere(context: BrowserContext, user: User, server: LiveServer) -> None:
    """As another tab of this browser would: a new session, and a new token for forms."""
    other = Client()
    other.force_login(user)
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": str(other.session.session_key), "url": server.url},
                         {"name": settings.CSRF_COOKIE_NAME, "value": "n" * 32, "url": server.url}])


def come_back(page: Page) -> None:
    with page.expect_response(lambda answer: "session?brief" in answer.url):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_on_a_phone(signed_in: BrowserContext, live_server: LiveServer, client: Client, scheme: Literal["light", "dark"]) -> None:
    add_component("wiki", ui_url="https://wiki.example.org")
    session = client.session
    session.set_expiry(7200)
    session.save()
    user = User.objects.get()
    tokens.renew_primary(user.user_id, flush=False)
    tokens.issue_named(user, "nightly backup")
    page = signed_in.new_page()
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 800})
    for path in (PAGE, "/astakos/ui/api_access", "/no-such-page"):
        page.goto(f"{live_server.url}{path}")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
