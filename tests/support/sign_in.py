"""A visitor with a browser session who comes by way of the institution's web server, and what he sees."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlparse

from django.test import Client

UI = "/astakos/ui"
PROXY = "192.0.2.7"


def messages_of(page: Any) -> str:
    """The text of a page, tags and all, after redirects."""
    return str(page.content.decode())


def institution(client: Client, remote_user: str, *, peer: str = PROXY, path: str = f"{UI}/login/shibboleth", **headers: str) -> Any:
    """The request that the trusted front end passes on after it has made sure of `remote_user`."""
    given = {"Remote-User": remote_user} if remote_user else {}
    return client.get(path, headers=given | {name.replace("_", "-"): value for name, value in headers.items()}, REMOTE_ADDR=peer)


def token_of(response: Any) -> str:
    """The token in the redirect to the sign-up page."""
    assert response.status_code == 302, response.content
    location = urlparse(response.headers["Location"])
    assert location.path == f"{UI}/signup", response.headers["Location"]
    return parse_qs(location.query)["third_party_token"][0]


def signed_in_as(client: Client) -> str | None:
    """The key of the user whose session this is."""
    found = client.session.get("_auth_user_id")
    return None if found is None else str(found)


def sign_up(client: Client, remote_user: str, email: str, **headers: str) -> Any:
    """Come from the institution for the first time and fill in the form."""
    token = token_of(institution(client, remote_user, **headers))
    return client.post(f"{UI}/signup", {"third_party_token": token, "email": email, "first_name": "Ann", "last_name": "Lee"})


def form_fields(page: str) -> dict[str, str]:
    """{name: value} of the inputs of a page's forms."""
    found = {}
    for tag in re.findall(r"<input\b[^>]*>", page):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if "name" in attributes:
            found[attributes["name"]] = attributes.get("value", "").replace("&amp;", "&").replace("&quot;", '"').replace("&#x27;", "'")
    return found
