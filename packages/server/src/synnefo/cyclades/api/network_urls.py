"""URLs of the network API, below `<cyclades>/network`."""

from __future__ import annotations

from django.urls import URLPattern, re_path

from synnefo.cyclades.api import network_dispatch

urlpatterns: list[URLPattern] = [
    re_path(r"^/?$", network_dispatch.versions),
    re_path(r"^/v2\.0/?$", network_dispatch.version),
    # One pattern for everything below, so that whatever stands in the place of an id reaches our own checks.
    re_path(r"^/v2\.0/(?P<path>.+)$", network_dispatch.dispatch),
]
