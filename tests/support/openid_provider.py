"""A real OpenID Connect provider for tests: django-oauth-toolkit in a process of its own, on loopback, with a password form.

Run as a program it serves; `openid_provider` starts it and `browse` is the person who signs in there.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlparse

if __name__ != "__main__":
    import httpx

    from tests.support.directory_server import free_port
    from tests.support.sign_in import form_fields

START_S = 60.0
CLIENT, SECRET = "cloud-1", "the client's secret"
CALLBACK = "{site}/astakos/ui/login/{module}/authenticated"


@dataclass(frozen=True)
class Account:
    """A person at the provider."""

    name: str
    password: str
    email: str
    is_email_verified: bool = True
    first: str = ""
    last: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenIDProvider:
    """`issuer` answers while the context lasts; `key` is the PEM of what it signs with."""

    issuer: str
    key: str

    def options(self, **more: Any) -> dict[str, Any]:
        """For ASTAKOS_OIDC_PROVIDERS."""
        return {"issuer": self.issuer, "client_id": CLIENT, "client_secret": SECRET, "title": "The University", **more}


def browse(address: str, account: Account, *, allow: bool = True) -> str:
    """Follow a redirect to the provider, sign in and allow (or not); returns the address that leads back to us."""
    with httpx.Client(timeout=20) as browser:
        response = browser.get(address)
        for _ in range(8):
            if response.is_redirect:
                target = urljoin(str(response.url), response.headers["Location"])
                if urlparse(target).netloc == "testserver":
                    return target
                response = browser.get(target)
                continue
            assert response.status_code == 200, response.text[:2000]
            fields = form_fields(response.text)
            if "password" in fields:
                fields |= {"username": account.name, "password": account.password}
            elif allow:
                fields["allow"] = "Authorize"
            else:
                fields.pop("allow", None)
            response = browser.post(str(response.url), data=fields, headers={"Referer": str(response.url)})
    raise AssertionError(f"no way back: {response.status_code} {response.text[:2000]}")


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlparse(address).query).items()}


@contextlib.contextmanager
def openid_provider(*accounts: Account, module: str = "oidc:uni", site: str = "http://testserver") -> Iterator[OpenIDProvider]:
    """A running provider that knows these people and one client."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    port = free_port()
    issuer = f"http://127.0.0.1:{port}/o"
    with tempfile.TemporaryDirectory(prefix="snf-openid-") as name:
        order = {"port": port, "issuer": issuer, "key": key, "directory": name, "accounts": [vars(account) for account in accounts],
                 "callback": CALLBACK.format(site=site, module=module), "left": f"{site}/astakos/ui/login"}
        log = (Path(name) / "log").open("wb")
        clean = {key_: value for key_, value in os.environ.items() if key_ not in {"DJANGO_SETTINGS_MODULE", "PYTHONPATH"}}
        process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=log, stderr=log, env=clean)
        log.close()
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode())
        process.stdin.close()
        try:
            _wait(process, issuer, Path(name) / "log")
            yield OpenIDProvider(issuer, key)
        finally:
            process.terminate()
            process.wait(20)


def _wait(process: subprocess.Popen[bytes], issuer: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{issuer}/.well-known/openid-configuration", timeout=5).status_code == 200:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the OpenID provider did not start: " + log.read_text("utf-8", "replace")[-3000:])
        time.sleep(0.1)


# The program


def _configure(order: dict[str, Any]) -> None:
    from django.conf import settings

    page = '<form method="post">{% csrf_token %}<input name="username"><input name="password" type="password"><button>Go</button></form>'
    settings.configure(
        SECRET_KEY="a provider in a test", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF="__main__", USE_TZ=True, APPEND_SLASH=False,
        LOGIN_URL="/login/", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{order['directory']}/db.sqlite3"}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware",
                    "django.contrib.auth.middleware.AuthenticationMiddleware"],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {
            "context_processors": ["django.template.context_processors.request"], "loaders": [
                ("django.template.loaders.locmem.Loader", {"login.html": page}), "django.template.loaders.app_directories.Loader"]}}],
        OAUTH2_PROVIDER={"OIDC_ENABLED": True, "OIDC_ISS_ENDPOINT": order["issuer"], "OIDC_RSA_PRIVATE_KEY": order["key"],
                         "OIDC_RP_INITIATED_LOGOUT_ENABLED": True, "PKCE_REQUIRED": True,
                         "SCOPES": {"openid": "who", "profile": "name", "email": "e-mail"}, "OAUTH2_VALIDATOR_CLASS": "__main__.Claims"})


def _fill(order: dict[str, Any]) -> dict[str, dict[str, Any]]:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    for account in order["accounts"]:
        User.objects.create_user(account["name"], account["email"], account["password"])
    Application.objects.create(
        name="Cloud", client_id=CLIENT, client_secret=SECRET, client_type="confidential", authorization_grant_type="authorization-code",
        redirect_uris=order["callback"], algorithm="RS256", post_logout_redirect_uris=order["left"])
    return {account["name"]: account for account in order["accounts"]}


def _serve() -> None:
    import socketserver
    from wsgiref.simple_server import WSGIServer, make_server

    import django

    order = json.loads(sys.stdin.buffer.read())
    _configure(order)
    django.setup()
    from django.contrib.auth.views import LoginView
    from django.core.handlers.wsgi import WSGIHandler
    from django.urls import include, path
    from oauth2_provider.oauth2_validators import OAuth2Validator

    class Claims(OAuth2Validator):  # type: ignore[misc]
        oidc_claim_scope = None

        def get_additional_claims(self, request: Any) -> dict[str, Any]:
            account = people[request.user.username]
            return {"email": account["email"], "email_verified": account["is_email_verified"], "given_name": account["first"],
                    "family_name": account["last"], "groups": account["groups"]}

    class Server(socketserver.ThreadingMixIn, WSGIServer):
        daemon_threads = True

    module: Any = sys.modules["__main__"]
    module.Claims = Claims
    module.urlpatterns = [path("login/", LoginView.as_view(template_name="login.html")), path("o/", include("oauth2_provider.urls"))]
    people = _fill(order)
    make_server("127.0.0.1", order["port"], WSGIHandler(), Server).serve_forever()


if __name__ == "__main__":
    _serve()
