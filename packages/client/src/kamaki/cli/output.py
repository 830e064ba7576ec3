"""How results look: tables for people, JSON for programs; data on standard output, all else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn
from rich.table import Table

stdout = Console()
stderr = Console(stderr=True)


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


def size(value: int | None) -> str:
    """Bytes for people: 4.0 MiB."""
    if value is None:
        return ""
    number = float(value)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(number) < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def show_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")


def show_list(items: Iterable[Mapping[str, Any]], columns: Sequence[str], form: Format) -> None:
    """A table of the chosen columns, or all there is as JSON."""
    if form is Format.JSON:
        show_json(list(items))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for item in items:
        table.add_row(*(_cell(item.get(column)) for column in columns))
    stdout.print(table)


def show_item(item: Mapping[str, Any], form: Format) -> None:
    """One object, a line a field, nested ones indented."""
    if form is Format.JSON:
        show_json(item)
        return
    for line in _lines(item, 0):
        stdout.print(line, highlight=False)


def _lines(item: Mapping[str, Any], depth: int) -> Iterator[str]:
    width = max((len(str(key)) for key in item), default=0)
    for key, value in item.items():
        indent = "  " * depth
        if isinstance(value, Mapping) and value:
            yield f"{indent}[bold]{escape(str(key))}[/bold]"
            yield from _lines(value, depth + 1)
        else:
            yield f"{indent}[bold]{escape(str(key)):<{width}}[/bold]  {_cell(value)}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return escape(json.dumps(value, ensure_ascii=False, default=str)) if value else ""
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(value))
    return escape(text)


def say(text: str) -> None:
    """A word to the person, not part of the data."""
    stderr.print(text, highlight=False)


@contextmanager
def progress(*, shown: bool = True) -> Iterator[Progress]:
    """Bars on standard error: nothing when it is not a terminal, or not wanted."""
    with Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), DownloadColumn(True),
                  TransferSpeedColumn(), TimeElapsedColumn(), console=stderr, transient=False,
                  disable=not shown or not stderr.is_terminal) as bars:
        yield bars


@contextmanager
def percent(title: str, *, shown: bool = True) -> Iterator[Any]:
    """One bar from 0 to 100. Yields a function that sets it, with the text beside it."""
    with Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(),
                  console=stderr, disable=not shown or not stderr.is_terminal) as bars:
        task = bars.add_task(title, total=100)

        def update(value: float, text: str = "") -> None:
            bars.update(task, completed=value, description=f"{title} {text}".rstrip())

        yield update
