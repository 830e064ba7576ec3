"""Option values: booleans, amounts with units, object ids, users."""

from __future__ import annotations

import argparse
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from synnefo.common import ports
from synnefo.common.errors import InvalidInput, NotFound
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

INFINITE = ports.INFINITE
_POWERS = {"": 0, "bytes": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_AMOUNT = re.compile(r"^\s*([0-9]{1,19}(?:\.[0-9]{1,9})?)\s*(bytes|b|([kmgtp])(?:i?b)?)?\s*$", re.IGNORECASE)
_TRUE, _FALSE = {"true", "yes"}, {"false", "no"}
_NAMES = {"server": "", "network": "net-", "port": "nic-", "volume": "vol-"}  # how Ganeti's names go on after the prefix
UNIT_STYLES = ("b", "kb", "mb", "gb", "tb", "pb", "auto", "none")


@dataclass(frozen=True, slots=True, order=True)
class Amount:
    """A quantity that is shown by `--unit-style`: bytes when `unit` is "bytes", a plain count otherwise."""

    value: int
    unit: str = "bytes"

    def __str__(self) -> str:
        return format_amount(self, "none")


def boolean(text: str) -> bool:
    """Parse True or False (also true, false, yes, no in any case)."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise argparse.ArgumentTypeError(f"invalid value {text!r}: use True or False")


def amount(text: str) -> int:
    """Parse `10`, `10M`, `1.5GiB` or `inf` to a number of base units; all units are powers of 1024."""
    if text.strip().lower() in {"inf", "infinite"}:
        return INFINITE
    match = _AMOUNT.match(text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"invalid amount {text!r}: use a number, optionally with bytes, KiB, MiB, GiB, TiB or PiB, or inf")
    number, unit, letter = match.groups()
    exact = Decimal(number) * 1024 ** _POWERS[(letter or "").lower()]
    if exact != exact.to_integral_value() and not unit:
        raise argparse.ArgumentTypeError(f"invalid amount {text!r}: a fraction needs a unit")
    if exact > INFINITE:
        raise argparse.ArgumentTypeError(f"invalid amount {text!r}: too large; use inf for no limit")
    return int(exact.to_integral_value(ROUND_HALF_UP))


def comma_list(text: str) -> list[str]:
    """Split `a,b,c`; empty items are dropped."""
    return [item.strip() for item in text.split(",") if item.strip()]


def object_id(kind: str) -> Callable[[str], int]:
    """A parser for the id of a `kind`: the number, or the cluster-side name that carries BACKEND_PREFIX_ID."""

    def parse(text: str) -> int:
        prefix = getattr(conf, "BACKEND_PREFIX_ID", "")
        name = f"{prefix}{_NAMES.get(kind, kind + '-')}"
        bare = text.removeprefix(name) if prefix else text
        if not re.fullmatch(r"[0-9]{1,18}", bare):
            raise argparse.ArgumentTypeError(f"Invalid {kind} ID: {text}")
        return int(bare)

    return parse


def resolve_user(text: str) -> UserID:
    """The uuid behind a uuid or an e-mail. Raises `NotFound` for an unknown e-mail, `InvalidInput` otherwise."""
    if "@" in text:
        found = ports.identity().user_ids_of([text])
        if not found:
            raise NotFound(f"User with e-mail {text} does not exist. Try: snf-manage user-list")
        return next(iter(found.values()))
    try:
        return UserID(str(uuid.UUID(text)))
    except ValueError:
        raise InvalidInput(f"Invalid user ID: {text}. Give a uuid or an e-mail.") from None


def format_amount(item: Amount, style: str) -> str:
    """The amount as text in `style` (one of `UNIT_STYLES`)."""
    if item.value >= INFINITE:
        return "inf"
    if item.unit not in {"bytes", "b"} or style == "none":
        return str(item.value)
    power = _auto_power(item.value) if style == "auto" else _POWERS[style[0]]
    scaled = Decimal(item.value) / 1024**power
    text = f"{scaled:.2f}".rstrip("0").rstrip(".")
    return text + ("" if power == 0 and style == "auto" else ("B", "KB", "MB", "GB", "TB", "PB")[power])


def _auto_power(value: int) -> int:
    power = 0
    while power < 5 and abs(value) >= 1024 ** (power + 1):
        power += 1
    return power
