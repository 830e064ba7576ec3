"""The list of what can be counted, for everybody."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from synnefo.astakos.api import http
from synnefo.astakos.api.account_replies import Resource
from synnefo.astakos.services import resources
from synnefo.common.describe import describe


@describe("List what can be counted", auth="none", reply=dict[str, Resource])
def list_resources(request: HttpRequest) -> HttpResponse:
    """GET resources: those visible in the API, by name. No token needed."""
    return http.json_reply(resources.describe_visible())
