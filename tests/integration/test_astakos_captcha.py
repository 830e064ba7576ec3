"""Tasks for robots: our own, those of services, at sign-up and after wrong passwords."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from synnefo.astakos.models import User
from synnefo.astakos.services import captchas
from tests.support.identity import make_user

pytestmark = pytest.mark.django_db
UI = "/astakos/ui"
PASSWORD = "a quiet river in May"
FORM = {"email": "ann@example.org", "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


def solved(page: str) -> str:
    """As the script of the page does."""
    challenge = re.search(r'data-challenge="([^"]+)"', page)[1]  # type: ignore[index]
    for number in itertools.count():
        digest = hashlib.sha256(f"{challenge}~{number}".encode()).digest()
        if int.from_bytes(digest) >> (256 - captchas.BITS) == 0:
            return f"{challenge}~{number}"
    raise AssertionError


def test_signing_up_takes_the_task(settings_override: Any) -> None:
    assert "data-challenge" not in Client().get(f"{UI}/signup").content.decode()
    settings_override(ASTAKOS_CAPTCHA_PROVIDER="builtin")
    page = Client().get(f"{UI}/signup").content.decode()
    answer = solved(page)
    for wrong in ({}, {"captcha": "x~1"}, {"captcha": answer + "0"}, {"captcha": "~"}, {"captcha": "x" * 9000}, {"captcha": "\x00~\u017f"}):
        refused = Client().post(f"{UI}/signup", FORM | wrong)
        assert (refused.status_code, "no robot" in refused.content.decode()) == (400, True)
    assert not User.objects.exists()
    assert Client().post(f"{UI}/signup", FORM | {"captcha": answer}).status_code == 302
    again = Client().post(f"{UI}/signup", FORM | {"email": "bob@example.org", "captcha": answer})
    assert again.status_code == 400, "each works once"


def test_wrong_passwords_bring_it_up(settings_override: Any) -> None:
    settings_override(ASTAKOS_CAPTCHA_PROVIDER="builtin", ASTAKOS_RATELIMIT_RETRIES_ALLOWED=10)
    make_user(password=PASSWORD)
    wrong = {"username": "ann@example.org", "password": "guess"}
    for _ in range(8):
        assert "data-challenge" not in Client().post(f"{UI}/login", wrong).content.decode()
    page = Client().post(f"{UI}/login", wrong).content.decode()
    assert "data-challenge" in page
    right = {"username": "ann@example.org", "password": PASSWORD}
    refused = Client().post(f"{UI}/login", right)
    assert (refused.status_code, "no robot" in refused.content.decode()) == (401, True)
    assert Client().post(f"{UI}/login", right | {"captcha": solved(page)}).status_code == 302
    assert Client().post(f"{UI}/login", right).status_code == 302, "a success forgets the failures"
    assert Client().post(f"{UI}/login", {"username": "bob@example.org", "password": "x"}).status_code == 401


@pytest.fixture
def service(settings_override: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Takes the answer "good" with the right secret; fails when told to. Returns what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append(body)
            self.send_response(500 if "response=down" in body else 200)
            self.end_headers()
            self.wfile.write(json.dumps({"success": "secret=private" in body and "response=good" in body}).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    known = captchas.SERVICES["turnstile"]
    monkeypatch.setitem(captchas.SERVICES, "turnstile", replace(known, check=f"http://127.0.0.1:{server.server_port}/"))
    settings_override(ASTAKOS_CAPTCHA_PROVIDER="turnstile", ASTAKOS_RECAPTCHA_PUBLIC_KEY="public", ASTAKOS_RECAPTCHA_PRIVATE_KEY="private")
    yield asked
    server.shutdown()
    server.server_close()


def test_a_service_is_asked(service: list[str]) -> None:
    page = Client().get(f"{UI}/signup")
    assert '<div class="cf-turnstile" data-sitekey="public">' in page.content.decode()
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self' https://challenges.cloudflare.com;" in policy
    assert "frame-src https://challenges.cloudflare.com;" in policy
    assert "cloudflare" not in Client().get(f"{UI}/login").headers["Content-Security-Policy"]
    assert Client().post(f"{UI}/signup", FORM | {"cf-turnstile-response": "bad"}).status_code == 400
    assert Client().post(f"{UI}/signup", FORM).status_code == 400
    assert len(service) == 1, "nothing is asked about no answer"
    assert Client().post(f"{UI}/signup", FORM | {"cf-turnstile-response": "good"}).status_code == 302


def test_a_service_that_is_down_stops_sign_up_and_not_sign_in(service: list[str], settings_override: Any) -> None:
    assert Client().post(f"{UI}/signup", FORM | {"cf-turnstile-response": "down"}).status_code == 503
    assert not User.objects.exists()
    settings_override(ASTAKOS_RATELIMIT_RETRIES_ALLOWED=3)
    make_user(password=PASSWORD)
    for _ in range(2):
        Client().post(f"{UI}/login", {"username": "ann@example.org", "password": "guess"})
    sign_in = {"username": "ann@example.org", "password": PASSWORD}
    assert Client().post(f"{UI}/login", sign_in).status_code == 401
    assert Client().post(f"{UI}/login", sign_in | {"cf-turnstile-response": "down"}).status_code == 302


def test_the_older_settings(settings_override: Any) -> None:
    settings_override(ASTAKOS_RECAPTCHA_ENABLED=True, ASTAKOS_RECAPTCHA_PUBLIC_KEY="public")
    assert '<div class="g-recaptcha" data-sitekey="public">' in Client().get(f"{UI}/signup").content.decode()
