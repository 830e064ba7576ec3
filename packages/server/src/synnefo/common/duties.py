"""What the worker of a host does on a clock for services that do not know the worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class PeriodicDuty(NamedTuple):
    """`run` is called about every `every_s` seconds; it may fail and is then tried again."""

    name: str
    every_s: float
    run: Callable[[], object]


_registered: dict[str, PeriodicDuty] = {}


def register(name: str, every_s: float, run: Callable[[], object]) -> None:
    """Add a duty, or replace the one of that name. Called while the process starts."""
    _registered[name] = PeriodicDuty(name, every_s, run)


def registered() -> list[PeriodicDuty]:
    return list(_registered.values())
