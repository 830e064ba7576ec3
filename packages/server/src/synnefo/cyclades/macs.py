"""MAC addresses, their prefixes, and the IPv6 addresses that follow from them. Pure functions.

A network has a prefix of five hexadecimal digits (`aa:00:1`); a backend adds its own sixth digit (`aa:00:13`), which
leaves 24 bits for the NICs of one network in one backend.
"""

from __future__ import annotations

import ipaddress
import re
import secrets

from synnefo.common.errors import InvalidInput

MAX_BACKEND_INDEX = 15
MAX_LINK_LENGTH = 15  # of a Linux network interface
_PREFIX = re.compile(r"^[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]$")
_MAC = re.compile(r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")


def checked_prefix(text: str, *, any_kind: bool = False) -> str:
    """A network's prefix in lower case. Raises `InvalidInput` unless it has five digits and, if not `any_kind`, is
    unicast and locally administered.
    """
    prefix = text.strip().lower()
    if not _PREFIX.match(prefix):
        raise InvalidInput(
            f"{text!r} is not a MAC prefix of five digits such as aa:00:1 (each backend adds the sixth).", field="mac_prefix",
        )
    if not any_kind and int(prefix[0:2], 16) & 0x03 != 0x02:
        raise InvalidInput(f"MAC prefix {prefix} is not unicast and locally administered.", field="mac_prefix")
    return prefix


def prefix_number(prefix: str) -> int:
    return int(prefix.replace(":", ""), 16)


def backend_prefix(prefix: str, backend_index: int) -> str:
    """The network's prefix in one backend, six digits."""
    if not 0 <= backend_index <= MAX_BACKEND_INDEX:
        raise InvalidInput(f"Backend index {backend_index} is not one hexadecimal digit.", field="backend")
    return f"{prefix}{backend_index:x}"


def random_mac(prefix: str) -> str:
    """A random address under a six-digit prefix."""
    suffix = secrets.token_bytes(3)
    return f"{prefix}:{suffix[0]:02x}:{suffix[1]:02x}:{suffix[2]:02x}"


def normalised_mac(text: str) -> str | None:
    mac = text.strip().lower()
    return mac if _MAC.match(mac) else None


def eui64_address(cidr: str, mac: str) -> str:
    """The address a NIC forms by itself in a /64 (RFC 4291, appendix A)."""
    octets = bytearray.fromhex(mac.replace(":", ""))
    octets[0] ^= 0x02
    interface = int.from_bytes(octets[:3] + b"\xff\xfe" + octets[3:], "big")
    return str(ipaddress.IPv6Network(cidr).network_address + interface)
