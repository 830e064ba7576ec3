"""What identity calls cost the database, and the catalog that costs nothing while it does not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from synnefo.astakos.adapters.identity import LocalIdentity
from synnefo.astakos.models import ApiToken, Component, Service
from synnefo.astakos.services import components, registry
from tests.support.identity import (
    ACCOUNT,
    CATALOG,
    PASSWORD,
    V2,
    V3,
    Http,
    make_token,
    make_user,
    register_catalog,
    v3_password,
    v3_token,
)
from tests.support.oauth2 import Browser, exchange, make_client

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def cost(call: Callable[[], Any]) -> int:
    """Queries of the second call: the first notes the token's use. Savepoints are the test's own."""
    answers = [call()]
    with CaptureQueriesContext(connection) as captured:
        answers.append(call())
    for answer in answers:
        assert getattr(answer, "status_code", 200) < 300, answer.content
    return len([query for query in captured.captured_queries if "SAVEPOINT" not in query["sql"]])


BUDGETS = {
    "port": 3, "v2 echo": 5, "v2 password": 12, "v2 public": 2, "v3 issue by password": 12, "v3 issue by token": 6, "v3 issue unscoped": 3,
    "v3 show": 5, "v3 show nocatalog": 3, "v3 show by a service": 7, "catalog": 5, "projects": 2, "tenants": 2, "oauth2 token": 3,
    "application credential": 7, "user_catalogs": 3, "rules": 2,
}


def _calls() -> dict[str, Callable[[], Any]]:
    service = register_catalog()["cyclades"]
    user = make_user(password=PASSWORD)
    secret = make_token(user)
    api, subject = Http(secret), {"X-Subject-Token": secret}
    make_client()
    access = exchange(Browser(user).code(scope="/u")).json()["access_token"]
    made = Http(Http().post(f"{V3}/auth/tokens", v3_token(secret)).headers["X-Subject-Token"]).post(
        f"{V3}/users/{user.uuid}/application_credentials", {"application_credential": {"name": "x"}}).json()["application_credential"]
    signed_in = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": {
        "id": made["id"], "secret": made["secret"]}}}}
    return {
        "port": lambda: LocalIdentity().authenticate(secret),
        "v2 echo": lambda: Http().post(f"{V2}/tokens", {"auth": {"token": {"id": secret}}}),
        "v2 password": lambda: Http().post(f"{V2}/tokens", {"auth": {"passwordCredentials": {"username": user.email, "password": PASSWORD}}}),
        "v2 public": lambda: Http().post(f"{V2}/tokens"),
        "v3 issue by password": lambda: Http().post(f"{V3}/auth/tokens", v3_password(user.email)),
        "v3 issue by token": lambda: Http().post(f"{V3}/auth/tokens", v3_token(secret)),
        "v3 issue unscoped": lambda: Http().post(f"{V3}/auth/tokens", v3_token(secret, "unscoped")),
        "v3 show": lambda: api.get(f"{V3}/auth/tokens", **subject),
        "v3 show nocatalog": lambda: api.get(f"{V3}/auth/tokens?nocatalog", **subject),
        "v3 show by a service": lambda: Http(service).get(f"{V3}/auth/tokens", **subject),
        "catalog": lambda: api.get(f"{V3}/auth/catalog"),
        "projects": lambda: api.get(f"{V3}/projects"),
        "tenants": lambda: api.get(f"{V2}/tenants"),
        "oauth2 token": lambda: Http().get(f"{V2}/tokens/{access}"),
        "application credential": lambda: Http().post(f"{V3}/auth/tokens", signed_in),
        "user_catalogs": lambda: api.post(f"{ACCOUNT}/user_catalogs", {"uuids": [user.uuid], "displaynames": [user.email]}),
        "rules": lambda: api.get(f"{V3}/users/{user.uuid}/access_rules"),
    }


@pytest.mark.parametrize("name", sorted(BUDGETS))
def test_calls_stay_within_their_budget(name: str) -> None:
    assert cost(_calls()[name]) == BUDGETS[name]


def test_the_cost_does_not_grow_with_tokens_and_services() -> None:
    calls = _calls()
    before = {name: cost(calls[name]) for name in ("v3 show", "v2 echo", "port")}
    user = ApiToken.objects.order_by("pk")[0].user
    for _ in range(20):
        make_token(user)
    for number in range(5):
        registry.import_services({f"extra{number}": {**CATALOG["cyclades_compute"], "type": f"extra{number}"}})
    assert {name: cost(calls[name]) for name in before} == before


def test_a_shared_cache_keeps_the_catalog_and_forgets_it_with_every_change(
    settings_override: Any, django_capture_on_commit_callbacks: Any,
) -> None:
    settings_override(CACHE_URL="redis://shared")
    with django_capture_on_commit_callbacks(execute=True):
        register_catalog()

    def types() -> set[str]:
        return {item["type"] for item in Http().post(f"{V2}/tokens").json()["access"]["serviceCatalog"]}

    assert types() == {"compute", "object-store"}
    assert cost(lambda: Http().post(f"{V2}/tokens")) == 0
    with django_capture_on_commit_callbacks(execute=True):
        registry.import_services({"new": {**CATALOG["cyclades_compute"], "type": "new"}})
    assert types() == {"compute", "object-store", "new"}
    with django_capture_on_commit_callbacks(execute=True):
        Service.objects.get(name="new").delete()
    assert types() == {"compute", "object-store"}
    with django_capture_on_commit_callbacks(execute=True):
        components.modify_component(Component.objects.get(name="cyclades").pk, ui_url="https://new.example.org")
    shown = Http().post(f"{V2}/tokens").json()["access"]["serviceCatalog"]
    assert shown[0]["endpoints"][0]["SNF:uiURL"] == "https://new.example.org"
    settings_override(ASTAKOS_ENDPOINT_CACHE_TIMEOUT=0)
    assert cost(lambda: Http().post(f"{V2}/tokens")) == 2


def test_weblogin_endpoints_say_so() -> None:
    register_catalog()
    registry.import_services({"astakos_weblogin": {
        "type": "astakos_weblogin", "component": "cyclades", "endpoints": [{"versionId": "", "publicURL": "https://id.example.org/weblogin"}]}})
    shown = {item["type"]: item["endpoints"][0] for item in Http().post(f"{V2}/tokens").json()["access"]["serviceCatalog"]}
    assert shown["astakos_weblogin"]["SNF:webloginURL"] == "https://id.example.org/weblogin"
    assert "SNF:webloginURL" not in shown["compute"]
