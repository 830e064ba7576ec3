"""How many queries each call may cost, with few rows and with many: a list whose cost grows with its length fails.

Counted is the second of two equal calls, by an administrator or by whoever may: the first notes the use of the token.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from synnefo.astakos.api import openapi
from synnefo.astakos.models import User
from synnefo.astakos.services import app_credentials, ec2, memberships, tokens, users
from synnefo.astakos.services.app_credentials import Rule, Wish
from synnefo.common.describe import Route
from synnefo.common.settings import conf
from tests.integration.test_astakos_authorisation import SELF, _call, undone
from tests.support.identity_seeds import Seeds, make_project, seed

pytestmark = pytest.mark.django_db
MANY = 15
READS = [route for route in openapi.described() if route.method == "GET" and route.known.auth not in {"client", "bearer"} and "X-Auth-Key" not in route.known.headers]
BUDGETS = {
    "/identity/v2.0/users": 6,
    "/identity/v2.0/users/detail": 6,
    "/identity/v2.0/users/{user_id}": 6,
    "/admin/stats": 1,
    "/admin/stats/detail": 12,
    "/oauth2/jwks": 2,
    "/identity/v2.0/tokens/{secret}/endpoints": 3,
    "/identity/v2.0/tokens/{secret}": 2,
    "/identity/v2.0/tenants": 2,
    "/identity/v3/auth/tokens": 5,
    "/identity/v3/auth/catalog": 5,
    "/identity/v3/auth/projects": 2,
    "/identity/v3/auth/domains": 1,
    "/identity/v3/auth/system": 1,
    "/identity/v3/role_assignments": 4,
    "/identity/v3/users/{user_id}/projects": 3,
    "/identity/v3/users/{user_id}/groups": 2,
    "/identity/v3/users/{user_id}/application_credentials": 2,
    "/identity/v3/users/{user_id}/application_credentials/{credential_id}": 3,
    "/identity/v3/users/{user_id}/access_rules": 2,
    "/identity/v3/users/{user_id}/access_rules/{rule_id}": 2,
    "/identity/v3/users/{user_id}/credentials/OS-EC2": 2,
    "/identity/v3/users/{user_id}/credentials/OS-EC2/{access}": 3,
    "/identity/v3/users": 1,
    "/identity/v3/users/{user_id}": 1,
    "/identity/v3/projects": 2,
    "/identity/v3/groups": 2,
    "/identity/v3/domains": 1,
    "/identity/v3/roles": 2,
    "/identity/v3/services": 3,
    "/identity/v3/endpoints": 3,
    "/identity/v3/regions": 1,
    "/identity/v3/projects/{project_id}": 2,
    "/identity/v3/groups/{group_id}": 2,
    "/identity/v3/domains/{domain_id}": 1,
    "/identity/v3/roles/{role_id}": 2,
    "/identity/v3/services/{service_id}": 3,
    "/identity/v3/endpoints/{endpoint_id}": 3,
    "/identity/v3/regions/{region_id}": 1,
    "/account/v1.0/quotas": 6,
    "/account/v1.0/project_quotas": 6,
    "/account/v1.0/service_quotas": 3,
    "/account/v1.0/service_project_quotas": 3,
    "/account/v1.0/commissions": 2,
    "/account/v1.0/commissions/{serial}": 3,
    "/account/v1.0/service/users/{user_id}": 4,
    "/account/v1.0/authenticate": 2,
    "/account/v1.0/projects": 3,
    "/account/v1.0/projects/apps": 2,
    "/account/v1.0/projects/apps/{app_id}": 4,
    "/account/v1.0/projects/memberships": 3,
    "/account/v1.0/projects/memberships/{membership_id}": 4,
    "/account/v1.0/projects/{project_id}": 4,
    "/account/v1.0/projects/{project_id}/log": 4,
    "/account/v1.0/myaccount": 4,
    "/account/v1.0/myaccount/tokens": 2,
}
"""By path of the GET, with an empty cache of the catalog. What is not named costs nothing."""


@pytest.fixture(scope="module")
def seeds(django_db_setup: None, django_db_blocker: Any) -> Any:
    before = conf.override(ASTAKOS_ADMIN_API_ENABLED=True)
    with django_db_blocker.unblock(), undone():
        yield seed()
    conf.override(**before)


@pytest.fixture(scope="module")
def more(seeds: Seeds, few: dict[str, int]) -> Seeds:
    """Many of everything, and all of it this user's business; made after the few were counted."""
    user = User.objects.get(uuid=seeds.uuids[SELF])
    others = [users.create_user(f"number{number}@example.org") for number in range(MANY)]
    for number in range(MANY):
        make_project(user, f"project {number}", [user, *others[:3]])
    token = tokens.issue_named(user, "lists").token
    project = memberships.all_memberships(user)[0].project_id
    for number in range(MANY):
        tokens.issue_named(user, f"token {number}")
        app_credentials.create(token, Wish(name=f"credential {number}", access_rules=[Rule("", "image", "GET", f"/v2/{number}")]))
        ec2.create(token, project)
    return seeds


def _who(route: Route) -> str:
    if route.known.auth in {"component", "admin"}:
        return route.known.auth
    return SELF if not route.known.only or {"self", "member"} & set(route.known.only) else route.known.only[0]


def _read(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def _cost(route: Route, seeds: Seeds) -> int:
    cache.clear()
    with undone():
        first = _call(route, seeds, _who(route))
        assert first.status_code in {200, 404}, first.content
        _read(first)
        with CaptureQueriesContext(connection) as captured:
            _read(_call(route, seeds, _who(route)))
    return len([query for query in captured.captured_queries if "SAVEPOINT" not in query["sql"]])


@pytest.fixture(scope="module")
def few(seeds: Seeds) -> dict[str, int]:
    return {route.path: _cost(route, seeds) for route in READS}


@pytest.mark.parametrize("route", READS, ids=lambda route: route.path)
def test_the_cost_is_as_budgeted(route: Route, few: dict[str, int]) -> None:
    assert few[route.path] <= BUDGETS.get(route.path, 0)


@pytest.mark.parametrize("route", READS, ids=lambda route: route.path)
def test_the_cost_does_not_grow_with_the_rows(route: Route, few: dict[str, int], more: Seeds) -> None:
    """What a list fetches along with its rows may cost one more, once there are any."""
    assert _cost(route, more) <= few[route.path] + 1
