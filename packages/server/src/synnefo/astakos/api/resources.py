"""The list of what can be counted, for everybody."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from synnefo.astakos.api import http
from synnefo.astakos.services import resources


def list_resources(request: HttpRequest) -> HttpResponse:
    """GET resources: those visible in the API, by name. No token needed."""
    return http.json_reply(resources.describe_visible())
