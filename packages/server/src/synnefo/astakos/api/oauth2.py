"""The authorization server's endpoints for programs: tokens, their revocation and description, keys, discovery."""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase

from synnefo.astakos.api import oauth2_replies as replies
from synnefo.astakos.api.http import header_token, raw_body
from synnefo.astakos.models import OAuthClient, OAuthToken
from synnefo.astakos.services import components
from synnefo.astakos.services.oauth2 import claims, clients, devices, grants, keys, scopes
from synnefo.astakos.services.oauth2.errors import OAuthError, invalid_client, invalid_request
from synnefo.common.describe import describe
from synnefo.common.errors import NotFound, RateLimited, RequestTooLarge, Unauthenticated
from synnefo.common.loopback import stays_here
from synnefo.common.middleware import client_ip, is_secure
from synnefo.common.settings import conf

_FORM = "application/x-www-form-urlencoded"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
MAX_FIELDS = 50


def answers(view: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Refusals in OAuth2's form; nothing is cached."""

    @functools.wraps(view)
    def run(request: HttpRequest) -> HttpResponseBase:
        try:
            require_secure(request)
            response = view(request)
        except OAuthError as error:
            response = _refusal(error)
        except RateLimited as error:
            response = JsonResponse({"error": "temporarily_unavailable", "error_description": error.public}, status=429)
            response["Retry-After"] = str(error.retry_after_s)
        except RequestTooLarge as error:
            response = JsonResponse({"error": "invalid_request", "error_description": error.public}, status=413)
        response["Cache-Control"], response["Pragma"] = "no-store", "no-cache"
        return response

    return run


def _refusal(error: OAuthError) -> HttpResponse:
    response = JsonResponse({"error": error.code, "error_description": error.public}, status=401 if error.is_challenge else 400)
    if error.is_challenge:
        response["WWW-Authenticate"] = 'Basic realm="oauth2", charset="UTF-8"'
    return response


def require_secure(request: HttpRequest) -> None:
    """Secrets and codes do not travel in the clear; within one machine they do not travel. Raises `OAuthError`."""
    if not is_secure(request) and not stays_here(request) and not conf.DEBUG:
        raise invalid_request("Use https.")


def basic_credentials(request: HttpRequest) -> tuple[str, str] | None:
    """The identifier and secret of an `Authorization: Basic` header. Raises `OAuthError` for a broken one."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise invalid_client("The Authorization header is malformed.", is_challenge=True) from None
    if not colon:
        raise invalid_client("The Authorization header is malformed.", is_challenge=True)
    return unquote_plus(name), unquote_plus(secret)


def single(fields: QueryDict) -> dict[str, str]:
    """Each parameter once. Raises `OAuthError` for repeated ones."""
    if len(fields) > MAX_FIELDS or any(len(values) > 1 for _, values in fields.lists()):
        raise invalid_request("A parameter is given more than once.")
    return {name: str(value) for name, value in fields.items()}


def _form(request: HttpRequest) -> dict[str, str]:
    if request.headers.get("Content-Type", "").split(";")[0].strip().lower() != _FORM:
        raise invalid_request(f"The body must be of type {_FORM}.")
    try:
        fields = single(QueryDict(raw_body(request).decode("utf-8"), encoding="utf-8"))
        "".join(fields.values()).encode()
    except ValueError:
        raise invalid_request("The body is malformed.") from None
    return fields


def _client(request: HttpRequest, form: dict[str, str]) -> OAuthClient:
    basic = basic_credentials(request)
    if basic is not None:
        if form.get("client_id", basic[0]) != basic[0]:
            raise invalid_request("client_id is not the client of the Authorization header.")
        return clients.authenticate(*basic, client_ip=client_ip(request), is_basic=True)
    if not form.get("client_id"):
        raise invalid_client("The client must authenticate.")
    return clients.authenticate(form["client_id"], form.get("client_secret"), client_ip=client_ip(request), is_basic=False)


def _needed(form: dict[str, str], name: str) -> str:
    if not form.get(name):
        raise invalid_request(f"{name} is missing.")
    return form[name]


@describe("Exchange a code, a refresh token or a device code for tokens", auth="client", body=replies.TokenForm, reply=replies.TokenReply,
          errors=(429,), body_type="application/x-www-form-urlencoded", faults="oauth2")
@answers
def token(request: HttpRequest) -> HttpResponseBase:
    """Exchange a code, a refresh token or a device code for tokens."""
    form = _form(request)
    kind = _needed(form, "grant_type")
    if kind not in {"authorization_code", "refresh_token", DEVICE_GRANT}:
        raise OAuthError("unsupported_grant_type", "This grant_type is not supported.")
    client = _client(request, form)
    if kind == "authorization_code":
        answer = grants.exchange(client, _needed(form, "code"), form.get("redirect_uri"), form.get("code_verifier"))
    elif kind == "refresh_token":
        answer = grants.refresh(client, _needed(form, "refresh_token"), form.get("scope"))
    else:
        answer = devices.poll(client, _needed(form, "device_code"))
    return JsonResponse(answer)


@describe("Start the sign-in of a device", auth="client", body=replies.DeviceForm, reply=replies.DeviceReply, errors=(429,),
          body_type="application/x-www-form-urlencoded", faults="oauth2")
@answers
def device(request: HttpRequest) -> HttpResponseBase:
    """Give a device the code that its user types at another place."""
    form = _form(request)
    started = devices.start(_client(request, form), form.get("scope", ""))
    page = f"{claims.issuer()}/ui/device"
    return JsonResponse({
        "device_code": started.device_code, "user_code": started.user_code, "verification_uri": page,
        "verification_uri_complete": f"{page}?code={started.user_code}", "expires_in": started.expires_in_s,
        "interval": started.interval_s})


@describe("Give a token back", auth="client", body=replies.GivenToken, errors=(429,), body_type="application/x-www-form-urlencoded", faults="oauth2")
@answers
def revoke(request: HttpRequest) -> HttpResponseBase:
    """A client gives a token back. An unknown token is no error."""
    form = _form(request)
    grants.revoke_token(_client(request, form), _needed(form, "token"))
    return HttpResponse()


@describe("Tell what a token is good for", auth="client", body=replies.GivenToken, reply=replies.IntrospectionReply, errors=(429,),
          headers={"X-Auth-Token": "The token of a service, in place of a client"}, body_type="application/x-www-form-urlencoded", faults="oauth2")
@answers
def introspect(request: HttpRequest) -> HttpResponseBase:
    """Tell a component of the cloud, or the client that it was given to, what a token is good for."""
    form = _form(request)
    asking = None if _is_component(request) else _client(request, form)
    if asking is not None and asking.is_public:
        raise invalid_client("Only clients with a secret may ask.")
    found = grants.find_live(_needed(form, "token"))
    if found is None or (asking is not None and found.grant.client_id != asking.pk):
        return JsonResponse({"active": False})
    return JsonResponse(_describe(found))


def _is_component(request: HttpRequest) -> bool:
    if "X-Auth-Token" not in request.headers:
        return False
    try:
        components.require_component(header_token(request))
    except Unauthenticated as error:
        raise invalid_client(error.public, is_challenge=True) from error
    return True


def _describe(found: OAuthToken) -> dict[str, Any]:
    grant = found.grant
    return {"active": True, "scope": grant.scope, "client_id": grant.client.identifier, "username": grant.user.email,
            "sub": grant.user.uuid, "iss": claims.issuer(), "iat": int(found.created_at.timestamp()),
            "exp": int(found.expires_at.timestamp()), "token_type": "refresh_token" if found.is_refresh else "Bearer"}


@describe("Show what the token lets know of its user", auth="bearer", reply=replies.UserinfoReply, errors=(403,), faults="oauth2")
@answers
def userinfo(request: HttpRequest) -> HttpResponseBase:
    """What the bearer of an access token may know of its user."""
    try:
        found = grants.require_access(header_token(request))
    except (NotFound, Unauthenticated):
        return _bearer_refusal(401, "invalid_token", "The access token is missing, unknown or expired.")
    if scopes.OPENID not in found.grant.scopes:
        return _bearer_refusal(403, "insufficient_scope", "The access token lacks the scope openid.")
    return JsonResponse(claims.of_user(found.grant.user, found.grant.scopes))


def _bearer_refusal(status: int, code: str, text: str) -> HttpResponse:
    response = JsonResponse({"error": code, "error_description": text}, status=status)
    response["WWW-Authenticate"] = f'Bearer error="{code}", error_description="{text}"'
    return response


@describe("Show the public keys of ID tokens", auth="none", reply=replies.KeysReply)
def jwks(request: HttpRequest) -> HttpResponseBase:
    """The public keys of ID tokens."""
    return _public({"keys": keys.published()})


@describe("Show where everything is and what it can do", auth="none", reply=dict[str, str | list[str]])
def discovery(request: HttpRequest) -> HttpResponseBase:
    """OpenID Connect discovery: where everything is and what it can do."""
    issuer, root = claims.issuer(), f"{claims.issuer()}/{conf.OAUTH2_ENDPOINT_PREFIX.strip('/')}"
    return _public({
        "issuer": issuer, "authorization_endpoint": f"{root}/{conf.OAUTH2_AUTHORIZATION_ENDPOINT.strip('/')}",
        "token_endpoint": f"{root}/{conf.OAUTH2_TOKEN_ENDPOINT.strip('/')}", "jwks_uri": f"{root}/jwks",
        "userinfo_endpoint": f"{root}/userinfo", "revocation_endpoint": f"{root}/revoke",
        "introspection_endpoint": f"{root}/introspect", "device_authorization_endpoint": f"{root}/device",
        "scopes_supported": list(scopes.KNOWN), "response_types_supported": ["code"], "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_GRANT], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [conf.OAUTH2_ID_TOKEN_ALGORITHM],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"], "prompt_values_supported": ["none", "login", "consent"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "amr", "nonce", "at_hash", "name", "given_name",
                             "family_name", "preferred_username", "updated_at", "email", "email_verified", "groups"]})


def _public(body: dict[str, Any]) -> HttpResponse:
    """For any page of the world."""
    response = JsonResponse(body)
    response["Access-Control-Allow-Origin"] = "*"
    return response
