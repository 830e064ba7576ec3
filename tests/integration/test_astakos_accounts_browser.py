"""A new user's way in, in a real browser: sign-up, the mail's link, a moderator, and the page that was wanted."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from synnefo.astakos.models import AuditRecord, QueuedMail, User
from synnefo.astakos.services import one_time_codes, second_factors
from tests.support.commands import run
from tests.support.identity import make_user
from tests.support.projects import define_resources, person

CHROMIUM = os.environ.get("SYNNEFO_TEST_CHROMIUM", "/usr/bin/chromium")
pytestmark = [
    pytest.mark.django_db(transaction=True), pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed (Debian: chromium)")]
SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 360, "height": 740}}


@pytest.fixture(params=sorted(SIZES))
def context(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[BrowserContext]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_context(viewport=SIZES[request.param])  # type: ignore[arg-type]
        browser.close()


def usable(page: Page, name: str) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if folder := os.environ.get("SYNNEFO_TEST_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}-{page.viewport_size['width']}.png")  # type: ignore[index]


def link_in_mail() -> str:
    found = re.search(r"https?://\S+/ui/activate\S+", QueuedMail.objects.filter(template="im/activation_email.txt").latest("pk").body)
    assert found
    return found[0]


def test_a_new_user_is_moderated_and_lands_where_he_wanted(context: BrowserContext, live_server: Any, settings_override: Any) -> None:
    cache.clear()
    site = live_server.url
    settings_override(ASTAKOS_BASE_URL=f"{site}/astakos", ASTAKOS_MODERATION_ENABLED=True, HELPDESK=[("Help", "help@example.org")])
    page = context.new_page()
    page.goto(f"{site}/astakos/ui/api_access")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("link", name="Create an account").press("Enter")
    usable(page, "sign-up")
    page.get_by_label("E-mail").fill("ann@example.org")
    page.get_by_label("First name").fill("Ann")
    page.get_by_label("Password", exact=True).fill("short")
    expect(page.get_by_text("Too short")).to_be_visible()
    page.get_by_label("Password again").fill("short")
    page.keyboard.press("Enter")
    expect(page.get_by_text("too short", exact=False).first).to_be_visible()
    assert page.get_by_label("First name").input_value() == "Ann"
    usable(page, "sign-up-refused")
    page.get_by_label("Password", exact=True).fill("a quiet river in May")
    page.get_by_label("Password again").fill("a quiet river in May")
    page.keyboard.press("Enter")
    expect(page.get_by_text("ann@example.org")).to_be_visible()
    usable(page, "verification-sent")
    page.goto(link_in_mail())
    usable(page, "activate")
    page.keyboard.press("Enter")
    expect(page.get_by_text("waits for approval")).to_be_visible()
    page.goto(f"{site}/astakos/ui/login?next=/astakos/ui/api_access")
    assert run("user-modify", "--accept", "ann@example.org").code == 0
    page.get_by_label("E-mail").fill("ANN@example.org")
    page.get_by_label("Password").fill("a quiet river in May")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="API access")).to_be_visible()
    assert page.url == f"{site}/astakos/ui/api_access"


def test_without_moderation_the_link_in_the_mail_leads_on(context: BrowserContext, live_server: Any, settings_override: Any) -> None:
    cache.clear()
    site = live_server.url
    settings_override(ASTAKOS_BASE_URL=f"{site}/astakos", ASTAKOS_CAPTCHA_PROVIDER="builtin")
    page = context.new_page()
    page.goto(f"{site}/astakos/ui/signup?next=/astakos/ui/landing")
    page.get_by_label("E-mail").fill("ann@example.org")
    page.get_by_label("Password", exact=True).fill("a quiet river in May")
    page.get_by_label("Password again").fill("a quiet river in May")
    expect(page.get_by_text("You are no robot.")).to_be_visible(timeout=30_000)
    usable(page, "sign-up-captcha")
    page.get_by_role("button", name="Create the account").click()
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_text("The mail was sent again.")).to_be_visible()
    page.goto(link_in_mail())
    page.get_by_role("button", name="Yes, confirm").click()
    expect(page.get_by_text("Welcome to")).to_be_visible()
    assert page.url == f"{site}/astakos/ui/landing"


def test_a_user_looks_after_the_own_account(context: BrowserContext, live_server: Any, settings_override: Any) -> None:
    cache.clear()
    site = live_server.url
    settings_override(ASTAKOS_BASE_URL=f"{site}/astakos", ASTAKOS_EMAILCHANGE_ENABLED=True)
    make_user(password="a quiet river in May", first_name="Ann")
    page = context.new_page()
    page.goto(f"{site}/astakos/ui/login?next=/astakos/ui/profile")
    page.get_by_label("E-mail").fill("ann@example.org")
    page.get_by_label("Password").fill("a quiet river in May")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Profile")).to_be_visible()
    usable(page, "profile")
    page.get_by_label("Last name").fill("Lee")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your profile was saved.")).to_be_visible()
    page.get_by_role("link", name="Change the e-mail").click()
    expect(page.get_by_role("heading", name="Change your e-mail")).to_be_visible()
    usable(page, "email-change")
    page.get_by_label("New e-mail").fill("lee@example.org")
    page.get_by_label("Your password").fill("a quiet river in May")
    page.keyboard.press("Enter")
    expect(page.get_by_text("waits until the link in the mail there is opened")).to_be_visible()
    usable(page, "profile-pending")
    page.get_by_role("link", name="Change the password").click()
    expect(page.get_by_role("heading", name="Change your password")).to_be_visible()
    usable(page, "password-change")
    page.get_by_label("Present password").fill("a quiet river in May")
    page.get_by_label("New password", exact=True).fill("a loud harbour in June")
    page.get_by_label("New password again").fill("a loud harbour in June")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your password was changed.")).to_be_visible()


def test_new_terms_are_published_while_a_user_works(context: BrowserContext, live_server: Any, settings_override: Any, tmp_path: Path) -> None:
    cache.clear()
    site = live_server.url
    settings_override(ASTAKOS_BASE_URL=f"{site}/astakos")
    make_user(password="a quiet river in May")
    page = context.new_page()
    page.goto(f"{site}/astakos/ui/login?next=/astakos/ui/landing")
    page.get_by_label("E-mail").fill("ann@example.org")
    page.get_by_label("Password").fill("a quiet river in May")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Services")).to_be_visible()
    text = tmp_path / "terms.html"
    text.write_text("<h2>Be kind</h2><p>And patient.</p>")
    assert run("term-add", str(text)).code == 0
    page.goto(f"{site}/astakos/ui/profile")
    expect(page.get_by_role("heading", name="Be kind")).to_be_visible()
    usable(page, "terms")
    page.get_by_label("I agree with the terms").press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Profile")).to_be_visible()
    page.get_by_role("link", name="Terms of use").click()
    expect(page.get_by_role("heading", name="Be kind")).to_be_visible()
    expect(page.get_by_label("I agree with the terms")).to_have_count(0)


def test_a_user_sets_up_a_second_factor_and_loses_the_phone(context: BrowserContext, live_server: Any, settings_override: Any) -> None:
    cache.clear()
    site = live_server.url
    settings_override(ASTAKOS_BASE_URL=f"{site}/astakos")
    make_user(password="a quiet river in May")
    page = context.new_page()

    def sign_in() -> None:
        page.goto(f"{site}/astakos/ui/login?next=/astakos/ui/security")
        page.get_by_label("E-mail").fill("ann@example.org")
        page.get_by_label("Password").fill("a quiet river in May")
        page.keyboard.press("Enter")

    sign_in()
    page.get_by_role("link", name="Set up an authenticator").click()
    expect(page.get_by_role("img", name="Square code")).to_be_visible()
    usable(page, "authenticator")
    secret = "".join(str(page.locator("code.wrap").text_content()).split())
    page.get_by_role("textbox", name="Code").fill(one_time_codes.code_at(secret, int(time.time() // 30) - 1))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    usable(page, "recovery-codes")
    codes = str(page.locator("#recovery-codes").text_content()).split()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_text("You have signed out.")).to_be_visible()
    sign_in()
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    usable(page, "second-step")
    page.get_by_role("textbox", name="Code").fill(one_time_codes.code_at(secret, int(time.time() // 30)))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Security")).to_be_visible()
    usable(page, "security")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_text("You have signed out.")).to_be_visible()
    sign_in()
    page.get_by_role("textbox", name="Code").fill(codes[3])
    page.keyboard.press("Enter")
    expect(page.get_by_text("9 recovery codes are left.").first).to_be_visible()
    page.get_by_role("button", name="Switch off").click()
    page.get_by_role("button", name="Switch it off?").click()
    expect(page.get_by_text("The second factor is switched off.")).to_be_visible()


def test_a_project_from_application_to_leaving(context: BrowserContext, live_server: Any, settings_override: Any) -> None:
    """Three people in three browsers: the owner, an administrator, and somebody who joins."""
    define_resources()
    owner, admin, member = person("ann"), person("boss"), person("bob")
    settings_override(ASTAKOS_BASE_URL=f"{live_server.url}/astakos", ASTAKOS_PROJECT_ADMINS=[admin.uuid])
    pages = {user.email: of_user(context, user, live_server.url) for user in (owner, admin, member)}
    page = pages[owner.email]
    page.goto(f"{live_server.url}/astakos/ui/projects")
    page.get_by_role("link", name="New project").click()
    usable(page, "project-form")
    page.get_by_label("Name").fill("physics.example.org")
    page.get_by_label("Machines, together").fill("4")
    page.get_by_label("Machines, each member").fill("2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Look once more")).to_be_visible()
    usable(page, "project-summary")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("The application waits for an answer.")).to_be_visible()
    address = page.url
    boss = pages[admin.email]
    boss.goto(f"{live_server.url}/astakos/ui/projects/applications")
    usable(boss, "project-inbox")
    boss.get_by_role("link", name="physics.example.org").click()
    usable(boss, "project-application")
    boss.get_by_role("button", name="Approve").click()
    expect(boss.get_by_text("The application is approved.")).to_be_visible()
    joining = pages[member.email]
    joining.goto(f"{live_server.url}/astakos/ui/projects/search")
    joining.get_by_role("link", name="physics.example.org").click()
    joining.get_by_role("button", name="Join").click()
    expect(joining.get_by_text("Your request waits for the owner of the project.")).to_be_visible()
    page.goto(address)
    page.get_by_role("link", name="1 waiting").click()
    page.get_by_label("Choose bob@example.org").check()
    usable(page, "project-members")
    page.locator("#several").get_by_role("button", name="Accept").click()
    expect(page.get_by_text("Accepted: bob@example.org.")).to_be_visible()
    joining.goto(address)
    expect(joining.get_by_text("In use")).to_be_visible()
    joining.goto(f"{live_server.url}/astakos/ui/resources")
    expect(joining.get_by_role("link", name="physics.example.org")).to_be_visible()
    expect(joining.get_by_text("0 of 2, 2 left (0%)")).to_be_visible()
    usable(joining, "usage")
    page.get_by_role("link", name="What each uses").click()
    usable(page, "project-usage")
    page.get_by_role("link", name="Members").click()
    page.get_by_label("Choose bob@example.org").check()
    page.locator("#several").get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove them?").click()
    expect(page.get_by_text("Removed: bob@example.org.")).to_be_visible()


def of_user(context: BrowserContext, user: User, site: str) -> Page:
    """A page in a browser of his own."""
    client = Client()
    client.force_login(user)
    own = context.browser.new_context(viewport=context.new_page().viewport_size)  # type: ignore[union-attr]
    own.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": str(client.session.session_key), "url": site}])
    return own.new_page()


def test_a_passkey_signs_in_without_a_password(context: BrowserContext, live_server: Any, settings_override: Any) -> None:
    cache.clear()
    site = live_server.url
    settings_override(ASTAKOS_BASE_URL=f"{site}/astakos")
    user = make_user(password="a quiet river in May")
    page = context.new_page()
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    added = device.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
        "automaticPresenceSimulation": True}})
    page.goto(f"{site}/astakos/ui/login?next=/astakos/ui/security")
    page.get_by_label("E-mail").fill("ann@example.org")
    page.get_by_label("Password").fill("a quiet river in May")
    page.keyboard.press("Enter")
    page.get_by_label("Name of the new one").fill("My phone")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("The passkey was added.")).to_be_visible()
    expect(page.get_by_text("My phone")).to_be_visible()
    usable(page, "passkeys")
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_text("You have signed out.")).to_be_visible()
    page.goto(f"{site}/astakos/ui/login?next=/astakos/ui/profile")
    usable(page, "login")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Profile")).to_be_visible()
    assert AuditRecord.objects.filter(event="login.done").latest("pk").details == {"method": "passkey", "factor": "passkey"}
    # in place of the code, where the account has an authenticator
    secret = second_factors.begin(user.user_id)
    second_factors.confirm(user.user_id, one_time_codes.code_at(secret, int(time.time() // 30)))
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_text("You have signed out.")).to_be_visible()
    page.get_by_label("E-mail").fill("ann@example.org")
    page.get_by_label("Password").fill("a quiet river in May")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    # somebody else's passkey, or one that was removed, opens nothing
    page.goto(f"{site}/astakos/ui/security")
    page.get_by_role("button", name="Remove My phone").click()
    page.get_by_role("button", name="Remove My phone").click()
    expect(page.get_by_text("The passkey was removed.")).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_text("You have signed out.")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("This passkey is not known here.")).to_be_visible()
    device.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": added["authenticatorId"]})
