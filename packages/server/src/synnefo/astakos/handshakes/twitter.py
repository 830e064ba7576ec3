"""Twitter: OAuth2 with PKCE, then a question who it was."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from django.utils.http import urlencode

from synnefo.astakos.handshakes.http import Refused, call_object
from synnefo.astakos.handshakes.oidc import basic, challenge_of
from synnefo.astakos.services.providers import Provider
from synnefo.common.settings import conf


def begin(_provider: Provider, *, callback: str, state: str, memory: dict[str, Any], force: bool) -> str:
    """Where to send the browser."""
    memory["verifier"] = secrets.token_urlsafe(48)
    query = {"response_type": "code", "client_id": conf.ASTAKOS_TWITTER_TOKEN, "redirect_uri": callback,
             "scope": "users.read tweet.read", "state": state, "code_challenge": challenge_of(memory["verifier"]),
             "code_challenge_method": "S256"}
    if force or conf.ASTAKOS_TWITTER_AUTH_FORCE_LOGIN:
        query["force_login"] = "true"
    return f"{conf.ASTAKOS_TWITTER_AUTHORIZE_URL}?{urlencode(query)}"


def finish(_provider: Provider, query: Mapping[str, str], *, callback: str, memory: dict[str, Any]) -> dict[str, Any]:
    """The claims about the person. Raises `Refused`, `DependencyUnavailable`."""
    form = {"grant_type": "authorization_code", "code": query.get("code", ""), "redirect_uri": callback,
            "client_id": conf.ASTAKOS_TWITTER_TOKEN, "code_verifier": memory["verifier"]}
    extra = {"auth": basic(conf.ASTAKOS_TWITTER_TOKEN, conf.ASTAKOS_TWITTER_SECRET)} if conf.ASTAKOS_TWITTER_SECRET else {}
    answer = call_object("POST", conf.ASTAKOS_TWITTER_TOKEN_URL, data=form, **extra)
    if not isinstance(answer.get("access_token"), str):
        raise Refused("no access token")
    who = call_object("GET", conf.ASTAKOS_TWITTER_USER_URL, headers={"Authorization": f"Bearer {answer['access_token']}"}).get("data")
    if not isinstance(who, dict) or not str(who.get("id", "")).isdigit():
        raise Refused("no user")
    first, _, last = str(who.get("name", "")).partition(" ")
    return {**who, "screen_name": who.get("username"), "first_name": first, "last_name": last}
