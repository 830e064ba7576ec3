"""Documents made of described routes, and paths made of regular expressions."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from pydantic import Field

from synnefo.astakos.api.http import endpoint, whatever
from synnefo.common.describe import Body, Endpoint, Reply, Route, describe, flag, operation_of
from synnefo.common.openapi import document
from synnefo.common.routes import bare_paths, groups, routes_of, template


class NoteRequest(Body):
    text: Annotated[str, Field(max_length=9)]


class Note(Reply):
    id: int
    text: str


@describe("Keep a note", auth="account", body=NoteRequest, reply=Note, status=201, errors=(409,), query={"loud": flag("Say so")})
def add(request: HttpRequest) -> HttpResponse:
    """It is kept
    for ever.
    """
    return HttpResponse()


@describe("List notes", auth="none", reply=list[Note], reply_headers={"Link": "The next page"})
def notes(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def silent(request: HttpRequest, **_: str) -> HttpResponse:
    return HttpResponse()


TABLE = [re_path(r"^notes/?$", endpoint(GET=notes, POST=add)), path("page", silent), re_path(r"^(?P<rest>.*)$", whatever(silent))]


@pytest.mark.parametrize(("source", "expected"), [
    (r"^tokens/?(?:\.json|\.xml)?$", "tokens"), (r"^v2\.0/(?P<secret>[^/]{1,255})/endpoints/?$", "v2.0/{secret}/endpoints"),
    (r"^a(?:b|c)d[.]\Z", "abd."), (r"^(?P<a>x(?:y|z)[)(]\))-(?P<b>.+)$", "{a}-{b}"), (r"^x{2}$", "xx")])
def test_the_shortest_form_of_a_pattern(source: str, expected: str) -> None:
    assert template(source) == expected


def test_what_a_pattern_leaves_open_has_no_form() -> None:
    with pytest.raises(ValueError, match="no single form"):
        template(r"^a[0-9]b$")


def test_groups_with_parentheses_inside() -> None:
    assert groups(r"^(?P<a>x(?:y|z)[)(]\))-(?P<b>.+)$") == {"a": r"x(?:y|z)[)(]\)", "b": ".+"}


def test_addresses_that_only_refuse_are_none() -> None:
    assert [(route.method, route.path) for route in routes_of(TABLE)] == [("GET", "/notes"), ("POST", "/notes")]
    assert bare_paths(TABLE) == ["/page"]


def test_a_document() -> None:
    made = document(routes_of(TABLE), title="Notes", version="1", server="http://x")
    add_note = made["paths"]["/notes"]["post"]
    assert add_note["description"] == "It is kept\nfor ever."
    assert set(add_note["responses"]) == {"201", "400", "401", "403", "409", "413"}
    assert add_note["parameters"] == [
        {"name": "loud", "in": "query", "required": False, "description": "Say so", "schema": {"type": "string", "enum": ["0", "1"]}}]
    assert _schema(made, add_note["requestBody"])["required"] == ["text"]
    assert _schema(made, add_note["responses"]["201"])["additionalProperties"] is False
    conflict = add_note["responses"]["409"]["content"]["application/json"]["schema"]
    assert conflict["propertyNames"] == {"enum": ["buildInProgress", "conflict"]}
    assert made["paths"]["/notes"]["get"]["responses"]["200"]["headers"] == {
        "Link": {"description": "The next page", "schema": {"type": "string"}}}


def _schema(made: dict[str, Any], part: dict[str, Any]) -> Any:
    name = part["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return made["components"]["schemas"][name]


def test_a_route_that_says_nothing_has_no_document() -> None:
    assert operation_of(silent) is None
    with pytest.raises(ValueError, match="GET /x is not described"):
        document([Route("/x", "GET", Endpoint("synnefo", {}).dialect, None)], title="", version="", server="")
