"""Identity API v3: what users and administrators may change of accounts."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from pydantic import BaseModel, ConfigDict, Field

from synnefo.astakos.api import identity_replies as replies
from synnefo.astakos.api.app_credentials import own_token
from synnefo.astakos.api.http import json_body, json_reply, no_content, parse, require_manager
from synnefo.astakos.api.identity_v3_resources import is_admin, render_user, subject
from synnefo.astakos.models import User
from synnefo.astakos.services import app_credentials, own_password, projects
from synnefo.astakos.services.user_changes import Changes, modify_user
from synnefo.common.describe import describe
from synnefo.common.errors import Forbidden, InvalidInput
from synnefo.common.middleware import client_ip

_config = ConfigDict(extra="ignore", strict=True)


class _User(BaseModel):
    model_config = _config
    default_project_id: str | None = Field(None, max_length=64)
    enabled: bool | None = None
    password: str | None = Field(None, max_length=1024)
    email: str | None = Field(None, max_length=254)
    name: str | None = Field(None, max_length=254)

    @property
    def is_own(self) -> bool:
        """Whether users may change this of themselves."""
        return self.enabled is None and self.password is None and self.email is None and self.name is None


class UserChangeRequest(BaseModel):
    model_config = _config
    user: _User


class _Passwords(BaseModel):
    model_config = _config
    password: str = Field(max_length=1024)
    original_password: str = Field(max_length=1024)


class PasswordChangeRequest(BaseModel):
    model_config = _config
    user: _Passwords


@describe("Change a user", auth="account", body=UserChangeRequest, reply=replies.UserReply, errors=(404, 405, 409), only=("self", "admin"))
def update_user(request: HttpRequest, user_id: str) -> HttpResponseBase:
    """Users choose their default project; administrators change e-mail, password and state too."""
    token = require_manager(request)
    user = subject(request, user_id)
    asked = parse(UserChangeRequest, json_body(request)).user
    if not asked.is_own and not is_admin(token):
        raise Forbidden("Only default_project_id can be changed here. The rest is on the profile page.")
    changes = _changes(user, asked)
    if not changes.is_empty:
        modify_user(user.user_id, changes)
    if asked.default_project_id is not None:
        projects.set_default_project(user.user_id, asked.default_project_id)
    user.refresh_from_db()
    return json_reply({"user": render_user(user)})


def _changes(user: User, asked: _User) -> Changes:
    """Only what differs. A user's name is his e-mail."""
    emails = {text.strip().lower() for text in (asked.email, asked.name) if text is not None}
    if len(emails) > 1:
        raise InvalidInput("The name of a user is the e-mail: they cannot differ.", field="name")
    email = next(iter(emails), user.email)
    active = asked.enabled if asked.enabled != user.is_active else None
    return Changes(active=active, password=asked.password, email=email if email != user.email else None)


@describe("Change the own password", auth="account", body=PasswordChangeRequest, status=204, errors=(429,), only=("self",))
def change_password(request: HttpRequest, user_id: str) -> HttpResponseBase:
    """A user's own password, given the present one. Tokens that were issued for it end."""
    token = own_token(request, user_id)
    app_credentials.require_manager(token)
    asked = parse(PasswordChangeRequest, json_body(request)).user
    own_password.change(token.user, asked.original_password, asked.password, client_ip=client_ip(request))
    return no_content()
