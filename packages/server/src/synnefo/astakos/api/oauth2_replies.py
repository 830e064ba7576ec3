"""The forms that the authorization server takes and the shapes of what it answers, for its description."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from synnefo.common.describe import Body, Reply


class ClientForm(Body):
    """A client without HTTP Basic names itself here."""

    client_id: str = ""
    client_secret: str = ""


class TokenForm(ClientForm):
    grant_type: Literal["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]
    code: str = ""
    redirect_uri: str = ""
    code_verifier: str = ""
    refresh_token: str = ""
    device_code: str = ""
    scope: str = ""


class DeviceForm(ClientForm):
    scope: str = ""


class GivenToken(ClientForm):
    token: str
    token_type_hint: str = ""


class TokenReply(Reply):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str
    refresh_token: str = ""
    id_token: str = ""


class DeviceReply(Reply):
    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class IntrospectionReply(Reply):
    active: bool
    scope: str = ""
    client_id: str = ""
    username: str = ""
    sub: str = ""
    iss: str = ""
    iat: int = 0
    exp: int = 0
    token_type: str = ""


class UserinfoReply(Reply):
    sub: str
    name: str = ""
    given_name: str = ""
    family_name: str = ""
    preferred_username: str = ""
    updated_at: int = 0
    email: str = ""
    email_verified: bool = False
    groups: list[str] = []


class Key(Reply):
    """A JSON Web Key; which other fields it has depends on its kind."""

    model_config = ConfigDict(extra="allow")
    kty: str
    kid: str
    alg: str


class KeysReply(Reply):
    keys: list[Key]
