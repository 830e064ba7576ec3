"""Grants, their codes and their tokens. A code is exchanged once; what is shown a second time ends the whole grant."""

from __future__ import annotations

import base64
import datetime
import hashlib
import secrets
import string
from dataclasses import dataclass
from typing import Any

import structlog
from django.db.models import Q
from django.utils import timezone

from synnefo.astakos.models import ApiToken, OAuthClient, OAuthCode, OAuthGrant, OAuthToken, User
from synnefo.astakos.services import audit, tokens
from synnefo.astakos.services.oauth2 import claims, redirects, scopes
from synnefo.astakos.services.oauth2.errors import OAuthError, invalid_grant, invalid_request
from synnefo.common.crypto import hash_token
from synnefo.common.db import transactional
from synnefo.common.errors import NotFound, Unauthenticated
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
CODE_LIFE = datetime.timedelta(seconds=60)
_ALPHABET = string.ascii_letters + string.digits
_DEAD = "The grant is unknown, expired, used or revoked."


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a client asked for and a user agreed to."""

    client: OAuthClient
    scope: str
    redirect_uri: str = ""
    redirect_was_given: bool = False
    challenge: str = ""
    nonce: str = ""
    is_offline: bool = False


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who agreed, and when and how he had signed in."""

    user: User
    auth_time: datetime.datetime
    methods: tuple[str, ...]


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def make_grant(asked: Authorization, who: SignIn) -> OAuthGrant:
    """Needs the caller's transaction. Raises `Unauthenticated` when the account is not in order."""
    tokens.require_admitted(who.user)
    audit.record("oauth2.granted", actor=who.user.uuid, target=asked.client.identifier, scope=asked.scope[:500])
    return OAuthGrant.objects.create(
        client=asked.client, user=who.user, scope=asked.scope, redirect_uri=asked.redirect_uri, is_offline=asked.is_offline,
        nonce=asked.nonce, auth_time=who.auth_time, methods=list(who.methods))


@transactional()
def authorize(asked: Authorization, who: SignIn) -> str:
    """The code for what the user agreed to. Raises `Unauthenticated`."""
    code = _random(conf.OAUTH2_AUTHORIZATION_CODE_LENGTH)
    OAuthCode.objects.create(grant=make_grant(asked, who), code_hash=hash_token(code), challenge=asked.challenge,
                             redirect_was_given=asked.redirect_was_given, expires_at=timezone.now() + CODE_LIFE)
    return code


def exchange(client: OAuthClient, code: str, redirect_uri: str | None, verifier: str | None) -> dict[str, Any]:
    """The tokens for a code, once. Raises `OAuthError`."""
    answer = _exchange(client, code, redirect_uri, verifier)
    if isinstance(answer, OAuthError):
        raise answer
    return answer


@transactional()
def _exchange(client: OAuthClient, code: str, redirect_uri: str | None, verifier: str | None) -> dict[str, Any] | OAuthError:
    """The refusal is returned, not raised: what it revoked must stay."""
    found = (OAuthCode.objects.select_for_update(of=("self",)).select_related("grant__client", "grant__user")
             .filter(code_hash=hash_token(code)).first())
    if found is None or found.grant.client_id != client.pk or found.grant.revoked_at is not None:
        return invalid_grant(_DEAD)
    now = timezone.now()
    if found.used_at is not None:
        revoke(found.grant, why="code used again")
        return invalid_grant(_DEAD)
    if found.expires_at < now:
        return invalid_grant(_DEAD)
    problem = _mismatch(found, redirect_uri, verifier) or _closed(found.grant.user)
    if problem is not None:
        return problem
    OAuthCode.objects.filter(pk=found.pk).update(used_at=now)
    return _issue(found.grant)


def _mismatch(code: OAuthCode, redirect_uri: str | None, verifier: str | None) -> OAuthError | None:
    if redirect_uri is None and code.redirect_was_given:
        return invalid_request("redirect_uri is missing: one was used to get the code.")
    try:
        if redirect_uri is not None and redirects.normalise(redirect_uri) != code.grant.redirect_uri:
            return invalid_grant("redirect_uri is not the one that was used to get the code.")
    except OAuthError as error:
        return error
    if code.challenge:
        if not verifier:
            return invalid_request("code_verifier is missing.")
        if not secrets.compare_digest(challenge_of(verifier), code.challenge):
            return invalid_grant("code_verifier does not fit.")
    return None


def challenge_of(verifier: str) -> str:
    """The S256 challenge of PKCE."""
    digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _closed(user: User) -> OAuthError | None:
    try:
        tokens.require_admitted(user)
    except Unauthenticated as error:
        return invalid_grant(error.public)
    return None


def _issue(grant: OAuthGrant, scope: str | None = None) -> dict[str, Any]:
    """New tokens of a grant, for its whole scope or a part of it."""
    granted = (grant.scope if scope is None else scope).split()
    secret = _random(conf.OAUTH2_TOKEN_LENGTH)
    is_known = bool(granted) and granted[0] in scopes.KNOWN
    life_s = conf.OAUTH2_API_TOKEN_EXPIRES if is_known else conf.OAUTH2_TOKEN_EXPIRES
    expires = timezone.now() + datetime.timedelta(seconds=life_s)
    api_token = tokens.store_for_client(grant, secret, expires) if scopes.API in granted else None
    OAuthToken.objects.create(grant=grant, token_hash=hash_token(secret), expires_at=expires, api_token=api_token)
    answer: dict[str, Any] = {"access_token": secret, "token_type": "Bearer", "expires_in": life_s, "scope": " ".join(granted)}
    if grant.is_offline:
        answer["refresh_token"] = _refresh_token(grant)
    if scopes.OPENID in granted:
        answer["id_token"] = claims.id_token(grant, secret)
    return answer


def _refresh_token(grant: OAuthGrant) -> str:
    secret = secrets.token_urlsafe(48)
    OAuthToken.objects.create(grant=grant, is_refresh=True, token_hash=hash_token(secret),
                              expires_at=timezone.now() + datetime.timedelta(days=conf.OAUTH2_REFRESH_TOKEN_DAYS))
    return secret


def refresh(client: OAuthClient, secret: str, scope: str | None) -> dict[str, Any]:
    """New tokens for a refresh token, which is replaced by a new one. Raises `OAuthError`."""
    answer = _refresh(client, secret, scope)
    if isinstance(answer, OAuthError):
        raise answer
    return answer


@transactional()
def _refresh(client: OAuthClient, secret: str, scope: str | None) -> dict[str, Any] | OAuthError:
    found = (OAuthToken.objects.select_for_update(of=("self",)).select_related("grant__client", "grant__user")
             .filter(token_hash=hash_token(secret), is_refresh=True).first())
    now = timezone.now()
    if found is None or found.grant.client_id != client.pk or found.grant.revoked_at or found.revoked_at or found.expires_at < now:
        return invalid_grant(_DEAD)
    if found.used_at is not None:
        revoke(found.grant, why="refresh token used again")
        return invalid_grant(_DEAD)
    problem = _closed(found.grant.user)
    if problem is not None:
        return problem
    if scope is not None and not set(scope.split()) <= set(found.grant.scopes):
        return OAuthError("invalid_scope", "The scope is wider than what was granted.")
    OAuthToken.objects.filter(pk=found.pk).update(used_at=now)
    return _issue(found.grant, scope or None)


def issue_for_device(grant: OAuthGrant) -> dict[str, Any]:
    """Needs the caller's transaction. Raises `OAuthError`."""
    problem = _closed(grant.user)
    if problem is not None or grant.revoked_at is not None:
        raise problem or invalid_grant(_DEAD)
    return _issue(grant)


def revoke(grant: OAuthGrant, *, why: str) -> None:
    """End a grant with everything that came of it. Repeatable."""
    now = timezone.now()
    OAuthGrant.objects.filter(pk=grant.pk, revoked_at=None).update(revoked_at=now)
    ApiToken.objects.filter(oauth_grant=grant, revoked_at=None).update(revoked_at=now)
    log.info("oauth2.grant.revoked", client=grant.client.identifier, why=why)


def revoke_all(client: OAuthClient) -> None:
    """End everything that users granted to a client."""
    now = timezone.now()
    ApiToken.objects.filter(oauth_grant__client=client, revoked_at=None).update(revoked_at=now)
    OAuthGrant.objects.filter(client=client, revoked_at=None).update(revoked_at=now)


def find_live(secret: str) -> OAuthToken | None:
    """The token with grant, client and user, while all of them are in order."""
    found = (OAuthToken.objects.select_related("grant__user", "grant__client", "api_token")
             .filter(token_hash=hash_token(secret)).first())
    if found is None or found.revoked_at or found.used_at or found.grant.revoked_at or found.expires_at < timezone.now():
        return None
    if found.api_token is not None and found.api_token.revoked_at is not None:
        return None
    return found if _closed(found.grant.user) is None else None


def require_access(secret: str) -> OAuthToken:
    """A live access token. An expired one is forgotten on sight. Raises `NotFound`."""
    found = find_live(secret)
    if found is None or found.is_refresh:
        OAuthToken.objects.filter(token_hash=hash_token(secret), is_refresh=False, expires_at__lt=timezone.now()).delete()
        raise NotFound("There is no such access token.")
    return found


@transactional()
def revoke_token(client: OAuthClient, secret: str) -> None:
    """A client gives a token back, with what was made from it; with a refresh token it gives back the whole grant. Unknown
    ones are no error.
    """
    found = OAuthToken.objects.select_related("grant__client", "api_token").filter(
        token_hash=hash_token(secret), grant__client=client).first()
    if found is None:
        return
    if found.is_refresh:
        revoke(found.grant, why="refresh token given back")
        return
    OAuthToken.objects.filter(pk=found.pk).update(revoked_at=timezone.now())
    if found.api_token is not None:
        ended = Q(pk=found.api_token.pk) | Q(oauth_grant=found.grant, oauth_token=None)
        ApiToken.objects.filter(ended, revoked_at=None).update(revoked_at=timezone.now())


def list_of(user: User) -> list[OAuthGrant]:
    """The user's grants that may still give tokens, newest first."""
    live = Q(tokens__expires_at__gte=timezone.now(), tokens__revoked_at=None, tokens__used_at=None)
    return list(OAuthGrant.objects.select_related("client").filter(live, user=user, revoked_at=None).distinct().order_by("-pk"))


@transactional()
def revoke_own(user: User, grant_id: int) -> None:
    """A user takes a grant back. Raises `NotFound`."""
    grant = OAuthGrant.objects.select_related("client").filter(user=user, pk=grant_id, revoked_at=None).first()
    if grant is None:
        raise NotFound("There is no such grant.")
    audit.record("oauth2.revoked", actor=user.uuid, target=grant.client.identifier)
    revoke(grant, why="by the user")


def forget_dead(*, batch: int = 1000) -> int:
    """Delete up to `batch` grants that can give nothing any more and are a week old; returns how many."""
    limit = timezone.now() - datetime.timedelta(days=7)
    dead = list(OAuthGrant.objects.filter(created_at__lt=limit).filter(
        Q(revoked_at__lt=limit) | ~Q(tokens__expires_at__gte=limit)).values_list("pk", flat=True).distinct()[:batch])
    OAuthGrant.objects.filter(pk__in=dead).delete()
    return len(dead)
