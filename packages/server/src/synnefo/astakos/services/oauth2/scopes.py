"""Scopes: the words that we know, or one resource that the client's own service makes sense of."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote

from synnefo.astakos.services.oauth2.errors import OAuthError

OPENID, PROFILE, EMAIL, GROUPS, API, OFFLINE = "openid", "profile", "email", "groups", "api", "offline_access"
KNOWN = {
    OPENID: "know who you are",
    PROFILE: "read your name",
    EMAIL: "read your e-mail address",
    GROUPS: "read the groups that you belong to",
    API: "use this cloud in your name, in all your projects",
    OFFLINE: "do so while you are away",
}
MAX_LENGTH = 5000


def parse(text: str, default: str) -> str:
    """The scope that is granted for `text`: all words that we know, if it begins with one of them, else its first word,
    else the default. Raises `OAuthError`.
    """
    if len(text) > MAX_LENGTH or "\x00" in text:
        raise OAuthError("invalid_scope", f"scope has at most {MAX_LENGTH} characters.")
    words = text.split()
    if not words:
        return default
    if words[0] not in KNOWN:
        return words[0]
    return " ".join(dict.fromkeys(word for word in words if word in KNOWN))


def describe(scope: str) -> list[str]:
    """What a user is told that he grants."""
    return [KNOWN.get(word, f"access {word}") for word in scope.split()]


def belongs(path: str, scope: str) -> bool:
    """Whether a path lies within the scope of a token: the same, or below it. Nothing lies within no scope."""
    path, scope = _plain(path), _plain(scope)
    if not scope:
        return False
    return path == scope or path.startswith(scope if scope.endswith("/") else f"{scope}/")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", unquote(text))
