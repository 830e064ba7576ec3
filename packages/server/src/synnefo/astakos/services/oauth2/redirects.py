"""Redirect addresses: their normal form, and which of them a registered one covers."""

from __future__ import annotations

import ipaddress
import re
import string
import unicodedata
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from synnefo.astakos.services.oauth2.errors import invalid_request
from synnefo.common.loopback import is_loopback
from synnefo.common.settings import conf

_SAFE = "%/:@!$&'()*+,;=~-._"
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
_PORTS = {"http": 80, "https": 443}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


def normalise(text: str) -> str:
    """The address in its one normal form. Raises `OAuthError` for what may not be an address to go back to."""
    if len(text) > conf.OAUTH2_MAXIMUM_ALLOWED_REDIRECT_URI_LENGTH:
        raise invalid_request(f"redirect_uri is longer than {conf.OAUTH2_MAXIMUM_ALLOWED_REDIRECT_URI_LENGTH} characters.")
    if "\\" in text or not text.isprintable() or " " in text or re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise invalid_request("redirect_uri holds characters that no address has.")
    try:
        parts = urlsplit(unicodedata.normalize("NFC", text))
        host, port = _host(parts), parts.port
    except (ValueError, UnicodeError):
        raise invalid_request("redirect_uri is not an address.") from None
    if parts.scheme not in _PORTS or not host:
        raise invalid_request("redirect_uri must be an absolute http or https address.")
    if "@" in parts.netloc or "#" in text:
        raise invalid_request("redirect_uri has neither a user nor a fragment.")
    if parts.scheme == "http" and not (is_loopback(parts.hostname or "") or conf.DEBUG):
        raise invalid_request("redirect_uri must use https, or http on the loopback address.")
    path = _encoded(parts.path) or "/"
    if any(part in {".", ".."} for part in path.split("/")):
        raise invalid_request("redirect_uri has no dot segments.")
    netloc = host if port in {None, _PORTS[parts.scheme]} else f"{host}:{port}"
    return urlunsplit((parts.scheme, netloc, path, _encoded(parts.query, "?"), ""))


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if ":" in host:
        return f"[{ipaddress.IPv6Address(host).compressed}]"
    return host if host.isascii() else host.encode("idna").decode()


def _encoded(text: str, more: str = "") -> str:
    """Everything escaped that must be, nothing that need not be, in capitals."""

    def smooth(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else match[0].upper()

    return _ESCAPE.sub(smooth, quote(text, safe=_SAFE + more))


def covers(registered: str, asked: str) -> bool:
    """Whether `asked` is the registered address or one below it; both in normal form. Programs on the user's own machine
    listen on whatever port is free.
    """
    one, other = urlsplit(registered), urlsplit(asked)
    is_local = is_loopback(one.hostname or "") and one.hostname == other.hostname
    if one.scheme != other.scheme or not (is_local or one.netloc == other.netloc):
        return False
    if one.query:
        return one.path == other.path and one.query == other.query
    root = one.path.rstrip("/")
    return other.path.rstrip("/") == root or other.path.startswith(f"{root}/")
