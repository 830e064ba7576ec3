"""What each service tells the catalog about itself, and how it is exported to other hosts.

A service declares `SERVICES` in its `registration.py`: name -> {"type", "component", "prefix", "public", "endpoints",
"resources"}. An endpoint without publicURL gets <base URL>/<prefix>/<versionId>; `{publicURL}` in its `OS:urlTemplate`
is replaced by that. Endpoint flags "v2" and "v3" keep it to the catalogs of that identity API.
"""

from __future__ import annotations

import copy
import importlib
import json
from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand
from synnefo.common.errors import InvalidInput
from synnefo.common.settings import conf

Definitions = dict[str, dict[str, Any]]


def join_url(*parts: str) -> str:
    """Join the parts of a URL, neither doubling nor dropping slashes, none at the end."""
    return "/".join(part for part in (parts[0].rstrip("/"), *(part.strip("/") for part in parts[1:])) if part)


def base_url_of(component: str) -> str:
    """The public root of a component of this cloud."""
    return str(getattr(conf, f"{component.upper()}_BASE_URL")).rstrip("/")


def local_components() -> list[str]:
    """The components this host runs."""
    return list(conf.SYNNEFO_SERVICES)


def definitions_of(component: str, base_url: str | None = None) -> Definitions:
    """The component's public services with every URL filled in."""
    declared: Definitions = importlib.import_module(f"synnefo.{component}.registration").SERVICES
    base = base_url_of(component) if base_url is None else base_url
    return {name: _filled(service, base) for name, service in declared.items() if service.get("public", True)}


def _filled(service: dict[str, Any], base_url: str) -> dict[str, Any]:
    filled = copy.deepcopy(service)
    for endpoint in filled["endpoints"]:
        _fill(endpoint, base_url, service.get("prefix", ""))
    return filled


def _fill(endpoint: dict[str, Any], base_url: str, prefix: str) -> None:
    version = endpoint.get("versionId", "") if endpoint.get("SNF:exposeVersion", True) else ""
    url = endpoint.get("publicURL") or join_url(base_url, prefix, version)
    endpoint["publicURL"] = url
    if "OS:urlTemplate" in endpoint:
        endpoint["OS:urlTemplate"] = endpoint["OS:urlTemplate"].replace("{publicURL}", url)


class ServiceExportCommand(BaseCommand):
    """`service-export-<component>`: the definitions as JSON, for `service-import` on the identity host."""

    component = ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--base-url", default=None, help="Public root, instead of the configured one.")

    def handle(self, *args: Any, **options: Any) -> None:
        base_url = options["base_url"]
        if base_url is not None and not base_url.startswith(("http://", "https://")):
            raise InvalidInput("--base-url is not an http or https URL.")
        self.stdout.write(json.dumps(definitions_of(self.component, base_url), indent=2))


class ResourceExportCommand(BaseCommand):
    """`resource-export-<component>`: what its services count, as JSON for `resource-import` on the identity host."""

    component = ""

    def handle(self, *args: Any, **options: Any) -> None:
        found = [resource for service in definitions_of(self.component).values()
                 for resource in service.get("resources", {}).values()]
        self.stdout.write(json.dumps(found, indent=4))
