"""Steps shown to a person: a spinner with the elapsed time on a terminal, one line a step elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text


def colour(text: str, code: int) -> str:
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() else text


def seconds(value: float) -> str:
    """`4.2 s` or `3 min 05 s`."""
    return f"{value:.1f} s" if value < 60 else f"{int(value // 60)} min {int(value % 60):02d} s"


class Step:
    """One running step. `note` changes the text behind it, `skip` marks it as already done."""

    def __init__(self, title: str, index: int, total: int) -> None:
        self.title, self.index, self.total = title, index, total
        self.detail = ""
        self.skipped = False
        self.started = time.monotonic()

    def note(self, text: str) -> None:
        self.detail = text

    def skip(self, why: str = "already done") -> None:
        self.skipped, self.detail = True, why

    @property
    def label(self) -> str:
        return f"[{self.index:2d}/{self.total}] {self.title}"

    def line(self, mark: str) -> str:
        spent = seconds(time.monotonic() - self.started)
        detail = f" · {self.detail}" if self.detail else ""
        return f"{mark} {self.label:<48} {spent:>12}{detail}"


@contextmanager
def step(title: str, index: int, total: int) -> Iterator[Step]:
    """Show a step while its block runs. An exception marks it as failed and passes on."""
    current = Step(title, index, total)
    stop = threading.Event()
    spinner = threading.Thread(target=_spin, args=(current, stop), daemon=True)
    if sys.stdout.isatty():
        spinner.start()
    try:
        yield current
    except BaseException:
        _finish(current, stop, spinner, colour("✗", 31))
        raise
    _finish(current, stop, spinner, colour("·", 2) if current.skipped else colour("✓", 32))


def _spin(current: Step, stop: threading.Event) -> None:
    beat = 0
    while not stop.wait(0.1):
        sys.stdout.write("\r\033[K" + current.line(FRAMES[beat % len(FRAMES)])[:150])
        sys.stdout.flush()
        beat += 1


def _finish(current: Step, stop: threading.Event, spinner: threading.Thread, mark: str) -> None:
    stop.set()
    if spinner.is_alive():
        spinner.join()
        sys.stdout.write("\r\033[K")
    print(current.line(mark), flush=True)
