"""Who may call what: every address and method of the identity service by every kind of caller.

What each operation declares (`auth`, `only`) decides what is expected, so an address without a rule fails. Hardly
anything is asked with a good body: whoever may call gets past the check and is refused for something else, or served.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from synnefo.astakos.api import openapi
from synnefo.common.describe import Auth, Operation, Route
from tests.support.identity_seeds import PROJECT_ADMINS, Seeds, seed

pytestmark = pytest.mark.django_db
ROUTES = openapi.described()
USERS = ("user", "member", "owner", "project_admin", "helpdesk", "admin")
KINDS = ("anonymous", *USERS, "component", "suspended", "expired", "restricted")
ADMITTED: dict[Auth, tuple[str, ...]] = {
    "none": KINDS, "user": (*USERS, "restricted"), "account": USERS, "component": ("component",),
    "caller": (*USERS, "restricted", "component"), "account_or_component": (*USERS, "component"), "admin": ("admin",), "client": (), "bearer": ()}
"""Whose credentials are taken, by what the operation wants. Clients and bearers show other things than these tokens."""
SELF = "member"
"""To this one belongs whatever the addresses name; the restricted token is also his."""
QUERIES = {"GET /identity/v3/users": "?name=member@example.org"}
FORM = "application/x-www-form-urlencoded"
BODIES = {
    **{f"{method} /account/v1.0/myaccount/default_project": '{"project_id": "{project_id}"}' for method in ("POST", "PUT")},
    "POST /identity/v3/users/{user_id}/application_credentials": '{"application_credential": {"name": "x"}}',
}
"""What it takes to find out whose business it is, where the address does not say."""


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
    path = _filled(route.path + QUERIES.get(f"{route.method} {route.path}", ""), seeds)
    headers = {}
    if kind != "anonymous":
        headers["X-Auth-Token"] = seeds.tokens[kind]
    if "X-Subject-Token" in route.known.headers:
        headers["X-Subject-Token"] = seeds.tokens[kind if kind == "restricted" else SELF]  # it may give back itself only
    is_form = route.known.body_type == FORM
    body = "grant_type=refresh_token&refresh_token=x&token=x" if is_form else BODIES.get(f"{route.method} {route.path}", "{}")
    return Client().generic(route.method, f"/astakos{path}", _filled(body, seeds), route.known.body_type, headers=headers, secure=True)


def _filled(text: str, seeds: Seeds) -> str:
    unknown = set(re.findall(r"\{(\w+)\}", text)) - set(seeds.named)
    assert not unknown, f"tests/support/identity_seeds.py makes nothing that these name: {unknown}"
    return re.sub(r"\{(\w+)\}", lambda part: seeds.named[part[1]], text)


def _expected(operation: Operation, kind: str) -> set[int]:
    """The statuses of which the answer must be one; empty means: anything but 401 and 403."""
    if operation.auth == "client":
        return set() if kind == "component" and "X-Auth-Token" in operation.headers else {400, 401}
    if kind not in ADMITTED[operation.auth]:
        return {403} if operation.auth.startswith(("account", "admin")) and kind == "restricted" else {401, 403} if kind in USERS else {401}
    mine = {SELF: {"self", "member"}, "restricted": {"self", "member"}}.get(kind, {kind})
    if operation.only and kind != "component" and not mine & set(operation.only):
        return {401, 403, 404}
    return {403} if operation.status == 403 and operation.auth != "none" else set()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_who_may_call(route: Route, seeds: Seeds, settings_override: Any) -> None:
    settings_override(ASTAKOS_PROJECT_ADMIN_GROUPS=[PROJECT_ADMINS], ASTAKOS_ADMIN_API_ENABLED=True)
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


@pytest.mark.parametrize("route", [route for route in ROUTES if route.known.auth != "none"], ids=lambda route: f"{route.method} {route.path}")
def test_a_token_of_nobody_is_refused(route: Route, seeds: Seeds, settings_override: Any) -> None:
    settings_override(ASTAKOS_ADMIN_API_ENABLED=True)
    answer = _call(route, replace(seeds, tokens={**seeds.tokens, "user": "nobody-s-token"}), "user")
    assert answer.status_code in ({400, 401} if route.known.auth == "client" else {401})


def test_every_kind_of_caller_is_somebody(seeds: Seeds) -> None:
    assert {*seeds.tokens, "anonymous"} == set(KINDS)
    assert len(set(seeds.tokens.values())) == len(seeds.tokens)
