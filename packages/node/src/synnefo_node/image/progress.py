"""Telling how the deployment goes: JSON objects to the progress monitor, which must never hold it up."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import IO, Any

_stream: IO[str] | None = None


def to(stream: IO[str] | None) -> None:
    """Where messages go from now on; None drops them."""
    global _stream  # noqa: PLW0603 - one deployment a process
    _stream = stream


def tell(kind: str, **fields: Any) -> None:
    """Send a message. A monitor that is gone is ignored: the deployment matters more."""
    global _stream  # noqa: PLW0603 - see above
    if _stream is None:
        return
    try:
        _stream.write(json.dumps({"type": kind, "timestamp": time.time(), **fields}) + "\n")
        _stream.flush()
    except OSError:
        _stream = None


def copied(position: int, total: int) -> None:
    tell("image-copy-progress", position=position, total=total, progress=round(100 * position / total, 2) if total else 100.0)


def error(text: str) -> None:
    tell("image-error", messages=[text])


def warning(text: str) -> None:
    tell("image-helper", subtype="warning", messages=[text])


@contextlib.contextmanager
def task(name: str) -> Iterator[None]:
    """A task of the customisation, with its start and end."""
    tell("image-helper", subtype="task-start", task=name)
    yield
    tell("image-helper", subtype="task-end", task=name)
