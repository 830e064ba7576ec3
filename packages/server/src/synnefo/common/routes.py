"""From Django's URL tables to a list of addresses with braces, as OpenAPI and people write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from re import _parser as parser  # type: ignore[attr-defined]  # the only reader of regular expressions there is
from typing import Any

from django.urls import URLPattern, URLResolver

from synnefo.common.describe import Endpoint, Route, operation_of

_GROUP = re.compile(r"\(\?P<(\w+)>")


def routes_of(patterns: Sequence[URLPattern | URLResolver], prefix: str = "/") -> list[Route]:
    """Every method of every address of the table that is not a page, in its order and without a slash at the end. Addresses
    that only refuse are left out.
    """
    found: dict[tuple[str, str], Route] = {}
    for path, known, callback in _walk(patterns, prefix, {}):
        for route in _routes(path.rstrip("/") or "/", known, callback):
            found.setdefault((route.method, route.path), route)
    return list(found.values())


def bare_paths(patterns: Sequence[URLPattern | URLResolver], prefix: str = "/") -> list[str]:
    """The addresses whose views say nothing of themselves: pages, redirects."""
    return [path for path, _, callback in _walk(patterns, prefix, {}) if not isinstance(getattr(callback, "endpoint", None), Endpoint)]


def _walk(patterns: Sequence[URLPattern | URLResolver], prefix: str, known: dict[str, str]) -> Iterator[tuple[str, dict[str, str], Any]]:
    for item in patterns:
        source = item.pattern.regex.pattern
        path, found = prefix + template(source), known | groups(source)
        if isinstance(item, URLResolver):
            yield from _walk(item.url_patterns, path, found)
        else:
            yield path, found, item.callback


def _routes(path: str, patterns: dict[str, str], callback: Any) -> Iterator[Route]:
    endpoint = getattr(callback, "endpoint", None)
    if isinstance(endpoint, Endpoint) and not endpoint.is_catch_all:
        for method, view in endpoint.views.items():
            yield Route(path, method, endpoint.dialect, operation_of(view), patterns)


def template(source: str) -> str:
    """The shortest text that a regular expression matches, its named groups in braces."""
    return "".join(_shortest(parser.parse(source), {number: name for name, number in re.compile(source).groupindex.items()}))


def _shortest(tree: Any, names: dict[int, str]) -> Iterator[str]:
    for kind, value in tree:
        match str(kind):
            case "LITERAL":
                yield chr(value)
            case "AT":
                continue
            case "MAX_REPEAT" | "MIN_REPEAT":
                yield from list(_shortest(value[2], names)) * value[0]
            case "SUBPATTERN" if value[0] in names:
                yield "{" + names[value[0]] + "}"
            case "SUBPATTERN":
                yield from _shortest(value[3], names)
            case "BRANCH":
                yield from _shortest(value[1][0], names)
            case "IN" if value[0][0] == parser.LITERAL:
                yield chr(value[0][1])
            case other:
                raise ValueError(f"{other} outside of a named group has no single form")


def groups(source: str) -> dict[str, str]:
    """The named groups of a regular expression with what each takes."""
    return {match[1]: source[match.end() : _closing(source, match.end())] for match in _GROUP.finditer(source)}


def _closing(source: str, start: int) -> int:
    """Where the parenthesis closes that opened before `start`."""
    depth, inside, position = 1, False, start
    while depth:
        character = source[position]
        if character == "\\":
            position += 1
        elif inside:
            inside = character != "]"
        elif character == "[":
            inside = True
        else:
            depth += {"(": 1, ")": -1}.get(character, 0)
        position += 1
    return position - 1
