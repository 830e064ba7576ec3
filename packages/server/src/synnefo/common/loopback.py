"""What never leaves this machine, and so needs no encryption on the way."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from django.http import HttpRequest

from synnefo.common.settings import conf


def is_loopback(host: str) -> bool:
    """Whether the host of an address, brackets or not, is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def stays_here(request: HttpRequest) -> bool:
    """Whether a request cannot have come from elsewhere: the cloud's own address is this machine. The client's alone says
    nothing, as a proxy may stand before us.
    """
    return is_loopback(urlsplit(conf.ASTAKOS_BASE_URL).hostname or "") and is_loopback(str(request.META.get("REMOTE_ADDR", "")))
