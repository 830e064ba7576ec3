"""Accounts of the real identity service, and an HTTP client that speaks its APIs."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from synnefo.astakos.models import User
from synnefo.astakos.services import registry, tokens, users
from synnefo.astakos.services.components import add_component

PASSWORD = "correct horse battery"
V2, V3, ACCOUNT = "/astakos/identity/v2.0", "/astakos/identity/v3", "/astakos/account/v1.0"

CATALOG: dict[str, Any] = {
    "cyclades_compute": {
        "type": "compute", "component": "cyclades", "resources": {},
        "endpoints": [{"versionId": "v2.0", "publicURL": "http://testserver/cyclades/compute/v2.0", "v2": True},
                      {"versionId": "v2.1", "publicURL": "http://testserver/cyclades/compute/v2.1", "v3": True}]},
    "pithos_object-store": {
        "type": "object-store", "component": "pithos", "resources": {},
        "endpoints": [{"versionId": "v1", "publicURL": "http://testserver/pithos/object-store/v1", "v2": True,
                       "OS:urlTemplate": "http://testserver/pithos/object-store/v1/$(user_id)s"},
                      {"versionId": "v1", "publicURL": "http://testserver/pithos/swift/v1", "v3": True,
                       "OS:urlTemplate": "http://testserver/pithos/swift/v1/AUTH_$(user_id)s"}]},
}


def register_catalog() -> dict[str, str]:
    """The services of `CATALOG`; returns the components' tokens."""
    secrets = {name: add_component(name, base_url=f"http://testserver/{name}")[1] for name in ("cyclades", "pithos")}
    registry.import_services(CATALOG)
    return secrets


def make_user(email: str = "ann@example.org", **options: Any) -> User:
    """An active user, without a usable password unless one is given."""
    return users.create_user(email, **options)


def make_token(user: User, **options: Any) -> str:
    """A lasting token of the user."""
    return tokens.issue_named(user, "test", **options).secret


class Http:
    """Sends JSON with a token."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.client = Client()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        if self.token:
            headers.setdefault("X-Auth-Token", self.token)
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.generic(method, path, data, "application/json", headers=headers)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("PUT", path, body, **headers)


def v3_password(login: str, password: str = PASSWORD, scope: Any = None) -> dict[str, Any]:
    """The body of a v3 password login."""
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": {
        "name": login, "domain": {"id": "default"}, "password": password}}}}
    return {"auth": auth if scope is None else {**auth, "scope": scope}}


def v3_token(token: str, scope: Any = None) -> dict[str, Any]:
    """The body of a v3 exchange of a token."""
    auth: dict[str, Any] = {"identity": {"methods": ["token"], "token": {"id": token}}}
    return {"auth": auth if scope is None else {**auth, "scope": scope}}
