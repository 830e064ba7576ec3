"""Waits after wrong passwords, counted per user and per address in the shared cache.

A user may be wrong `ASTAKOS_RATELIMIT_RETRIES_ALLOWED` times a minute, an address ten times as often; each further
failure doubles the wait, up to five minutes. A success forgets the failures of that user. The names tried are hashed,
so that any unicode and any length is a valid key.
"""

from __future__ import annotations

import hashlib
import time

from django.core.cache import cache

from synnefo.common.errors import RateLimited
from synnefo.common.settings import conf

WINDOW_S = 60
LONGEST_WAIT_S = 300
ADDRESS_FACTOR = 10


def _keys(name: str, address: str | None) -> list[tuple[str, int]]:
    """(cache key, failures that cost nothing) of the user and of the address."""
    allowed = int(conf.ASTAKOS_RATELIMIT_RETRIES_ALLOWED)
    keys = [(_key("user", name.strip().casefold()), allowed)]
    return [*keys, (_key("address", address), allowed * ADDRESS_FACTOR)] if address else keys


def _key(kind: str, value: str) -> str:
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return f"astakos-login-{kind}-{digest[:40]}"


def check(name: str, address: str | None) -> None:
    """Raises `RateLimited` while the user or the address has to wait. Called before a password is looked at."""
    now = time.time()
    until = max(float(cache.get(f"{key}-until", 0)) for key, _ in _keys(name, address))
    if until > now:
        wait = max(1, int(until - now + 0.999))
        raise RateLimited(f"Too many failed logins. Try again in {wait} seconds.", retry_after_s=wait)


def failed(name: str, address: str | None) -> None:
    """Count a wrong password."""
    for key, allowed in _keys(name, address):
        cache.add(key, 0, WINDOW_S + LONGEST_WAIT_S)
        try:
            excess = cache.incr(key) - allowed
        except ValueError:  # it expired in between
            continue
        if excess >= 0:
            cache.set(f"{key}-until", time.time() + min(LONGEST_WAIT_S, 2 ** min(excess, 20)), LONGEST_WAIT_S)


def is_suspect(name: str) -> bool:
    """Whether the user had so many failures in the last minute that the next guess should cost more."""
    return int(cache.get(_key("user", name.strip().casefold()), 0)) >= int(conf.ASTAKOS_RATELIMIT_RETRIES_ALLOWED) - 1


def spend(kind: str, who: str, amount: int, *, allowed: int, window_s: int = WINDOW_S) -> None:
    """Count what somebody takes of something that is shared out by the minute, or by `window_s` seconds. Raises `RateLimited`
    when it is too much.
    """
    key = _key(kind, who)
    now = time.time()
    if cache.add(key, 0, window_s):
        cache.set(f"{key}-until", now + window_s, window_s)
    try:
        taken = cache.incr(key, amount)
    except ValueError:  # it expired in between
        return
    if taken > allowed:
        wait = max(1, int(float(cache.get(f"{key}-until", now + window_s)) - now + 0.999))
        raise RateLimited(f"Too much in a short time. Try again in {_in_words(wait)}.", retry_after_s=wait)


def _in_words(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 120 else f"{-(-seconds // 60)} minutes"


def succeeded(name: str) -> None:
    """Forget the user's failures; the address keeps its own, or one good account would cover guessing at others."""
    key = _key("user", name.strip().casefold())
    cache.delete_many([key, f"{key}-until"])
