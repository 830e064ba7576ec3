"""The OpenAPI document of the object store's two dialects: every address, who may call it, its parameters."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from synnefo.common import openapi
from synnefo.common.describe import Parameter, Route, number, outline
from synnefo.common.faults import guarded
from synnefo.common.settings import conf
from synnefo.pithos.api import swift, views

TITLE = "Synnefo object store"
TEXT = "The native dialect below /object-store/v1 and OpenStack Swift's below /swift/v1, over the same objects."
_LEVELS = ("", "/{account}", "/{account}/{container}", "/{account}/{container}/{object}")
_WHAT = ("accounts that share with the caller", "an account", "a container", "an object")
_VERBS = {"HEAD": "Show metadata of", "GET": "Read or list", "PUT": "Create or replace", "POST": "Update", "DELETE": "Delete", "COPY": "Copy",
          "MOVE": "Move"}
_LISTING: dict[str, Parameter | str] = {
    "limit": number("Size of the page"), "marker": "The last name of the page before", "prefix": "Only names that begin so",
    "delimiter": "Names up to this character as one", "path": "Only names directly below", "format": "json, xml or plain text"}
_OBJECT: dict[str, Parameter | str] = {"version": "An older version, or list", "hashmap": "The blocks' hashes in place of the content", "format": "json or xml"}
_PATTERNS = {"account": "[^/]+", "container": "[^/]+", "object": ".+"}
KNOWN_METHODS = {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE"}
"""OpenAPI has names for no others: COPY and MOVE are told of in the text."""


def _dialect(root: str, table: Sequence[Mapping[str, Any]], name: str, account: str) -> Iterator[Route]:
    for depth, views_ in enumerate(table):
        for method in views_:
            query = (_OBJECT if depth == len(_LEVELS) - 1 else _LISTING) if method == "GET" else None
            path = root + _LEVELS[depth].replace("{account}", account)
            yield Route(path, method, name, outline(f"{_VERBS[method]} {_WHAT[depth]}", auth="user", query=query),
                        {key: _PATTERNS[key] for key in _PATTERNS if "{" + key + "}" in _LEVELS[depth]})


def described() -> list[Route]:
    """Every method of every address, without the base's path."""
    public = [("/info", "swift"), ("/object-store/info", "swift"), ("/swift/info", "swift"), ("/openapi.json", "synnefo")]
    return [
        *(Route(path, "GET", dialect, outline("Describe all of this" if "json" in path else "Show what this store can do", auth="none"))
          for path, dialect in public),
        *_dialect("/object-store/v1", views.ACTIONS, "synnefo", "{account}"), *_dialect("/swift/v1", swift.ACTIONS, "swift", "AUTH_{account}"),
    ]


@functools.cache
def _text(server: str) -> bytes:
    known = [route for route in described() if route.method in KNOWN_METHODS]
    others = sorted({f"{route.method} {route.path}" for route in described() if route.method not in KNOWN_METHODS})
    text = f"{TEXT} Besides these: {', '.join(others)}, with the target in the header Destination."
    return json.dumps(openapi.document(known, title=TITLE, version=openapi.VERSION, server=server, text=text), separators=(",", ":")).encode()


@guarded()
def show(request: HttpRequest) -> HttpResponse:
    """This document, for everybody."""
    text = _text(str(conf.PITHOS_BASE_URL).rstrip("/"))
    return HttpResponse(text, content_type="application/json", headers={"Cache-Control": "public, max-age=300"})
