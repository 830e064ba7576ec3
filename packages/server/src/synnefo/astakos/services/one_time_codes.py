"""Time-based one-time passwords as RFC 6238 has them, with what authenticator programs assume: SHA-1, six digits, 30 seconds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
TOLERANCE = 1
"""Steps by which the clocks may differ."""


def new_secret() -> str:
    """160 random bits as base32 text."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, step: int) -> str:
    """The code of a time step (RFC 4226)."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset:offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def step_of(secret: str, code: str, *, after: int, now: float | None = None) -> int | None:
    """The time step whose code this is, if it is about now and later than the step `after`."""
    present = int((time.time() if now is None else now) // STEP_S)
    for step in range(max(present - TOLERANCE, after + 1), present + TOLERANCE + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode("utf-8", "surrogatepass")):
            return step
    return None


def address(secret: str, *, user: str, service: str) -> str:
    """What the square code says to a program that scans it."""
    query = urlencode({"secret": secret, "issuer": service, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S}, quote_via=quote)
    return f"otpauth://totp/{quote(service)}:{quote(user)}?{query}"
