"""The ledger's refusals in words for people: with units, whose limit it is, and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from synnefo.astakos.models import Resource
from synnefo.common.errors import QuotaExceeded

_LABELS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Within it, `QuotaExceeded` of the ledger gets a text that a user understands. Costs a query when it happens."""
    try:
        yield
    except QuotaExceeded as error:
        if error.data is None or error.data["name"] != "NoCapacityError":
            raise
        raise QuotaExceeded(_text(error.data), data=error.data, **error.context) from error


def _text(data: dict[str, Any]) -> str:
    provision = data["provision"]
    name = provision["resource"]
    unit = Resource.objects.filter(name=name).values_list("unit", flat=True).first() or ""
    limit, left = amount(data["limit"], unit), amount(max(0, data["limit"] - data["usage"]), unit)
    text = f"Quota exceeded: {amount(provision['quantity'], unit)} of {name} asked for, {left} of {limit} left {_whose(provision)}."
    return text + " Delete something, or ask for more."


def _whose(provision: dict[str, Any]) -> str:
    holder, source = provision["holder"], provision["source"]
    if source is None:
        return f"to all members of project {holder.removeprefix('project:')} together"
    project = source.removeprefix("project:")
    own = holder.removeprefix("user:") == project
    return "in the user's own project" if own else f"to the user in project {project}"


def amount(value: int, unit: str) -> str:
    """`1.5 GiB` for bytes; the plain number for counts."""
    if unit != "bytes":
        return str(value)
    power = min(max(0, value.bit_length() - 1) // 10, len(_LABELS) - 1)
    return f"{value / 1024**power:.2f}".rstrip("0").rstrip(".") + f" {_LABELS[power]}"
