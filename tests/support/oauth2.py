"""Clients of the authorization server, and a browser that its users sit at."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.test import Client

from synnefo.astakos.models import User
from synnefo.astakos.services.oauth2 import clients

AUTH, TOKEN, ROOT = "/astakos/oauth2/auth", "/astakos/oauth2/token", "/astakos/oauth2"
CALLBACK = "https://app.example.org/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
SECRET = "the secret of a client"


def make_client(identifier: str = "app", **options: Any) -> str:
    """A client; without another `secret` it has `SECRET`, hashed quickly."""
    client, fresh, _ = clients.add(identifier, options.pop("urls", [CALLBACK]), **options)
    if fresh:
        client.secret_hash = f"sha256${hashlib.sha256(SECRET.encode()).hexdigest()}"
        client.save()
    return identifier


def basic(identifier: str = "app", secret: str = SECRET) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{identifier}:{secret}".encode()).decode()}


class Browser:
    """Signed in, if there is a user; speaks https and follows no redirect."""

    def __init__(self, user: User | None = None, *, checks_csrf: bool = False) -> None:
        self.client = Client(enforce_csrf_checks=checks_csrf)
        if user is not None:
            self.client.force_login(user)

    def ask(self, headers: dict[str, str] | None = None, **parameters: str) -> Any:
        fields = {"client_id": "app", "response_type": "code", **parameters}
        query = urlencode({name: value for name, value in fields.items() if value != "-"})
        return self.client.get(f"{AUTH}?{query}", secure=True, headers=headers or {})

    def agree(self, **parameters: str) -> Any:
        answer = {"csrfmiddlewaretoken": "x", **({"reject": parameters.pop("reject")} if "reject" in parameters else {})}
        query = urlencode({"client_id": "app", "response_type": "code", **parameters})
        return self.client.post(f"{AUTH}?{query}", answer, secure=True)

    def code(self, **parameters: str) -> str:
        response = self.agree(**parameters)
        assert response.status_code == 302, response.content
        return fields_of(response.headers["Location"])["code"]


def fields_of(url: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def post(path: str, form: dict[str, str], headers: dict[str, str] | None = None, **options: Any) -> Any:
    body = options.pop("body", urlencode(form))
    content_type = options.pop("content_type", "application/x-www-form-urlencoded")
    return Client().post(path, body, content_type=content_type, secure=options.pop("secure", True), headers=headers or {}, **options)


def exchange(code: str, headers: dict[str, str] | None = None, **form: str) -> Any:
    fields = {"grant_type": "authorization_code", "code": code, **form}
    return post(TOKEN, fields, basic() if headers is None else headers)
