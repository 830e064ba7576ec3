"""Range headers: one part, several parts, or the whole."""

from __future__ import annotations

import re

from synnefo.common.errors import RangeNotSatisfiable

MAX_RANGES = 50
_SPEC = re.compile(r"^(\d{0,18})-(\d{0,18})$")


def parse(header: str, size: int) -> list[tuple[int, int]] | None:
    """Parts as [start, end) in request order, clamped to the object; None means the whole object.

    A header that is no valid range is ignored. Raises `RangeNotSatisfiable` when no part lies in the object.
    """
    unit, equals, text = header.replace(" ", "").partition("=")
    specs = text.split(",")
    if unit.lower() != "bytes" or not equals or len(specs) > MAX_RANGES:
        return None
    found: list[tuple[int, int]] = []
    for spec in specs:
        match = _SPEC.match(spec)
        if match is None or spec == "-" or (match[1] and match[2] and int(match[1]) > int(match[2])):
            return None
        part = _clamped(match[1], match[2], size)
        if part is not None:
            found.append(part)
    if not found:
        raise RangeNotSatisfiable("The range lies outside of the object.")
    if sum(end - start for start, end in found) > 2 * size:
        return None  # overlapping parts must not multiply the work
    return found


def _clamped(first: str, last: str, size: int) -> tuple[int, int] | None:
    if not first:
        length = int(last)
        return (max(0, size - length), size) if length and size else None
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    return (start, end) if start < size else None
