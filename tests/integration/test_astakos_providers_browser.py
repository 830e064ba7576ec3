"""Other ways to sign in, in a real browser: its rules for cookies, forms and content, and pages that everybody can use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from synnefo.astakos.models import User
from tests.support.openid_provider import Account, openid_provider
from tests.support.saml_provider import Person, saml_provider

CHROMIUM = os.environ.get("SYNNEFO_TEST_CHROMIUM", "/usr/bin/chromium")
pytestmark = [
    pytest.mark.django_db(transaction=True), pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed"),
    pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not installed"),
]
ANN = Account("ann", "at the university", "ann@uni.example", first="Ann", last="Lee")
PERSON = Person("ann", "at the federation", "ann-4711", {"mail": ["ann@uni.example"]})


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's driver runs an event loop in this thread
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


def _usable(page: Page) -> None:
    """Nothing that keeps people with aids out, nothing to scroll for sideways on a small screen."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1280, "height": 800})


def _prove(page: Page, name: str, password: str) -> None:
    """At a provider."""
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", password)
    page.click("button")


def test_a_person_comes_by_one_provider_adds_another_and_leaves(browser: Browser, live_server: Any, settings_override: Any) -> None:
    cache.clear()
    site = live_server.url
    settings_override(ASTAKOS_BASE_URL=f"{site}/astakos", ASTAKOS_IM_MODULES=["ldap", "local", "saml", "oidc:uni"],
                      AUTH_LDAP_SERVER_URI="ldap://127.0.0.1:9", ASTAKOS_SAML_IDP_METADATA="/nonexistent")
    ours = Client().get("/astakos/ui/login/saml/metadata").content.decode()
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "favicon" not in message.text and "127.0.0.1" not in str(message.location):
            complaints.append(message.text)

    with openid_provider(ANN, site=site) as university, saml_provider(ours, PERSON) as federation:
        settings_override(ASTAKOS_OIDC_PROVIDERS={"uni": university.options(trust_email=True)}, ASTAKOS_SAML_IDP_METADATA=federation.metadata)
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.on("console", heard)
        page.goto(f"{site}/astakos/ui/login?next=/astakos/ui/profile")
        _usable(page)
        page.get_by_role("link", name="Sign in with The University").click()
        _prove(page, "ann", "at the university")
        page.click("input[name=allow]")
        expect(page.get_by_role("heading", name="Create your account")).to_be_visible()
        _usable(page)
        page.get_by_role("button", name="Create the account").click()
        expect(page).to_have_url(f"{site}/astakos/ui/profile")
        _usable(page)
        expect(page.get_by_role("button", name="Remove")).to_be_disabled()
        page.get_by_role("link", name="Add LDAP").click()
        _usable(page)
        page.get_by_role("link", name="Cancel").click()
        page.get_by_role("link", name="Add Organisation account").click()
        _prove(page, "ann", "at the federation")
        expect(page).to_have_url(f"{site}/astakos/ui/profile")
        expect(page.get_by_text("You can now sign in with Organisation account")).to_be_visible()
        _usable(page)
        page.get_by_role("button", name="Remove The University").click()
        page.get_by_role("button", name="Remove The University").click()
        expect(page.get_by_text("The University was removed")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_text("You may still be signed in at The University")).to_be_visible()
        page.goto(f"{site}/astakos/ui/login?next=/astakos/ui/profile")
        page.get_by_role("link", name="Sign in with Organisation account").click()
        _prove(page, "ann", "at the federation")
        expect(page).to_have_url(f"{site}/astakos/ui/profile")
    assert [method.module for method in User.objects.get().login_methods.all()] == ["saml"]
    assert complaints == []
