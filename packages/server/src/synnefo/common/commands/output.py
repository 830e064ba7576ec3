"""Rendering of tables and details: pretty, table-wide, json, json-strings, csv, yaml.

JSON and CSV stream; the aligned forms need all rows to know their widths.
"""

from __future__ import annotations

import csv
import datetime
import decimal
import json
import shutil
import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from synnefo.common.commands.values import Amount, format_amount

FORMATS = ("pretty", "json", "csv", "yaml", "table-wide", "json-strings")


class Renderer:
    """Writes tables and details to `stream` in one of `FORMATS`. `unit_style` None means: raw numbers in data formats,
    "mb" for people.
    """

    def __init__(self, stream: TextIO, form: str = "pretty", *, headers: bool = True, unit_style: str | None = None
                 ) -> None:
        self.stream = stream
        self.form = form
        self.headers = headers
        self.unit_style = unit_style

    def table(self, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """One line (or object) a row."""
        if self.form in {"json", "json-strings"}:
            self._json_table(names, rows)
        elif self.form == "csv":
            self._csv_table(names, rows)
        elif self.form == "yaml":
            self._yaml_table(names, rows)
        else:
            self._pretty_table(names, rows)

    def detail(self, values: dict[str, Any], *, title: str = "") -> None:
        """One `key: value` line a field, or one object."""
        if self.form in {"json", "json-strings"}:
            self.stream.write(self._dump({key: self._data(value) for key, value in values.items()}) + "\n")
        elif self.form == "csv":
            self._csv_table(tuple(values), [tuple(values.values())])
        elif self.form == "yaml":
            for key, value in values.items():
                self.stream.write(f"{_yaml_key(key)}: {json.dumps(self._data(value), ensure_ascii=False)}\n")
        else:
            self._pretty_detail(values, title)

    def _data(self, value: Any) -> Any:
        """A JSON value that keeps native types."""
        if isinstance(value, Amount):
            value = value.value if self.unit_style is None else format_amount(value, self.unit_style)
        if isinstance(value, list):
            return [self._data(item) for item in value]
        if isinstance(value, dict):
            return {key: self._data(item) for key, item in value.items()}
        native = to_native(value)
        return native if self.form != "json-strings" else _stringify(native)

    def _text(self, value: Any) -> str:
        if isinstance(value, Amount):
            return format_amount(value, self.unit_style or "mb")
        return escape_controls(to_text(value))

    @staticmethod
    def _dump(value: Any) -> str:
        return json.dumps(value, indent=2, ensure_ascii=False)

    def _json_table(self, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        self.stream.write("[")
        separator = "\n"
        for row in rows:
            item = {name: self._data(value) for name, value in zip(names, row, strict=True)}
            text = "\n".join("  " + line for line in self._dump(item).splitlines())
            self.stream.write(separator + text)
            separator = ",\n"
        self.stream.write("]\n" if separator == "\n" else "\n]\n")

    def _csv_table(self, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        writer = csv.writer(self.stream, lineterminator="\n")
        if self.headers:
            writer.writerow(names)
        for row in rows:
            writer.writerow([self._text(value) for value in row])

    def _yaml_table(self, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        empty = True
        for row in rows:
            empty = False
            lines = [f"{_yaml_key(name)}: {json.dumps(self._data(value), ensure_ascii=False)}"
                     for name, value in zip(names, row, strict=True)]
            self.stream.write("- " + "\n  ".join(lines) + "\n")
        if empty:
            self.stream.write("[]\n")

    def _pretty_table(self, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        cells = [[self._text(value) for value in row] for row in rows]
        shown = [list(names), *cells] if self.headers else cells
        widths = [max((_width(row[i]) for row in shown), default=0) for i in range(len(names))]
        for line in _aligned(shown, widths, self.headers):
            self.stream.write(self._cut(line) + "\n")

    def _pretty_detail(self, values: dict[str, Any], title: str) -> None:
        width = max((_width(key) for key in values), default=0)
        lines = [f"{key}{' ' * (width - _width(key))}: {self._text(value)}" for key, value in values.items()]
        if title:
            rule = max(len(title), *(len(line) for line in lines)) if lines else len(title)
            self.stream.write(f"{'-' * rule}\n{title.center(rule).rstrip()}\n{'-' * rule}\n")
        for line in lines:
            self.stream.write(self._cut(line) + "\n")

    def _cut(self, line: str) -> str:
        if self.form == "table-wide" or not self.stream.isatty():
            return line
        limit = shutil.get_terminal_size().columns
        return line if _width(line) <= limit else line[: limit - 1] + "…"


def _aligned(rows: list[list[str]], widths: list[int], headers: bool) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield "  ".join(" " * (width - _width(cell)) + cell for cell, width in zip(row, widths, strict=True))
        if headers and number == 0:
            yield "-" * (sum(widths) + 2 * (len(widths) - 1))


def _width(text: str) -> int:
    """Terminal columns: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _yaml_key(name: str) -> str:
    return name if name.replace("_", "").replace(".", "").replace("-", "").isalnum() else json.dumps(name)


def escape_controls(text: str) -> str:
    """Make characters of the Unicode "C" categories visible, so that a hostile name cannot drive the terminal."""
    if text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c).startswith("C") else c for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def to_native(value: Any) -> Any:
    """Reduce a value to what JSON has: dates as ISO 8601 in UTC."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, datetime.date | uuid.UUID | decimal.Decimal):
        return str(value)
    if isinstance(value, dict):
        return {str(key): to_native(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [to_native(item) for item in value]
    return str(value)


def to_text(value: Any) -> str:
    """One cell for people: empty for nothing, items of a list joined by commas."""
    native = to_native(value)
    if native is None:
        return ""
    if isinstance(native, dict):
        return json.dumps(native, ensure_ascii=False)
    if isinstance(native, list):
        return ", ".join(to_text(item) for item in native)
    return str(native)


def _stringify(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stringify(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_stringify(item) for item in value]
    return "" if value is None else str(value)
