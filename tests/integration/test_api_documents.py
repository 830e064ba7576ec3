"""The documents of the compute, image and network APIs and of the object store: valid, and of addresses that there are."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import schemathesis
from django.test import Client

from synnefo.common.describe import Route
from synnefo.cyclades.api import openapi as cyclades
from synnefo.pithos.api import openapi as pithos
from tests.support.identity import Http, make_token, make_user

ROUTES = [("cyclades", route) for route in cyclades.described()] + [("pithos", route) for route in pithos.described()]


@pytest.mark.parametrize("service", ["cyclades", "pithos"])
def test_a_document_is_valid_and_for_everybody(service: str) -> None:
    answer = Client().get(f"/{service}/openapi.json")
    assert answer["Cache-Control"] == "public, max-age=300"
    document = json.loads(answer.content)
    schemathesis.openapi.from_dict(document).validate()
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names)) > 20


def _ask(http: Http, service: str, route: Route, values: dict[str, str]) -> Any:
    path = re.sub(r"\{(\w+)\}", lambda part: values.get(part[1], "1"), route.path)
    return http.call(route.method, f"/{service}{path}", {})


@pytest.mark.django_db
@pytest.mark.parametrize(("service", "route"), ROUTES, ids=[f"{route.method} {service}{route.path}" for service, route in ROUTES])
def test_an_address_is_there_and_asks_who_comes(service: str, route: Route) -> None:
    user = make_user()
    values = {"account": user.uuid, "name": "image"}
    anonymous = _ask(Http(), service, route, values)
    assert (anonymous.status_code == 401) == (route.known.auth == "user"), anonymous.content
    known = _ask(Http(make_token(user)), service, route, values)
    assert known.status_code not in {401, 405, 500}, known.content
    body = b"" if known.streaming else known.content
    assert b"API endpoint not found" not in body
