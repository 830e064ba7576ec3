"""Requests made from the OpenAPI document, good and bad, by every kind of caller, against a running server: each answer has
a status, a type and a shape that the document names, and none is a failure of the server.

Every operation gets EXAMPLES requests; `SYNNEFO_TEST_EXAMPLES=200` makes more than 20,000 in all. The server is on SQLite, or on
the empty database of `SYNNEFO_TEST_SITE_DATABASE_URL`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from requests import Session
from schemathesis import checks

from synnefo.astakos.api import openapi
from synnefo.common.openapi import document
from tests.conftest import ROOT
from tests.support.gunicorn import Site, running
from tests.support.identity_seeds import CLIENT_SECRET, SCRIPT

EXAMPLES = int(os.environ.get("SYNNEFO_TEST_EXAMPLES", "18"))
SCHEMA: Any = schemathesis.openapi.from_dict(document(openapi.described(), title="", version="1", server="http://127.0.0.1"))
SCHEMA.config.generation.update(modes=list(schemathesis.GenerationMode))
OPERATIONS = {f"{found.ok().method.upper()} {found.ok().path}": found.ok() for found in SCHEMA.get_all_operations()}
CHECKS = [checks.CHECKS.get_one(name) for name in (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance")]
CALLERS = {"component": ["component"], "caller": ["member", "component"], "none": ["", "member"]}
"""Who asks, by what the operation wants; strangers of all kinds ask too."""
STRANGERS = ["", "user", "component", "restricted", "suspended", "expired", "helpdesk", "admin"]
KEPT = {"DELETE /identity/v3/auth/tokens", "DELETE /account/v1.0/myaccount/tokens/{token_id}"}
"""What would take away the callers' own tokens is called with other names only."""


@dataclass
class Target:
    site: Site
    seeds: dict[str, Any]
    session: Session
    requests: int = 0


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    database = os.environ.get("SYNNEFO_TEST_SITE_DATABASE_URL")
    options = {"SYNNEFO_TRUSTED_PROXIES": '["127.0.0.1"]', **({"SYNNEFO_DATABASE_URL": database} if database else {})}
    with running(tmp_path_factory.mktemp("site"), workers=2, **options) as site, Session() as session:
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=site.environment | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        made = Target(site, json.loads(done.stdout.splitlines()[-1]), session)
        yield made
        print(f"{made.requests} requests")


@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_are_as_described(name: str, target: Target) -> None:
    operation = OPERATIONS[name]
    auth = next(route.known.auth for route in openapi.described() if f"{route.method} {route.path}" == name)
    callers = st.sampled_from(CALLERS.get(auth, ["member", "admin"]) * 8 + STRANGERS)

    @seed(1)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy() | operation.as_strategy(schemathesis.GenerationMode.NEGATIVE), caller=callers,
           is_known=st.booleans())
    def ask(case: Any, caller: str, is_known: bool) -> None:
        _call(target, case, caller, is_known=is_known and name not in KEPT)

    ask()


def _call(target: Target, case: Any, caller: str, *, is_known: bool) -> None:
    if is_known:
        for key in case.path_parameters or {}:
            case.path_parameters[key] = target.seeds["named"].get(key, case.path_parameters[key])
        if "X-Subject-Token" in (case.headers or {}):
            case.headers["X-Subject-Token"] = target.seeds["tokens"]["member"]
    headers = {"X-Forwarded-Proto": "https"}
    if caller:
        headers["X-Auth-Token"] = target.seeds["tokens"][caller]
    auth = ("client", CLIENT_SECRET) if is_known and "oauth2" in case.path else None
    target.requests += 1
    response = case.call(base_url=f"{target.site.url}/astakos", session=target.session, headers=headers, auth=auth)
    case.validate_response(response, checks=CHECKS)
