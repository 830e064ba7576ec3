"""Whose pages may read, with the user's cookies, what is the user's."""

from __future__ import annotations

from urllib.parse import urlsplit

from synnefo.common.settings import conf


def may_read(origin: str) -> bool:
    """Our own, those of sites in the domain of our cookies, and those of ASTAKOS_CORS_ORIGINS."""
    if origin in {item.rstrip("/") for item in conf.ASTAKOS_CORS_ORIGINS}:
        return True
    try:
        asking, base = urlsplit(origin.lower()), urlsplit(conf.ASTAKOS_BASE_URL.lower())
        host = asking.hostname or ""
    except ValueError:
        return False
    if "@" in asking.netloc or origin.lower() != f"{base.scheme}://{asking.netloc}":
        return False
    domain = conf.ASTAKOS_COOKIE_DOMAIN.strip(".").lower()
    return asking.netloc == base.netloc or (bool(domain) and (host == domain or host.endswith(f".{domain}")))
