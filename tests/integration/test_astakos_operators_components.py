"""What the bar of services reads, and the definitions of services without a database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.test import Client

from synnefo.astakos.services import component_metadata
from synnefo.astakos.services.components import add_component
from tests.support.identity import make_token, make_user

MENU, SERVICES = "/astakos/ui/get_menu", "/astakos/ui/get_services"


@pytest.mark.django_db
def test_services_in_order_with_their_metadata(settings_override: Any) -> None:
    for name in ("astakos", "cyclades", "pithos", "wiki"):
        add_component(name, ui_url=f"https://{name}.example.org")
    settings_override(ASTAKOS_COMPONENTS_META={"pithos": {"dashboard": {"description": "Files"}},
                                               "blog": {"order": 0, "url": "https://blog.example.org"}})
    first = Client().get(SERVICES).json()
    assert [item["name"] for item in first] == ["blog", "astakos", "pithos", "cyclades", "wiki"]
    assert first[2]["dashboard"] == {"show": True, "order": 1, "description": "Files"}
    assert first[4] == {"name": "wiki", "url": "https://wiki.example.org", "order": 1000, "verbose_name": "Wiki",
                        "cloudbar": {"show": True, "title": "wiki"},
                        "dashboard": {"show": True, "order": 1000, "description": "wiki service"}}
    settings_override(ASTAKOS_COMPONENTS_META={})
    second = Client().get(SERVICES).json()
    assert [item["name"] for item in second] == ["astakos", "pithos", "cyclades", "wiki"]
    assert second[1]["dashboard"]["description"] == "pithos service"


def test_merging_changes_neither_side() -> None:
    below: dict[str, Any] = {"a": {"b": [1]}, "c": 1}
    above: dict[str, Any] = {"a": {"d": {"e": 2}}, "c": {"f": 3}}
    result = component_metadata.merged(below, above)
    assert result == {"a": {"b": [1], "d": {"e": 2}}, "c": {"f": 3}}
    result["a"]["b"].append(2)
    result["a"]["d"]["e"] = 9
    assert (below, above) == ({"a": {"b": [1]}, "c": 1}, {"a": {"d": {"e": 2}}, "c": {"f": 3}})


@pytest.mark.django_db
def test_the_menu_of_nobody_and_of_a_user() -> None:
    client = Client()
    [item] = client.get(MENU).json()
    assert item["name"] == "Sign in"
    ann = make_user()
    token = make_token(ann)
    client.force_login(ann, backend="django.contrib.auth.backends.ModelBackend")
    items = client.get(MENU).json()
    assert [item["name"] for item in items] == ["ann@example.org", "Dashboard", "Sign out"]
    assert all(item["url"].startswith(("http://", "https://")) for item in items)
    marked = client.get(MENU, {"location": items[1]["url"] + "?x"}).json()
    assert [item.get("is_active") for item in marked] == [True, True, None]
    assert token not in client.get(MENU).content.decode()


@pytest.mark.django_db
def test_jsonp_takes_only_names(settings_override: Any) -> None:
    add_component("wiki", ui_url="https://wiki.example.org/?a=1&b=2")
    answer = Client().get(SERVICES, {"callback": "bar.show"})
    assert answer.headers["Content-Type"].startswith("application/javascript")
    text = answer.content.decode()
    assert text.startswith("/**/bar.show([")
    assert "&" not in text
    assert json.loads(text.removeprefix("/**/bar.show(").removesuffix(");")) == Client().get(SERVICES).json()
    for callback in ("", "alert(1)//", "a" * 65, "1a", "a\n", "é", "<b>"):
        assert Client().get(SERVICES, {"callback": callback}).status_code == 400, callback
    settings_override(ASTAKOS_JSONP_ENABLED=False)
    assert Client().get(MENU, {"callback": "f"}).status_code == 400
    assert Client().post(MENU).status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "callback", "stays"), [
    (MENU, "", True), (MENU, "?callback=f", True), (SERVICES, "", True), (SERVICES, "?callback=f", False), (SERVICES, "?callback=1", True)])
def test_which_readers_take_pending_messages(path: str, callback: str, stays: bool) -> None:
    client = Client()
    client.force_login(make_user())
    client.post("/astakos/ui/api_access", {"action": "revoke", "id": "1"})
    client.get(path + callback)
    assert ("There is no token 1." in client.get("/astakos/ui/api_access").content.decode()) is stays


@pytest.mark.django_db
@pytest.mark.parametrize(("origin", "may"), [
    ("https://files.example.org", True), ("https://example.org", True), ("https://www.partner.net", True),
    ("https://evilexample.org", False), ("https://example.org.evil.net", False), ("http://files.example.org", False),
    ("null", False), ("https://a@files.example.org", False), ("https://[", False), ("https://files.example.org/", False), ("", False),
])
def test_only_known_origins_may_read(settings_override: Any, origin: str, may: bool) -> None:
    settings_override(ASTAKOS_BASE_URL="https://accounts.example.org/astakos", ASTAKOS_COOKIE_DOMAIN=".example.org",
                      ASTAKOS_CORS_ORIGINS=["https://www.partner.net"])
    answer = Client().get(MENU, headers={"Origin": origin})
    assert answer.status_code == 200
    assert answer.headers.get("Access-Control-Allow-Origin") == (origin if may else None)
    assert {"Cookie", "Origin"} <= set(answer.headers["Vary"].split(", "))
    assert "no-store" in answer.headers["Cache-Control"]


def export(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process that knows no database."""
    environment = {**os.environ, "SYNNEFO_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    return subprocess.run([sys.executable, "-m", "synnefo.project.service_export", *arguments], env=environment,
                          capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("component", ["astakos", "cyclades", "pithos"])
def test_definitions_without_a_database(component: str) -> None:
    done = export(component, "https://host.example.org/base//")
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)
    urls = [endpoint["publicURL"] for service in services.values() for endpoint in service["endpoints"]]
    assert urls
    assert all(url.startswith("https://host.example.org/base/") and "//" not in url[8:] for url in urls)
    assert {service["component"] for service in services.values()} == {component}


@pytest.mark.parametrize(("arguments", "code"), [
    (("wiki", "https://host.example.org"), 1), (("astakos", "ftp://host.example.org"), 1), (("astakos",), 2)])
def test_what_the_export_refuses(arguments: tuple[str, ...], code: int) -> None:
    done = export(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
