"""The overview of services, the operator's notices and footer, error pages in the site's look, and registration of components."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.test import Client

import synnefo
from synnefo.astakos.models import Component, Service
from synnefo.astakos.services import component_metadata
from synnefo.astakos.services.components import add_component, token_of
from tests.support.commands import run
from tests.support.identity import make_user

pytestmark = pytest.mark.django_db
UI = "/astakos/ui"
HTML = {"Accept": "text/html"}


def signed_in(**options: Any) -> Client:
    client = Client(**options)
    client.force_login(make_user())
    return client


def test_cards_in_the_order_of_the_dashboard(settings_override: Any) -> None:
    for name in ("astakos", "cyclades", "pithos", "hidden", "bare"):
        add_component(name, ui_url="" if name == "bare" else f"https://{name}.example.org")
    settings_override(ASTAKOS_COMPONENTS_META={
        "hidden": {"dashboard": {"show": False}}, "wiki": {"url": "javascript:alert(1)"}, "pithos": {"dashboard": {"description": "<i>Files"}}})
    page = signed_in().get(f"{UI}/landing").content.decode().partition("<main")[2]
    places = [page.find(f'href="https://{name}.example.org"') for name in ("pithos", "cyclades", "astakos")]
    assert -1 not in places
    assert places == sorted(places)
    assert "hidden.example.org" not in page
    assert "javascript:" not in page
    assert "&lt;i&gt;Files" in page
    assert "login" in Client().get(f"{UI}/landing").headers["Location"]


def test_notices_of_the_operator(settings_override: Any) -> None:
    settings_override(ASTAKOS_GLOBAL_MESSAGES=[("warning", "Down on <Sunday>")], ASTAKOS_LOGIN_MESSAGES=[("info", "Welcome back")],
                      BRANDING_FOOTER_EXTRA_MESSAGE="<b>extra</b>", BRANDING_SHOW_COPYRIGHT=True, BRANDING_COMPANY_NAME="Ours & Co")
    login, landing = Client().get(f"{UI}/login").content.decode(), signed_in().get(f"{UI}/landing").content.decode()
    for page in (login, landing):
        assert 'class="notice warning"><span>Down on &lt;Sunday&gt;' in page
    assert "Welcome back" in login
    assert "Welcome back" not in landing
    assert "<b>extra</b>" in landing
    assert "Ours &amp; Co" in landing
    assert "Copyright (c) 20" in landing


def test_services_on_other_sites_are_in_the_bar(settings_override: Any) -> None:
    add_component("pithos", ui_url="http://127.0.0.1:8080/containers")
    add_component("stats", ui_url="https://stats.example.org/")
    settings_override(ASTAKOS_BASE_URL="http://127.0.0.1:8080/astakos", ASTAKOS_COMPONENTS_META={
        "wiki": {"url": "https://wiki.example.org/?a=1&b=2", "verbose_name": "Wiki <b>", "order": 1, "cloudbar": {"icon": "javascript:x"}},
        "quiet": {"url": "https://quiet.example.org", "cloudbar": {"show": False}}})
    client = signed_in()
    page = client.get("/no-such-page", headers=HTML).content.decode()
    bar = page[page.index('aria-label="Other services"'):page.index("</nav>", page.index('aria-label="Other services"'))]
    assert bar.index('<a href="https://wiki.example.org/?a=1&amp;b=2">Wiki &lt;b&gt;</a>') < bar.index('<a href="https://stats.example.org/">Stats</a>')
    assert bar.count("<a ") == 2
    settings_override(CLOUDBAR_ACTIVE=False)
    assert "Other services" not in client.get("/no-such-page", headers=HTML).content.decode()


def test_images_of_the_operator(settings_override: Any) -> None:
    ours = Client().get(f"{UI}/login")
    assert "web/icon" in ours.content.decode()
    settings_override(BRANDING_IMAGE_MEDIA_URL="https://img.example.org/cloud/", BRANDING_FAVICON_URL="/own/tab.png", BRANDING_SERVICE_NAME="Okeanos")
    theirs = Client().get(f"{UI}/login")
    assert '<link rel="icon" href="/own/tab.png">' in theirs.content.decode()
    assert '<img src="https://img.example.org/cloud/dashboard_logo.png" alt="Okeanos Dashboard">' in theirs.content.decode()
    assert "img-src 'self' data: blob: https://img.example.org;" in theirs.headers["Content-Security-Policy"]


def test_who_is_not_signed_in_finds_the_way_in() -> None:
    assert f'<a class="button" href="{UI}/login">Sign in</a>' in Client().get("/no-such-page", headers=HTML).content.decode()


def test_only_administrators_see_the_version() -> None:
    client = Client()
    client.force_login(make_user("root@example.org", is_admin=True))
    version = f"powered by Synnefo {synnefo.__version__}"
    assert version in client.get("/no-such-page", headers=HTML).content.decode()
    assert version not in signed_in().get("/no-such-page", headers=HTML).content.decode()


def test_refusals_have_the_look_of_the_site() -> None:
    page = signed_in().get("/no-such-page", headers=HTML)
    assert page.status_code == 404
    assert "<h1>Not found</h1>" in page.content.decode()
    assert 'aria-label="Sections"' in page.content.decode()
    refused = Client(enforce_csrf_checks=True).post(f"{UI}/login", headers=HTML)
    assert refused.status_code == 403
    assert "<h1>Not allowed</h1>" in refused.content.decode()
    assert "<" not in Client(enforce_csrf_checks=True).post(f"{UI}/login").content.decode()


def test_a_failure_is_a_page_that_tells_nothing() -> None:
    client = signed_in(raise_request_exception=False)
    with mock.patch.object(component_metadata, "cards", side_effect=RuntimeError("secret words")):
        answer = client.get(f"{UI}/landing", headers=HTML)
    assert answer.status_code == 500
    assert "<h1>Something is down</h1>" in answer.content.decode()
    assert "secret words" not in answer.content.decode()


def test_registration_without_questions_can_be_repeated() -> None:
    first = run("component-register", "cyclades", "--base-url", "https://c.example.org/cyclades", "--ui-url", "https://c.example.org", "--yes")
    assert first.code == 0, first.err
    component = Component.objects.get(name="cyclades")
    assert first.out == f"Token of cyclades: {token_of(component)}\n"
    assert (component.base_url, component.ui_url) == ("https://c.example.org/cyclades", "https://c.example.org")
    assert "resource-modify" in first.err
    Service.objects.create(name="cyclades_old", component=component, type="old")
    services = set(Service.objects.filter(component=component).values_list("name", flat=True)) - {"cyclades_old"}
    again = run("component-register", "cyclades", "--yes")
    assert (again.code, again.out) == (0, "")
    assert "Removed service cyclades_old" in again.err
    assert set(Service.objects.filter(component=component).values_list("name", flat=True)) == services
    assert Component.objects.get(name="cyclades").base_url == "https://c.example.org/cyclades"


def test_registration_with_questions() -> None:
    done = run("component-register", "astakos", "pithos", stdin="n\ny\nhttps://p.example.org/pithos\n\ny\n\n")
    assert done.code == 0, done.err
    assert list(Component.objects.values_list("name", "base_url", "ui_url")) == [
        ("pithos", "https://p.example.org/pithos", Component.objects.get(name="pithos").ui_url)]
    assert "Token of pithos: " in done.out
    declined = run("component-register", "cyclades", stdin="y\n\n\nn\n")
    assert (declined.code, declined.out, Component.objects.count()) == (0, "", 1)


@pytest.mark.parametrize("arguments", [
    ("wiki", "--yes"), ("astakos", "wiki", "--yes"), ("astakos",), ("astakos", "pithos", "--base-url", "https://a.example.org", "--yes"),
    ("astakos", "--base-url", "ftp://a.example.org", "--yes"), ("astakos", "--base-url", "https://a\0", "--yes")])
def test_what_registration_refuses(arguments: tuple[str, ...]) -> None:
    refused = run("component-register", *arguments)
    assert (refused.code != 0, refused.out) == (True, "")
    assert "Traceback" not in refused.err
    assert Component.objects.count() == 0


def test_a_second_host_registers_through_its_export(tmp_path: Path) -> None:
    """The host of the component has no database of ours: it prints definitions, the identity host reads them."""
    environment = {**os.environ, "SYNNEFO_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    exported = subprocess.run([sys.executable, "-m", "synnefo.project.service_export", "pithos", "https://store.example.org/pithos"],
                              env=environment, capture_output=True, text=True, timeout=60, check=True)
    file = tmp_path / "pithos.json"
    file.write_text(exported.stdout)
    added = run("component-add", "pithos", "--base-url", "https://store.example.org/pithos", "--ui-url", "https://store.example.org/ui")
    assert "Token: " in added.out
    assert run("service-import", "--json", str(file)).code == 0
    by_files = {item.name: [endpoint.data for endpoint in item.endpoints.all()] for item in Service.objects.all()}
    assert by_files
    assert run("component-register", "pithos", "--yes").code == 0
    assert {item.name: [endpoint.data for endpoint in item.endpoints.all()] for item in Service.objects.all()} == by_files
