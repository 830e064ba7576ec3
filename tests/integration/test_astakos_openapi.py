"""Every address of the identity service's APIs is described, and the document says so to everybody."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from django.test import Client

from synnefo.astakos.api import openapi
from synnefo.common import routes

PAGES = ("/ui", "/oauth2/auth", "/weblogin", "/login", "/im/")
"""What people look at in a browser. Whatever else is added must be described."""


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads(Client().get("/astakos/openapi.json").content)


@pytest.mark.parametrize("route", openapi.described(), ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_described(route: Any) -> None:
    assert route.operation is not None, "describe the view: see synnefo.common.describe"


def test_only_pages_are_without_a_description() -> None:
    bare = routes.bare_paths(openapi.table())
    assert [path for path in bare if path != "/" and not path.startswith(PAGES)] == []


def test_the_document_is_for_everybody_and_may_be_kept() -> None:
    answer = Client().get("/astakos/openapi.json")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "public, max-age=300"
    assert "Expires" not in answer


def test_the_document_is_valid(document: Any) -> None:
    schemathesis.openapi.from_dict(document).validate()


def test_the_document_has_every_route(document: Any) -> None:
    assert {(method.upper(), path) for path, item in document["paths"].items() for method in item} == {
        (route.method, route.path) for route in openapi.described()}


def test_operations_have_names_of_their_own(document: Any) -> None:
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere(document: Any) -> None:
    text = json.dumps(document)
    known = set(document["components"]["schemas"])
    used = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= known
