"""The site: each enabled service below the path of its base URL, then the web interface."""

from __future__ import annotations

import importlib
from urllib.parse import urlparse

from django.urls import URLPattern, URLResolver, include, path

from synnefo.common import health
from synnefo.common.settings import conf


def _prefix(base_url: str) -> str:
    path_ = urlparse(base_url).path.strip("/")
    return f"{path_}/" if path_ else ""


urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", health.metrics),
]
for _service in conf.SYNNEFO_SERVICES:
    _base = getattr(conf, f"{_service.upper()}_BASE_URL")
    urlpatterns.append(path(_prefix(_base), include(importlib.import_module(f"synnefo.{_service}.urls"))))
urlpatterns.append(path("", include("synnefo.web.urls")))

handler403 = "synnefo.web.views.errors.forbidden"
handler404 = "synnefo.web.views.errors.not_found"
handler500 = "synnefo.web.views.errors.server_error"
