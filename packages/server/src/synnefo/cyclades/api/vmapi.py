"""vmapi: a node fetches, once, what it needs to build a server. The address itself is the secret."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse

from synnefo.common.errors import MethodNotAllowed, NotFound
from synnefo.common.faults import guarded
from synnefo.common.middleware import client_ip
from synnefo.cyclades.services import build_parameters


@guarded()
def server_params(request: HttpRequest, secret: str) -> HttpResponse:
    if request.method != "GET":
        raise MethodNotAllowed(("GET",))
    if len(secret) != 36:
        raise NotFound("Not found.")
    response = JsonResponse(build_parameters.read(secret, reader=client_ip(request)))
    response["Cache-Control"] = "no-store"
    return response
