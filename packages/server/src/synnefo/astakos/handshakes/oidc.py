"""OpenID Connect: the authorization code flow with PKCE, state and nonce, and a full check of the ID token."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

import jwt
from django.core.cache import cache
from django.utils.http import urlencode

from synnefo.astakos.handshakes.http import Refused, call_object
from synnefo.astakos.provider_settings import OidcOptions
from synnefo.astakos.services.providers import Provider
from synnefo.common.settings import conf

DISCOVERY_S, KEYS_S, REFRESH_S = 3600, 3600, 60
LEEWAY_S = 60
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""Signatures by a key pair. `none` and those by a shared secret are not among them."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


def options_of(provider: Provider) -> OidcOptions:
    """How this provider is spoken to."""
    if provider.module == "google":
        return OidcOptions(issuer=conf.ASTAKOS_GOOGLE_ISSUER, client_id=conf.ASTAKOS_GOOGLE_CLIENT_ID,
                           client_secret=conf.ASTAKOS_GOOGLE_CLIENT_SECRET, trust_email=True)
    if provider.module == "linkedin":  # it knows neither PKCE for web clients nor nonces
        return OidcOptions(issuer=conf.ASTAKOS_LINKEDIN_ISSUER, client_id=conf.ASTAKOS_LINKEDIN_TOKEN,
                           client_secret=conf.ASTAKOS_LINKEDIN_SECRET, trust_email=True, pkce=False, nonce=False)
    options: OidcOptions = conf.ASTAKOS_OIDC_PROVIDERS[provider.alias]
    return options


def discover(options: OidcOptions) -> dict[str, Any]:
    """The provider's own description, kept for an hour. Raises `Refused`, `DependencyUnavailable`."""
    key = f"astakos-oidc-{_digest(options.issuer)}"
    known: dict[str, Any] | None = cache.get(key)
    if known is not None:
        return known
    found = call_object("GET", options.issuer.rstrip("/") + "/.well-known/openid-configuration")
    if found.get("issuer") != options.issuer:
        raise Refused(f"the issuer calls itself {found.get('issuer')!r}, not {options.issuer!r}")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not isinstance(found.get(name), str):
            raise Refused(f"the description of {options.issuer} has no {name}")
    cache.set(key, found, DISCOVERY_S)
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def challenge_of(verifier: str) -> str:
    """The S256 challenge of PKCE."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def begin(provider: Provider, *, callback: str, state: str, memory: dict[str, Any], force: bool) -> str:
    """Where to send the browser. What has to be known at its return is put into `memory`."""
    options = options_of(provider)
    query = {"response_type": "code", "client_id": options.client_id, "redirect_uri": callback, "scope": " ".join(options.scopes),
             "state": state}
    if options.nonce:
        memory["nonce"] = query["nonce"] = secrets.token_urlsafe(32)
    if options.pkce:
        memory["verifier"] = secrets.token_urlsafe(48)
        query |= {"code_challenge": challenge_of(memory["verifier"]), "code_challenge_method": "S256"}
    if force:
        query |= {"prompt": "login"}
    endpoint = discover(options)["authorization_endpoint"]
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def finish(provider: Provider, query: Mapping[str, str], *, callback: str, memory: dict[str, Any]) -> dict[str, Any]:
    """The claims about the person, `id_token` among them. Raises `Refused`, `DependencyUnavailable`."""
    options = options_of(provider)
    description = discover(options)
    if query.get("iss", options.issuer) != options.issuer:
        raise Refused("the answer comes from another issuer")
    answer = _redeem(options, description, query.get("code", ""), callback, memory)
    id_token = answer.get("id_token")
    if not isinstance(id_token, str):
        raise Refused("no ID token")
    claims = check_id_token(options, description, id_token)
    if options.nonce and not secrets.compare_digest(str(claims.get("nonce", "")), memory["nonce"]):
        raise Refused("the ID token answers another request")
    more = _userinfo(description, answer.get("access_token"), claims["sub"])
    if provider.alias:
        claims["sub"] = f"{claims['iss']}|{claims['sub']}"
    return {**more, **claims, "id_token": id_token}


def _redeem(options: OidcOptions, description: dict[str, Any], code: str, callback: str, memory: dict[str, Any]) -> dict[str, Any]:
    """The tokens for a code."""
    if not code:
        raise Refused("no code")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback, "client_id": options.client_id}
    if options.pkce:
        form["code_verifier"] = memory["verifier"]
    ways = description.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if options.client_secret and "client_secret_post" in ways:
        form["client_secret"] = options.client_secret
    extra: dict[str, Any] = {}
    if options.client_secret and "client_secret_post" not in ways:
        extra["auth"] = basic(options.client_id, options.client_secret)
    return call_object("POST", description["token_endpoint"], data=form, headers={"Accept": "application/json"}, **extra)


def basic(client_id: str, secret: str) -> tuple[str, str]:
    """Basic authentication of a client: both parts are form-encoded first."""
    encoded = urlencode({client_id: secret}).split("=", 1)
    return encoded[0], encoded[1]


def check_id_token(options: OidcOptions, description: dict[str, Any], token: str) -> dict[str, Any]:
    """Signature, issuer, audience, authorized party, time. Raises `Refused`."""
    claims = _verified(options, description, token, require=["exp", "iat", "iss", "aud", "sub"])
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if (len(audience) > 1 or "azp" in claims) and claims.get("azp") != options.client_id:
        raise Refused("the ID token was made for another client")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise Refused("the ID token names nobody")
    return claims


def _verified(options: OidcOptions, description: dict[str, Any], token: str, *, require: list[str]) -> dict[str, Any]:
    offered = description.get("id_token_signing_alg_values_supported") or ["RS256"]
    allowed = sorted(ALGORITHMS & {name for name in offered if isinstance(name, str)})
    try:
        header = jwt.get_unverified_header(token)
        key = _key(description["jwks_uri"], header.get("kid"), str(header.get("alg", "")))
        claims: dict[str, Any] = jwt.decode(
            token, key=key, algorithms=allowed, audience=options.client_id, issuer=options.issuer, leeway=LEEWAY_S,
            options={"require": require})
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise Refused(f"bad token: {type(error).__name__}: {error}") from error
    return claims


def _key(address: str, kid: str | None, algorithm: str) -> jwt.PyJWK:
    """The provider's key of that name. An unknown name makes us ask again, once a minute: keys are rotated."""
    slot = f"astakos-jwks-{_digest(address)}"
    for attempt in (0, 1):
        document = cache.get(slot)
        if document is None or (attempt and cache.add(f"{slot}-asked", 1, REFRESH_S)):
            document = call_object("GET", address)
            cache.set(slot, document, KEYS_S)
        found = [item for item in document.get("keys", []) if isinstance(item, dict) and item.get("use", "sig") == "sig"
                 and (kid is None or item.get("kid") == kid) and item.get("kty") == _KIND.get(algorithm[:2])]
        if len(found) == 1:
            return jwt.PyJWK(found[0], algorithm)
    raise Refused(f"no single key {kid!r} for {algorithm}")


_KIND = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


def _userinfo(description: dict[str, Any], access_token: Any, subject: str) -> dict[str, Any]:
    """What the provider tells beside the ID token, when it is about the same person."""
    endpoint = description.get("userinfo_endpoint")
    if not isinstance(endpoint, str) or not isinstance(access_token, str):
        return {}
    found = call_object("GET", endpoint, headers={"Authorization": f"Bearer {access_token}"})
    if found.get("sub") != subject:
        raise Refused("the user information is about somebody else")
    return found


def check_logout_token(provider: Provider, token: str) -> dict[str, Any]:
    """The claims of a provider's message that somebody signed out there, each message once. Raises `Refused`."""
    options = options_of(provider)
    claims = _verified(options, discover(options), token, require=["iat", "iss", "aud", "jti", "events"])
    if "nonce" in claims or not isinstance(claims["events"], dict) or LOGOUT_EVENT not in claims["events"]:
        raise Refused("not a logout token")
    if not any(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "sid")):
        raise Refused("the logout token names nobody")
    if not cache.add(f"astakos-logout-{_digest(str(claims['jti']))}", 1, DISCOVERY_S):
        raise Refused("the logout token was used before")
    return claims


def logout_url(provider: Provider, id_token: str, back: str) -> str:
    """Where the browser ends its session at the provider too, or nothing when the provider has no such place."""
    options = options_of(provider)
    endpoint = discover(options).get("end_session_endpoint")
    if not isinstance(endpoint, str):
        return ""
    query = {"id_token_hint": id_token, "client_id": options.client_id, "post_logout_redirect_uri": back}
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"
