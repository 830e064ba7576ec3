"""Encryption of secrets at rest (RAPI passwords, one-time build parameters) and hashing of tokens."""

from __future__ import annotations

import hashlib
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from synnefo.common.errors import BrokenInvariant
from synnefo.common.settings import conf


def _box() -> MultiFernet:
    keys = conf.SECRET_ENCRYPTION_KEY
    if not keys:
        raise BrokenInvariant("Internal error.", reason="SECRET_ENCRYPTION_KEY is not set")
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(plain: str) -> str:
    """Authenticated encryption with the newest key; the result is ASCII and may be stored."""
    return _box().encrypt(plain.encode()).decode()


def decrypt(stored: str) -> str:
    """The inverse of `encrypt`, with any key of the list. Raises `BrokenInvariant` for foreign or damaged text."""
    try:
        return _box().decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise BrokenInvariant("Internal error.", reason="stored secret cannot be decrypted") from error


def new_token() -> str:
    """A fresh random token, 43 url-safe characters (256 bits)."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """What is stored instead of a token. Plain SHA-256 suffices: tokens are random, not chosen by people."""
    return hashlib.sha256(token.encode()).hexdigest()
