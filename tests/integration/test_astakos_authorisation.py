"""Who may call what: every address and method of the identity service by every kind of caller.

What each operation declares (`auth`, `only`) decides what is expected, so an address without a rule fails. Nothing is
asked with a good body: whoever may call gets past the check and is refused for something else, or served.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from synnefo.astakos.api import openapi
from synnefo.common.describe import Auth, Operation, Route
from tests.support.identity_seeds import Seeds, seed

pytestmark = pytest.mark.django_db
ROUTES = openapi.described()
USERS = ("user", "member", "owner", "project_admin", "helpdesk", "admin")
KINDS = ("anonymous", *USERS, "component", "suspended", "expired", "restricted")
ADMITTED: dict[Auth, tuple[str, ...]] = {
    "none": KINDS, "user": (*USERS, "restricted"), "account": USERS, "component": ("component",),
    "caller": (*USERS, "restricted", "component"), "admin": ("admin",), "client": (), "bearer": ()}
"""Whose credentials are taken, by what the operation wants. Clients and bearers show other things than these tokens."""
SELF = "member"
"""To this one belongs whatever the addresses name."""


@contextmanager
def undone() -> Iterator[None]:
    """A transaction that leaves nothing behind, and in which the code under test may open its outermost ones, as in Django's
    own test cases.
    """
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]
    with block:
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def seeds(django_db_setup: None, django_db_blocker: Any) -> Iterator[Seeds]:
    """Made once, for all routes."""
    with django_db_blocker.unblock(), undone():
        yield seed()


def _call(route: Route, seeds: Seeds, kind: str) -> Any:
    path = re.sub(r"\{(\w+)\}", lambda part: seeds.named[part[1]], route.path)
    headers = {"X-Forwarded-Proto": "https"}
    if kind != "anonymous":
        headers["X-Auth-Token"] = seeds.tokens[kind]
    if "X-Subject-Token" in route.known.headers:
        headers["X-Subject-Token"] = seeds.tokens[SELF]
    return Client().generic(route.method, f"/astakos{path}", b"{}", "application/json", headers=headers)


def _expected(operation: Operation, kind: str) -> set[int]:
    """The statuses of which the answer must be one; empty means: anything but 401 and 403."""
    if kind not in ADMITTED[operation.auth]:
        return {403} if operation.auth == "account" and kind == "restricted" else {401, 403} if kind in USERS else {401}
    mine = {SELF: {"self", "member"}}.get(kind, {kind})
    if operation.only and kind != "component" and not mine & set(operation.only):
        return {403, 404}
    return {403} if operation.status == 403 and operation.auth != "none" else set()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_who_may_call(route: Route, seeds: Seeds) -> None:
    problems = []
    for kind in KINDS:
        with undone():
            answer = _call(route, seeds, kind)
        expected = _expected(route.known, kind)
        if route.known.auth == "none":
            continue
        good = answer.status_code in expected if expected else answer.status_code not in {401, 403}
        if not good:
            problems.append(f"{kind}: {answer.status_code}, not {sorted(expected) or 'let in'}: {answer.content[:120]!r}")
    assert problems == []
