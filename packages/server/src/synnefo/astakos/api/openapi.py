"""The OpenAPI document of this service, made once a process."""

from __future__ import annotations

import functools
import json

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver

from synnefo.astakos.api.http import endpoint
from synnefo.common import openapi, routes
from synnefo.common.describe import Route, describe
from synnefo.common.settings import conf

TITLE = "Synnefo identity service"
TEXT = "Tokens, accounts, quotas, commissions and projects. The slash at the end of an address is optional."


def table() -> list[URLPattern | URLResolver]:
    """The addresses below ASTAKOS_BASE_URL."""
    from synnefo.astakos.urls import urlpatterns

    return urlpatterns


def described() -> list[Route]:
    """Every method of every address of the APIs, without the base's path."""
    return routes.routes_of(table())


@functools.cache
def _text(server: str) -> bytes:
    made = openapi.document(described(), title=TITLE, version=openapi.VERSION, server=server, text=TEXT)
    return json.dumps(made, separators=(",", ":")).encode()


@describe("Describe all of this", auth="none", reply=dict[str, object])
def show(request: HttpRequest) -> HttpResponse:
    """This document."""
    text = _text(str(conf.ASTAKOS_BASE_URL).rstrip("/"))
    return HttpResponse(text, content_type="application/json", headers={"Cache-Control": "public, max-age=300"})


view = endpoint(GET=show)
