"""The first version of the object store's authentication: `GET /auth/v1.0` with a user and a key in headers."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from synnefo.astakos.services import authentication, catalog
from synnefo.astakos.services.authentication import Scope
from synnefo.common.describe import describe
from synnefo.common.errors import Unauthenticated
from synnefo.common.middleware import client_ip


@describe("Exchange a user and a key for a token and the address of the object store", auth="none", errors=(401, 429),
          headers={"X-Auth-User": "E-mail or uuid, perhaps behind an account and a colon", "X-Auth-Key": "Password or token",
                   "X-Storage-User": "As X-Auth-User", "X-Storage-Pass": "As X-Auth-Key"},
          reply_headers={"X-Auth-Token": "The token", "X-Storage-Token": "The token again", "X-Auth-Token-Expires": "Seconds that it lives"})
def authenticate(request: HttpRequest) -> HttpResponseBase:
    headers = request.headers
    login = (headers.get("X-Auth-User") or headers.get("X-Storage-User") or "").rpartition(":")[2]
    key = headers.get("X-Auth-Key") or headers.get("X-Storage-Pass") or ""
    if not login or not key:
        raise Unauthenticated("Give X-Auth-User and X-Auth-Key.")
    proof = authentication.by_password(login, key, client_ip=client_ip(request))
    grant = authentication.grant(proof, Scope())
    response = HttpResponse(content_type="text/plain; charset=UTF-8")
    seconds = int((grant.token.expires_at - timezone.now()).total_seconds())
    project_id = grant.membership.project_id if grant.membership else grant.user.uuid
    for name, value in (("X-Auth-Token", grant.secret), ("X-Storage-Token", grant.secret),
                        ("X-Auth-Token-Expires", str(seconds)),
                        ("X-Storage-Url", catalog.find_url("object-store", grant.user.uuid, project_id))):
        if value:
            response.headers[name] = value
    return response
