"""What names may be, and where the names that begin with a prefix end."""

from __future__ import annotations

from django.db.models import Q

from synnefo.common.errors import InvalidInput

MAX_CONTAINER_NAME = 256
MAX_OBJECT_NAME = 1024
LAST = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)


def parse_container(name: str) -> str:
    """Raises `InvalidInput`."""
    if not 0 < len(name) <= MAX_CONTAINER_NAME or "/" in name or "\0" in name:
        raise InvalidInput(f"A container name has 1 to {MAX_CONTAINER_NAME} characters and no slash.")
    return name


def parse_object(name: str) -> str:
    """Raises `InvalidInput`."""
    if not 0 < len(name) <= MAX_OBJECT_NAME or "\0" in name:
        raise InvalidInput(f"An object name has 1 to {MAX_OBJECT_NAME} characters.")
    return name


def successor(prefix: str) -> str | None:
    """The first text behind all that begin with the prefix, by code points; None when there is nothing behind."""
    trimmed = prefix.rstrip(chr(LAST))
    if not trimmed:
        return None
    following = ord(trimmed[-1]) + 1
    return trimmed[:-1] + chr(SURROGATES.stop if following in SURROGATES else following)


def behind(prefix: str, field: str = "name") -> Q | None:
    """Condition for names behind all that begin with the prefix; None when there are none."""
    end = successor(prefix)
    return None if end is None else Q(**{f"{field}__gte": end})


def within(prefix: str, field: str = "name") -> Q:
    """Condition for names that begin with the prefix. A range, because LIKE ignores case on some databases."""
    end = successor(prefix)
    return Q(**{f"{field}__gte": prefix}) & (Q() if end is None else Q(**{f"{field}__lt": end}))
