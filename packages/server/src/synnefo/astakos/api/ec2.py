"""Identity API v3: EC2-style keys of users, and the check of what they signed for the components that received it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from pydantic import BaseModel, ConfigDict, Field

from synnefo.astakos.adapters.identity import LocalIdentity
from synnefo.astakos.api import identity_replies as replies
from synnefo.astakos.api.app_credentials import own_token
from synnefo.astakos.api.http import header_token, json_body, json_reply, no_content, parse, require_component
from synnefo.astakos.api.identity_v2 import identity_url
from synnefo.astakos.api.identity_v3 import links, token_reply
from synnefo.astakos.models import Ec2Credential, User
from synnefo.astakos.services import app_credentials, ec2, signatures, tokens
from synnefo.common.describe import describe
from synnefo.common.errors import InvalidInput, NotFound

_config = ConfigDict(extra="ignore", strict=True)


class NewKeyRequest(BaseModel):
    model_config = _config
    tenant_id: str | None = Field(None, max_length=64)


class _Signed(BaseModel):
    """What both checks share, and what each of them needs."""

    model_config = _config
    access: str = Field(max_length=64)
    signature: str = Field(max_length=1024)
    token: str | None = Field(None, max_length=100_000)
    verb: str = Field("", max_length=16)
    host: str = Field("", max_length=1024)
    path: str = Field("", max_length=16_384)
    params: dict[str, str] = Field({}, max_length=200)
    headers: dict[str, str] = Field({}, max_length=200)
    body_hash: str = Field("", max_length=200)


class SignedRequest(BaseModel):
    model_config = _config
    credentials: _Signed | None = None
    ec2_credentials: _Signed | None = Field(None, alias="ec2Credentials")


class SigningKeyRequest(BaseModel):
    model_config = _config
    access: str = Field(max_length=64)
    date: str = Field(pattern=r"^[0-9]{8}$")
    region: str = Field(max_length=64)
    service: str = Field("s3", max_length=64)


@describe("Make an EC2-style key for a project", auth="account", body=NewKeyRequest, reply=replies.Ec2KeyReply, status=201, errors=(404,), only=("self",))
def create(request: HttpRequest, user_id: str) -> HttpResponseBase:
    """Make a key for a project of the caller."""
    token = own_token(request, user_id)
    asked = parse(NewKeyRequest, json_body(request))
    return json_reply({"credential": _render(ec2.create(token, asked.tenant_id or ""))}, 201)


@describe("List the caller's EC2-style keys", auth="account", reply=replies.Ec2KeysReply, only=("self",))
def listing(request: HttpRequest, user_id: str) -> HttpResponseBase:
    """The caller's keys with their secrets."""
    token = own_token(request, user_id)
    app_credentials.require_manager(token)
    return json_reply({"credentials": [_render(item) for item in ec2.list_of(token.user)],
                       "links": links("users", user_id, "credentials", "OS-EC2")})


@describe("Show an EC2-style key", auth="account_or_component", reply=replies.Ec2KeyReply, errors=(403, 404), only=("self",))
def show(request: HttpRequest, user_id: str, access: str) -> HttpResponseBase:
    """A key with its secret, for its user or a component."""
    return json_reply({"credential": _render(ec2.get(_reader(request, user_id), access))})


def _reader(request: HttpRequest, user_id: str) -> User:
    if tokens.find_token(header_token(request)) is None:
        require_component(request)
        user = User.objects.filter(uuid=user_id.lower()).first()
        if user is None:
            raise NotFound("There is no such key.")
        return user
    token = own_token(request, user_id)
    app_credentials.require_manager(token)
    return token.user


@describe("Delete an EC2-style key", auth="account", status=204, errors=(404,), only=("self",))
def delete(request: HttpRequest, user_id: str, access: str) -> HttpResponseBase:
    ec2.delete(own_token(request, user_id), access)
    return no_content()


def _render(item: Ec2Credential) -> dict[str, Any]:
    return {"access": item.access, "secret": ec2.secret_of(item), "user_id": item.user.uuid, "tenant_id": item.project_id,
            "trust_id": None, "links": {"self": identity_url("v3", "users", item.user.uuid, "credentials", "OS-EC2", item.access)}}


@describe("Exchange a signed text for a token", auth="component", body=SignedRequest, reply=replies.TokenReply, errors=(403, 404),
          query={"nocatalog": "Leave the catalog out"}, reply_headers={"X-Subject-Token": "The new token"})
def s3_token(request: HttpRequest) -> HttpResponseBase:
    """A token for whoever signed a string to sign of the S3 API. Components only."""
    require_component(request)
    asked = _signed(request)
    if asked.token is None:
        raise InvalidInput("credentials.token is missing: the base64 form of what was signed.")
    return token_reply(request, ec2.by_text(asked.access, signatures.decoded(asked.token), asked.signature))


@describe("Exchange a signed request for a token", auth="component", body=SignedRequest, reply=replies.TokenReply, errors=(403, 404),
          query={"nocatalog": "Leave the catalog out"}, reply_headers={"X-Subject-Token": "The new token"})
def ec2_token(request: HttpRequest) -> HttpResponseBase:
    """A token for whoever signed a request, by version 2 or 4. Components only."""
    require_component(request)
    asked = _signed(request)
    signed = signatures.SignedRequest(asked.verb, asked.host, asked.path, asked.params, asked.headers, asked.body_hash)
    return token_reply(request, ec2.by_request(asked.access, signed, asked.signature))


def _signed(request: HttpRequest) -> _Signed:
    body = parse(SignedRequest, json_body(request))
    found = body.credentials or body.ec2_credentials
    if found is None:
        raise InvalidInput("credentials is missing.")
    return found


@describe("Show the day's signing key of a key", auth="component", body=SigningKeyRequest, reply=replies.SigningKeyReply, errors=(404,))
def signing_key(request: HttpRequest) -> HttpResponseBase:
    """The day's key of an access key with its user, for a component that checks signatures itself."""
    require_component(request)
    asked = parse(SigningKeyRequest, json_body(request))
    found, key = ec2.signing_key(asked.access, asked.date, asked.region, asked.service)
    caller = LocalIdentity().caller_of_key(found)
    return json_reply({"key": key, "user_id": caller.user_id, "email": caller.email, "name": caller.name, "project_id": caller.project_id,
                       "project_ids": caller.project_ids, "roles": caller.roles})
