"""What a service must know of a user whose token it does not have, such as the owner an operator names."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from synnefo.astakos.adapters.identity import LocalIdentity
from synnefo.astakos.api import http
from synnefo.astakos.api.account_replies import CallerReply
from synnefo.common.describe import describe
from synnefo.common.errors import NotFound, Unauthenticated
from synnefo.common.ids import UserID


@describe("Show a user as services know him", auth="component", reply=CallerReply, errors=(404,))
def show_caller(request: HttpRequest, user_id: str) -> HttpResponse:
    """GET service/users/UUID: names, projects and roles of an active user. Components only."""
    http.require_component(request)
    try:
        caller = LocalIdentity().caller_of(UserID(user_id.lower()))
    except Unauthenticated as error:
        raise NotFound(f"There is no active user {user_id}.") from error
    return http.json_reply({"user_id": caller.user_id, "email": caller.email, "name": caller.name, "project_id": caller.project_id,
                            "project_ids": caller.project_ids, "roles": caller.roles})
