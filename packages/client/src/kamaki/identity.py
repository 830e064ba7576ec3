"""Astakos: who the token belongs to, quota, names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kamaki.transport import Transport


class Identity:
    """Identity and account API. `account_url` is asked only when the account API is needed."""

    def __init__(self, root: Transport, account_url: Callable[[], str]) -> None:
        self.root = root
        self._account_url = account_url

    @property
    def account(self) -> Transport:
        return self.root.at(self._account_url())

    @staticmethod
    def authenticate_at(root: Transport) -> dict[str, Any]:
        """Token, user and service catalogue. Raises `AuthenticationFailed`."""
        body = {"auth": {"token": {"id": root.token}}}
        return dict(root.json("POST", "/tokens", json=body)["access"])

    @staticmethod
    def catalog_at(root: Transport) -> list[dict[str, Any]]:
        """The services of the cloud, without a token."""
        return list(root.json("POST", "/tokens")["access"]["serviceCatalog"])

    def authenticate(self) -> dict[str, Any]:
        return self.authenticate_at(self.root)

    def quotas(self) -> dict[str, dict[str, dict[str, int]]]:
        """{project: {resource: {limit, usage, pending, project_limit, project_usage, project_pending}}}."""
        return dict(self.account.json("GET", "/quotas"))

    def resources(self) -> dict[str, dict[str, Any]]:
        """{resource: {unit, description, service, ...}}."""
        return dict(self.account.json("GET", "/resources"))

    def usernames(self, uuids: list[str]) -> dict[str, str]:
        return dict(self.account.json("POST", "/user_catalogs", json={"uuids": uuids})["uuid_catalog"])

    def uuids(self, usernames: list[str]) -> dict[str, str]:
        return dict(self.account.json("POST", "/user_catalogs", json={"displaynames": usernames})["displayname_catalog"])
