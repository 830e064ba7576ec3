"""The service catalog, as the two identity APIs show it. Two queries for the whole of it, or none: it is kept for
ASTAKOS_ENDPOINT_CACHE_TIMEOUT in a cache that all processes share, and forgotten there with every change. A cache of one
process alone would hide the changes that others make, so it is not used for this.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from django.core.cache import cache

from synnefo.astakos.models import Endpoint, Service
from synnefo.common.settings import conf

_FLAGS = ("v2", "v3")
_TEMPLATE = "OS:urlTemplate"
_GENERATION = "astakos-catalog-generation"
_WEBLOGIN = "astakos_weblogin"


def _services() -> list[Service]:
    timeout_s = int(conf.ASTAKOS_ENDPOINT_CACHE_TIMEOUT)
    if not timeout_s or conf.CACHE_URL.startswith("locmem:"):
        return _read()
    key = f"astakos-catalog-{cache.get(_GENERATION, 0)}"
    found: list[Service] | None = cache.get(key)
    if found is None:
        found = _read()
        cache.set(key, found, timeout_s)
    return found


def _read() -> list[Service]:
    return list(Service.objects.select_related("component").prefetch_related("endpoints").order_by("pk"))


def forget() -> None:
    """Called after every change that is committed. What somebody read before the change he keeps under the old generation."""
    try:
        cache.incr(_GENERATION)
    except ValueError:
        cache.set(_GENERATION, time.time_ns(), None)


def _endpoints(service: Service, version: str) -> Iterator[Endpoint]:
    """The endpoints that the catalogs of this identity version list."""
    other = "v3" if version == "v2" else "v2"
    for endpoint in service.endpoints.all():
        if endpoint.data.get(other) != "True":
            endpoint.service = service
            yield endpoint


def expand(template: str, user_id: str, project_id: str) -> str:
    """Fill `$(user_id)s` and `$(project_id)s` (and the older `$(tenant_id)s`)."""
    return (template.replace("$(user_id)s", user_id).replace("$(project_id)s", project_id)
            .replace("$(tenant_id)s", project_id))


def v2_catalog(*, user_id: str = "", project_id: str = "") -> list[dict[str, Any]]:
    """The catalog of v2.0. Given a user, URL templates are expanded for him; without, the registered URLs are shown."""
    entries = [
        {"name": service.name, "type": service.type, "endpoints_links": [],
         "endpoints": [_v2_endpoint(service, endpoint, user_id, project_id) for endpoint in _endpoints(service, "v2")]}
        for service in _services()
    ]
    return [entry for entry in entries if entry["endpoints"]]


def _v2_endpoint(service: Service, endpoint: Endpoint, user_id: str, project_id: str) -> dict[str, Any]:
    shown = {key: value for key, value in endpoint.data.items() if key not in (*_FLAGS, _TEMPLATE)}
    shown.setdefault("SNF:exposeVersion", "True")
    if user_id and _TEMPLATE in endpoint.data:
        shown["publicURL"] = expand(endpoint.data[_TEMPLATE], user_id, project_id)
    if service.type == _WEBLOGIN:
        shown["SNF:webloginURL"] = shown["publicURL"]
    return {**shown, "region": conf.ASTAKOS_REGION_NAME, "SNF:uiURL": service.component.ui_url}


def v3_catalog(user_id: str, project_id: str) -> list[dict[str, Any]]:
    """The catalog of v3, every template expanded."""
    entries = []
    for service in _services():
        endpoints = [item for endpoint in _endpoints(service, "v3")
                     for item in _v3_endpoints(endpoint, user_id, project_id)]
        entries.append({"id": service.public_id, "name": service.name, "type": service.type, "endpoints": endpoints})
    return [entry for entry in entries if entry["endpoints"]]


def _v3_endpoints(endpoint: Endpoint, user_id: str, project_id: str) -> Iterator[dict[str, Any]]:
    region = conf.ASTAKOS_REGION_NAME
    public = endpoint.data.get(_TEMPLATE) or endpoint.data["publicURL"]
    urls = {"public": public, "internal": endpoint.data.get("internalURL"), "admin": endpoint.data.get("adminURL")}
    for interface, url in urls.items():
        if url:
            yield {"id": endpoint.public_id(interface), "interface": interface, "region": region, "region_id": region,
                   "url": expand(url, user_id, project_id)}


def find_service(text: str) -> Service | None:
    """A service by name or number."""
    found = Service.objects.select_related("component").prefetch_related("endpoints").filter(name=text).first()
    if found is None and text.isascii() and text.isdigit() and len(text) < 19:
        found = Service.objects.select_related("component").prefetch_related("endpoints").filter(pk=int(text)).first()
    return found


def find_url(service_type: str, user_id: str, project_id: str) -> str:
    """The public v3 URL of the first service of a type, or nothing."""
    for entry in v3_catalog(user_id, project_id):
        if entry["type"] == service_type:
            return str(entry["endpoints"][0]["url"])
    return ""
