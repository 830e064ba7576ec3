"""One cloud: its services, found in the identity catalogue."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import httpx

from kamaki import errors
from kamaki.compute import Compute
from kamaki.identity import Identity
from kamaki.images import Images
from kamaki.network import Network
from kamaki.storage import Storage
from kamaki.transport import TIMEOUT, Transport


class Cloud:
    """The services of a cloud for one user.

    `url` is the identity root (`https://.../identity/v2.0`); `endpoints` overrides catalogue entries by service type.
    `http` may be given to test without a network or to configure proxies and certificates.
    """

    def __init__(self, url: str, token: str, *, endpoints: dict[str, str] | None = None, http: httpx.Client | None = None,
                 verify: bool | str = True) -> None:
        self.http = http or httpx.Client(timeout=TIMEOUT, verify=verify, follow_redirects=False)
        self.endpoints = endpoints or {}
        self._root = Transport(url, token, http=self.http)

    @cached_property
    def identity(self) -> Identity:
        return Identity(self._root, self.account_url)

    @cached_property
    def access(self) -> dict[str, Any]:
        """The answer to the token: token, user and catalogue. Fetched once."""
        return Identity.authenticate_at(self._root)

    @property
    def user_id(self) -> str:
        return str(self.access["user"]["id"])

    def account_url(self) -> str:
        return self.endpoint("account")

    @cached_property
    def service_account(self) -> Transport:
        """The account API for a service's token, which has no user: its address is in the catalogue that everybody may read."""
        if "account" in self.endpoints:
            return self._root.at(self.endpoints["account"])
        for service in Identity.catalog_at(self._root):
            if service["type"] == "account":
                return self._root.at(_versioned(service["endpoints"][0]))
        raise errors.UsageError("This cloud has no service of type account.")

    def endpoint(self, service_type: str) -> str:
        """Public URL of a service, with its version. Raises `UsageError` when the cloud does not offer it."""
        if service_type in self.endpoints:
            return self.endpoints[service_type]
        for service in self.access["serviceCatalog"]:
            if service["type"] == service_type:
                return _versioned(service["endpoints"][0])
        offered = ", ".join(sorted(service["type"] for service in self.access["serviceCatalog"]))
        raise errors.UsageError(f"This cloud has no service of type {service_type}.", hints=(f"It has: {offered}",))

    @cached_property
    def storage(self) -> Storage:
        return Storage(self._root.at(self.endpoint("object-store")), self.user_id)

    @cached_property
    def compute(self) -> Compute:
        return Compute(self._root.at(self.endpoint("compute")))

    @cached_property
    def network(self) -> Network:
        return Network(self._root.at(self.endpoint("network")))

    @cached_property
    def images(self) -> Images:
        return Images(self._root.at(self.endpoint("image")))


def _versioned(endpoint: dict[str, str]) -> str:
    """A URL published without its version (SNF:exposeVersion false) gets it appended."""
    url, version = endpoint["publicURL"].rstrip("/"), endpoint.get("versionId", "")
    hidden = str(endpoint.get("SNF:exposeVersion", "True")) == "False"
    return f"{url}/{version}" if hidden and version and not url.endswith(version) else url
