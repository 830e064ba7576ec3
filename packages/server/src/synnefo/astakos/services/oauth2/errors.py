"""Refusals in OAuth2's own words."""

from __future__ import annotations

from synnefo.common.errors import InvalidInput


class OAuthError(InvalidInput):
    """A refusal. `code` is one of RFC 6749, 6750, 7009 and 8628; `is_challenge` asks for other HTTP credentials."""

    def __init__(self, code: str, text: str, *, is_challenge: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.is_challenge = is_challenge


def invalid_request(text: str) -> OAuthError:
    return OAuthError("invalid_request", text)


def invalid_client(text: str, *, is_challenge: bool = False) -> OAuthError:
    return OAuthError("invalid_client", text, is_challenge=is_challenge)


def invalid_grant(text: str) -> OAuthError:
    return OAuthError("invalid_grant", text)
