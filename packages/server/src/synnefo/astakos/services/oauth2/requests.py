"""Authorization requests: what a client asks for through the user's browser, checked before the user sees anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from synnefo.astakos.models import OAuthClient
from synnefo.astakos.services.oauth2 import clients, redirects, scopes
from synnefo.astakos.services.oauth2.errors import OAuthError, invalid_client, invalid_request
from synnefo.astakos.services.oauth2.grants import Authorization

_CHALLENGE = re.compile(r"^[A-Za-z0-9_-]{43}$")
MAX_PARAMETER = 5000


@dataclass(frozen=True, slots=True)
class Request:
    """A sound request. `state` None means that none was given, which differs from an empty one."""

    wanted: Authorization
    state: str | None
    prompts: tuple[str, ...]
    max_age_s: int | None


def parse(parameters: Mapping[str, str], basic: tuple[str, str] | None) -> Request:
    """Raises `OAuthError`: the user is shown it, and nobody is redirected anywhere."""
    if any(len(value) > MAX_PARAMETER or "\x00" in value for name, value in parameters.items() if name != "redirect_uri"):
        raise invalid_request("A parameter is too long.")
    client = _client(parameters.get("client_id", ""), basic)
    given = parameters.get("redirect_uri")
    redirect_uri = _redirect(client, given)
    response_type = parameters.get("response_type")
    if response_type is None:
        raise invalid_request("response_type is missing.")
    if response_type != "code":
        raise OAuthError("unsupported_response_type", 'The only response_type is "code".')
    scope = scopes.parse(parameters.get("scope", ""), redirect_uri)
    wanted = Authorization(
        client=client, scope=scope, redirect_uri=redirect_uri, redirect_was_given=given is not None, nonce=parameters.get("nonce", ""),
        challenge=_challenge(client, parameters),
        is_offline=scopes.OFFLINE in scope.split() or parameters.get("access_type") == "offline")
    return Request(wanted, parameters.get("state"), tuple(parameters.get("prompt", "").split()), _max_age(parameters))


def _client(identifier: str, basic: tuple[str, str] | None) -> OAuthClient:
    if not identifier:
        raise invalid_request("client_id is missing.")
    client = clients.find(identifier)
    if client is None:
        raise invalid_client("The client is unknown.")
    if basic is not None and (basic[0] != identifier or not client.secret_hash or not clients.is_right(client, basic[1])):
        raise invalid_client("The credentials in the Authorization header are not those of the client.")
    return client


def _redirect(client: OAuthClient, given: str | None) -> str:
    registered = clients.urls_of(client)
    if given is None:
        return registered[0]
    asked = redirects.normalise(given)
    if not any(redirects.covers(url, asked) for url in registered):
        raise invalid_request("redirect_uri is not one of the client's.")
    return asked


def _challenge(client: OAuthClient, parameters: Mapping[str, str]) -> str:
    challenge = parameters.get("code_challenge", "")
    if not challenge:
        if client.is_public:
            raise invalid_request("A public client must use PKCE: code_challenge is missing.")
        return ""
    if parameters.get("code_challenge_method") != "S256":
        raise invalid_request('The only code_challenge_method is "S256".')
    if not _CHALLENGE.match(challenge):
        raise invalid_request("code_challenge is malformed.")
    return challenge


def _max_age(parameters: Mapping[str, str]) -> int | None:
    text = parameters.get("max_age", "")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise invalid_request("max_age must be a number of seconds.")
    return int(text)


def answer_url(redirect_uri: str, **fields: str | None) -> str:
    """The redirect address with its own query and these fields."""
    query = urlencode({name: value for name, value in fields.items() if value is not None})
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}"
