"""What a client learns of a user, by the scopes that he granted."""

from __future__ import annotations

import base64
import datetime
import hashlib
from typing import Any

from django.utils import timezone

from synnefo.astakos.models import OAuthGrant, User
from synnefo.astakos.services.oauth2 import keys, scopes
from synnefo.common.settings import conf

ID_TOKEN_LIFE = datetime.timedelta(hours=1)


def issuer() -> str:
    return str(conf.ASTAKOS_BASE_URL).rstrip("/")


def of_user(user: User, granted: list[str]) -> dict[str, Any]:
    """The user's claims within the granted scopes."""
    claims: dict[str, Any] = {"sub": user.uuid}
    if scopes.PROFILE in granted:
        claims |= {"name": user.realname, "given_name": user.first_name, "family_name": user.last_name,
                   "preferred_username": user.email, "updated_at": int(user.updated_at.timestamp())}
    if scopes.EMAIL in granted:
        claims |= {"email": user.email, "email_verified": user.email_verified}
    if scopes.GROUPS in granted:
        claims["groups"] = sorted(group.name for group in user.groups.all())
    return claims


def id_token(grant: OAuthGrant, access_token: str) -> str:
    """A signed statement to the client about who signed in, when and how."""
    now = timezone.now()
    digest = hashlib.sha256(access_token.encode()).digest()[:16]
    claims = {
        **of_user(grant.user, grant.scopes), "iss": issuer(), "aud": grant.client.identifier, "iat": int(now.timestamp()),
        "exp": int((now + ID_TOKEN_LIFE).timestamp()), "auth_time": int(grant.auth_time.timestamp()), "amr": grant.methods,
        "at_hash": base64.urlsafe_b64encode(digest).decode().rstrip("="),
    }
    return keys.sign({**claims, "nonce": grant.nonce} if grant.nonce else claims)
