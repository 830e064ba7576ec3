"""Consent in a real browser: from the client through sign-in and consent back to the client, with the content policy in force."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from synnefo.astakos.models import OAuthDevice
from synnefo.astakos.services.oauth2 import clients, devices
from tests.support.identity import PASSWORD, make_user
from tests.support.oauth2 import fields_of, make_client

CHROMIUM = os.environ.get("SYNNEFO_TEST_CHROMIUM", "/usr/bin/chromium")
pytestmark = [
    pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed (Debian: chromium)")]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


class Callback:
    """The client: a web server of another origin that keeps what it was called with."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                calls.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<!doctype html><title>client</title><h1>Back at the client</h1>")

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/cb"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def callback() -> Iterator[Callback]:
    found = Callback()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def page(live_server: LiveServer, settings_override: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A phone that is signed out. The browser's own loop runs in this thread, so Django must be told that it may be used."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    settings_override(DEBUG=True, ASTAKOS_BASE_URL=f"{live_server.url}/astakos")
    cache.clear()
    make_user(password=PASSWORD)
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = browser.new_context(viewport={"width": 360, "height": 740}, base_url=live_server.url).new_page()
        opened.on("console", lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None)
        yield opened
        browser.close()
    assert complaints == []


def sign_in(page: Page) -> None:
    page.get_by_label("E-mail").fill("ann@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def fits(page: Page) -> bool:
    """Whether nothing is wider than the screen, and the accessibility rules hold."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def ask(callback: Callback) -> str:
    return "/astakos/oauth2/auth?" + urlencode({"client_id": "app", "response_type": "code", "redirect_uri": callback.url, "scope": "openid api",
                                                "state": "s"})


@pytest.mark.parametrize("answer", ["Allow", "Refuse"])
def test_sign_in_and_consent_lead_back_to_the_client(page: Page, callback: Callback, answer: str) -> None:
    make_client(urls=[callback.url], name="The wiki")
    page.goto(ask(callback))
    sign_in(page)
    expect(page.get_by_role("heading", name="Let The wiki in?")).to_be_visible()
    assert fits(page)
    page.get_by_role("button", name=answer).click()
    expect(page.get_by_role("heading", name="Back at the client")).to_be_visible()
    fields = fields_of(callback.calls[0])
    assert fields["state"] == "s"
    assert ("code" in fields, fields.get("error")) == ((True, None) if answer == "Allow" else (False, "access_denied"))


def test_a_trusted_client_is_reached_straight_from_the_sign_in_page(page: Page, callback: Callback) -> None:
    make_client(urls=[callback.url], is_trusted=True)
    page.goto(ask(callback))
    sign_in(page)
    expect(page.get_by_role("heading", name="Back at the client")).to_be_visible()
    assert "code" in fields_of(callback.calls[0])


def test_a_device_code_and_a_credential_on_a_phone(page: Page) -> None:
    client = make_client("tv", type_="public", name="The television")
    found = clients.find(client)
    assert found is not None
    started = devices.start(found, "api")
    page.goto("/astakos/ui/device")
    sign_in(page)
    page.get_by_label("The code that your device shows").fill(started.user_code.lower())
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("The television")).to_be_visible()
    assert fits(page)
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("may go on now")).to_be_visible()
    assert OAuthDevice.objects.get().grant is not None
    page.goto("/astakos/ui/programs")
    assert fits(page)
    page.get_by_label("Name").fill("backup")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="backup can sign in")).to_be_visible()
    assert fits(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download clouds.yaml").click()
    assert "application_credential_secret" in Path(download.value.path()).read_text()
    page.get_by_role("link", name="Done").click()
    assert fits(page)
    page.get_by_role("button", name="Delete backup").click()
    expect(page.get_by_text("The application credential was deleted.")).to_be_visible()
