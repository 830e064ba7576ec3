"""The web interface in a real browser against a whole cloud: what a person sees and presses, from signing in to signing out."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.support.clouds import Cloud, wait_for

pytestmark = [pytest.mark.ganeti, pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1800)]

CHROMIUM = os.environ.get("SYNNEFO_TEST_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync"]
SECTIONS = ("Overview", "Machines", "Files", "Usage", "API access")
BUILD_MS = 300_000
# Pixels of the guest's screen that are not black: text of a login prompt, never an empty or unpainted canvas.
LIT_PIXELS = """canvas => {
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let lit = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at] + data[at + 1] + data[at + 2] > 150) lit += 1;
  return lit;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of: scripts that failed, and whatever the content policy forbade."""
    return []


@pytest.fixture
def page(browser: Browser, real_cloud: Cloud, complaints: list[str]) -> Iterator[Page]:
    """A signed-in page, 1280x800; the test fails if the browser complained."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=real_cloud.status["urls"]["web"])
    opened = _watched(context, complaints)
    _sign_in(opened, real_cloud)
    yield opened
    context.close()
    assert complaints == []


def _watched(context: BrowserContext, complaints: list[str]) -> Page:
    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page = context.new_page()
    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def _sign_in(page: Page, cloud: Cloud) -> None:
    page.goto("/")
    page.get_by_label("E-mail").fill(cloud.status["users"]["demo"]["email"])
    page.get_by_label("Password").fill(cloud.status["users"]["demo"]["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()


def _keep(page: Page, name: str) -> None:
    """Keep a picture where SYNNEFO_TEST_SCREENSHOTS says; the documents' pictures are made so."""
    directory = os.environ.get("SYNNEFO_TEST_SCREENSHOTS")
    if directory:
        page.screenshot(path=Path(directory) / f"{name}.png")


def test_a_wrong_password_is_refused_in_words(browser: Browser, real_cloud: Cloud) -> None:
    with browser.new_context(base_url=real_cloud.status["urls"]["web"]) as context:
        page = context.new_page()
        page.goto("/usage")
        page.get_by_label("E-mail").fill(real_cloud.status["users"]["demo"]["email"])
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("wrong")


def test_every_section_opens_and_signing_out_closes_them(page: Page) -> None:
    for section in SECTIONS:
        page.get_by_role("navigation", name="Sections").get_by_role("link", name=section).click()
        expect(page.get_by_role("link", name=section).and_(page.locator("[aria-current=page]"))).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/machines")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_the_first_machine_is_shown_running_with_its_address(page: Page, real_cloud: Cloud) -> None:
    page.goto("/machines")
    card = page.get_by_role("article", name=real_cloud.status["server"]["name"])
    expect(card).to_contain_text("Running")
    card.get_by_role("link", name=real_cloud.status["server"]["name"]).click()
    expect(page.locator("#ssh")).to_have_text(f"ssh root@{real_cloud.status['server']['address']}")
    _keep(page, "machine")


def test_the_console_shows_the_login_prompt(page: Page, real_cloud: Cloud) -> None:
    page.goto(f"/machines/{real_cloud.status['server']['id']}")
    page.get_by_role("link", name="Console").click()
    expect(page.get_by_role("status")).to_have_text("Connected", timeout=30_000)
    canvas = page.locator("#screen canvas")
    wait_for(lambda: canvas.evaluate(LIT_PIXELS) > 500, "text on the guest's screen", timeout_s=60)
    _keep(page, "console")
    page.get_by_role("button", name="Reconnect").click()
    wait_for(lambda: page.get_by_role("status").text_content() == "Connected" and canvas.count() == 1, "the second connection", timeout_s=30)
    told = (real_cloud.directory / "log" / "vncauthproxy.log").read_text()
    assert "console.connected" in told
    assert "token=" not in told


@pytest.mark.parametrize(("token", "origin"), [("unknown", ""), ("", ""), ("unknown", "http://elsewhere.example")])
def test_the_console_proxy_tells_a_stranger_nothing(real_cloud: Cloud, token: str, origin: str) -> None:
    lines = [f"GET /console/ws?token={token} HTTP/1.1", f"Host: 127.0.0.1:{real_cloud.port + 1}", "Upgrade: websocket", "Connection: Upgrade",
             "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", *([f"Origin: {origin}"] if origin else []), "", ""]
    with socket.create_connection(("127.0.0.1", real_cloud.port + 1), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(1000) == b""


def test_a_machine_is_created_and_destroyed(page: Page) -> None:
    page.goto("/machines/create")
    page.get_by_role("radio", name="1 CPU, 256 MiB RAM, 2 GiB disk").check()
    page.get_by_label("Name").fill("from <the> browser")
    page.get_by_role("button", name="Create the machine").click()
    expect(page.locator("#password")).not_to_be_empty()
    page.reload()
    expect(page.locator("#password")).to_have_count(0)
    expect(page.get_by_role("heading", name="from <the> browser")).to_contain_text("Running", timeout=BUILD_MS)

    page.goto("/machines")
    card = page.get_by_role("article", name="from <the> browser")
    button = card.get_by_role("button", name="Destroy")
    button.click()
    card.get_by_role("button", name="Destroy with all data?").click()
    expect(card).to_have_count(0, timeout=BUILD_MS)


def test_a_file_goes_up_and_comes_down_the_same(page: Page, tmp_path: Path) -> None:
    block = 4 * 2**20
    content = os.urandom(block) + bytes(block) + b"the end"
    sent = tmp_path / "höhe & 100%.bin"
    sent.write_bytes(content)
    page.goto("/containers")
    page.get_by_label("Name of the new container").fill("browser")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="browser")).to_be_visible()
    for _ in range(2):  # the second time every block is there already
        page.get_by_label("choose files").set_input_files(sent)
        expect(page.locator("#upload-rows .state").last).to_have_text("Uploaded", timeout=60_000)
    row = page.get_by_role("row", name=sent.name)
    expect(row).to_contain_text("8.0")
    with page.expect_download() as waiting:
        row.get_by_role("link", name=sent.name).click()
    assert Path(waiting.value.path()).read_bytes() == content
    assert waiting.value.suggested_filename == sent.name
    row.get_by_role("button", name="Delete").click()
    row.get_by_role("button", name="Delete for good?").click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_of_a_phone(browser: Browser, real_cloud: Cloud, complaints: list[str], scheme: str) -> None:
    with browser.new_context(viewport={"width": 360, "height": 740}, base_url=real_cloud.status["urls"]["web"],
                             color_scheme="dark" if scheme == "dark" else "light") as context:
        page = _watched(context, complaints)
        _sign_in(page, real_cloud)
        for path in ("/", "/machines", f"/machines/{real_cloud.status['server']['id']}", "/machines/create", "/containers", "/usage", "/api-access"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
            red = page.evaluate("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
            assert (red < 64) == (scheme == "dark"), path
            _keep(page, f"phone-{scheme}{path.replace('/', '-')}")
    assert complaints == []
