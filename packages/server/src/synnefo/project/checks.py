"""What `snf-manage check --deploy` finds in the settings of a cloud that others shall use. Its exit status keeps a deployment from starting."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error, register

from synnefo.common.loopback import is_loopback
from synnefo.common.settings import conf

MIN_SECRET_LENGTH = 32
ADDRESSES = {"astakos": "ASTAKOS_BASE_URL", "pithos": "PITHOS_BASE_URL", "cyclades": "CYCLADES_BASE_URL"}


@register(deploy=True)
def check_secret_key(**_: Any) -> list[CheckMessage]:
    """Samples in documents are short or repeat themselves."""
    if len(conf.SECRET_KEY) >= MIN_SECRET_LENGTH and len(set(conf.SECRET_KEY)) >= 10:
        return []
    return [Error("SECRET_KEY can be guessed.", hint=f"Take at least {MIN_SECRET_LENGTH} random characters: openssl rand -base64 48", id="synnefo.E001")]


@register(deploy=True)
def check_addresses(**_: Any) -> list[CheckMessage]:
    """Passwords and tokens go over these."""
    return [Error(f"{name} is not https: passwords and tokens could be read on the way.", hint="Put a front end with a certificate before the cloud.", id="synnefo.E002")
            for name in ADDRESSES.values() if not _is_safe(getattr(conf, name))]


def _is_safe(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


@register(deploy=True)
def check_cookie_domain(**_: Any) -> list[CheckMessage]:
    """Sign-in on one host is known on the others by a cookie of their common domain."""
    hosts = {urlsplit(getattr(conf, name)).hostname for name in ADDRESSES.values()}
    if len(hosts) == 1 or conf.ASTAKOS_COOKIE_DOMAIN:
        return []
    return [Error("The services are on several hosts, and ASTAKOS_COOKIE_DOMAIN is not set: who signed in would be unknown to the others.",
                  hint="Set it to their common domain, such as .example.org", id="synnefo.E003")]
