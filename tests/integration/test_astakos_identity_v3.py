"""Identity v3 over HTTP: discovery, tokens and their scopes, catalog, lists, and what bad requests get."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from synnefo.astakos.models import ApiToken
from synnefo.astakos.services import tokens, users
from tests.support.identity import (
    PASSWORD,
    V3,
    Http,
    make_token,
    make_user,
    register_catalog,
    v3_password,
    v3_token,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_throttle() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def _login(login: str = "ann@example.org", password: str = PASSWORD, scope: Any = None) -> Any:
    return Http().post(f"{V3}/auth/tokens", v3_password(login, password, scope))


def test_discovery_needs_no_token_and_ignores_the_host_header() -> None:
    for path in (V3, f"{V3}/"):
        response = Http().get(path, Host="evil.example.org")
        version = response.json()["version"]
        assert (version["id"], version["status"]) == ("v3.14", "stable")
        assert version["links"] == [{"rel": "self", "href": "http://testserver/astakos/identity/v3/"}]
    both = Http().get("/astakos/identity/").json()["versions"]["values"]
    assert [item["id"] for item in both] == ["v3.14", "v2.0"]
    assert Http().post("/astakos/identity/").status_code == 405


def test_a_password_login_gives_what_clients_read() -> None:
    register_catalog()
    user = make_user(password=PASSWORD, first_name="Ann", last_name="Lee")
    response = _login("ANN@example.org")
    assert response.status_code == 201
    secret, token = response.headers["X-Subject-Token"], response.json()["token"]
    assert len(secret) >= 43
    assert "|" not in secret
    assert token["methods"] == ["password"]
    assert token["user"] == {"id": user.uuid, "name": "ann@example.org", "password_expires_at": None,
                             "domain": {"id": "default", "name": "Default"}}
    assert token["project"] == {"id": user.uuid, "name": f"system:{user.uuid}",
                                "domain": {"id": "default", "name": "Default"}}
    assert token["roles"] == [{"id": "member", "name": "member"}]
    assert token["issued_at"].endswith("Z")
    assert len(token["audit_ids"]) == 1
    urls = {entry["type"]: entry["endpoints"][0]["url"] for entry in token["catalog"]}
    assert urls == {"compute": "http://testserver/cyclades/compute/v2.1",
                    "object-store": f"http://testserver/pithos/swift/v1/AUTH_{user.uuid}"}
    endpoint = token["catalog"][0]["endpoints"][0]
    assert set(endpoint) == {"id", "interface", "region", "region_id", "url"}
    assert (endpoint["interface"], endpoint["region"], endpoint["region_id"]) == ("public", "default", "default")


def test_only_the_hash_of_a_token_is_stored() -> None:
    make_user(password=PASSWORD)
    secret = _login().headers["X-Subject-Token"]
    row = ApiToken.objects.values().get()
    assert secret not in str(row)


def test_catalog_ids_do_not_change_when_services_are_registered_again() -> None:
    user = make_user()
    register_catalog()
    api = Http(make_token(user))
    before = api.get(f"{V3}/auth/catalog").json()["catalog"]
    from synnefo.astakos.services import registry
    from tests.support.identity import CATALOG

    registry.import_services(CATALOG)
    assert api.get(f"{V3}/auth/catalog").json()["catalog"] == before


@pytest.mark.parametrize(("login", "password"), [
    ("ann@example.org", "wrong password"), ("nobody@example.org", PASSWORD), ("ann@example.org", ""), ("\N{SNOWMAN}", "x"),
    ("00000000-0000-0000-0000-000000000000", PASSWORD), ("x" * 255, "x" * 1024),
])
def test_wrong_credentials_are_one_and_the_same_refusal(login: str, password: str) -> None:
    make_user(password=PASSWORD)
    response = _login(login, password)
    assert response.status_code == 401
    assert response.json() == {"error": {"code": 401, "title": "Unauthorized", "message": "Invalid token"}}
    assert response.headers["WWW-Authenticate"] == 'Keystone uri="http://testserver/astakos/identity"'
    assert ApiToken.objects.count() == 0


def test_many_wrong_passwords_make_the_next_one_wait_even_if_it_is_right() -> None:
    make_user(password=PASSWORD)
    for _ in range(3):
        assert _login(password="wrong password").status_code == 401
    response = _login()
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) >= 1
    assert response.json()["error"]["title"] == "Too Many Requests"
    make_user("bob@example.org", password=PASSWORD)
    assert _login("bob@example.org").status_code == 201


def test_a_success_forgets_earlier_failures() -> None:
    make_user(password=PASSWORD)
    for _ in range(2):
        for _ in range(2):
            assert _login(password="wrong password").status_code == 401
        assert _login().status_code == 201


_BAD_BODIES: list[Any] = [
    {}, [], "text", 3, None, {"auth": None}, {"auth": []}, {"auth": {"identity": {}}},
    {"auth": {"identity": {"methods": []}}}, {"auth": {"identity": {"methods": "password"}}},
    {"auth": {"identity": {"methods": ["password"]}}}, {"auth": {"identity": {"methods": ["magic"]}}},
    {"auth": {"identity": {"methods": ["token"], "token": {"id": 7}}}},
    {"auth": {"identity": {"methods": ["token"], "token": "x"}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"password": "x"}}}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": ["a"], "password": "x"}}}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "a\u0000b", "password": "x"}}}}},
    b'{"auth": "\\ud800"}', b"{", b"\xff\xfe", b"[" * 100_000, b'{"auth": {"identity": ' + b"1" * 5000 + b"}}",
    v3_password("ann@example.org", scope="everything"), v3_password("ann@example.org", scope={"project": {}}),
    v3_password("ann@example.org", scope={"project": {"id": {"a": 1}}}),
]


@pytest.mark.parametrize("body", _BAD_BODIES, ids=range(len(_BAD_BODIES)))
def test_malformed_logins_are_bad_requests(body: Any) -> None:
    response = Http().post(f"{V3}/auth/tokens", body if body is not None else b"null")
    assert response.status_code == 400, response.content
    assert response.json()["error"]["code"] == 400


def test_a_body_must_say_that_it_is_json() -> None:
    response = Http().client.post(f"{V3}/auth/tokens", "{}", content_type="text/xml")
    assert (response.status_code, response.json()["error"]["message"]) == (400, "Unsupported Content-type: 'text/xml'")
    assert Http().post(f"{V3}/auth/tokens", b'{"a": "' + b"x" * 3_000_000 + b'"}').status_code == 413


@pytest.mark.parametrize("scope", [
    {"project": {"id": "00000000-0000-0000-0000-000000000000"}}, {"project": {"name": "other"}},
    {"project": {"name": "x", "domain": {"id": "foreign"}}}, {"domain": {"id": "default"}}, {"system": {"all": True}},
    {"OS-TRUST:trust": {"id": "x"}},
])
def test_scopes_nobody_has_are_unauthorized(scope: Any) -> None:
    user = make_user()
    assert Http().post(f"{V3}/auth/tokens", v3_token(make_token(user), scope)).status_code == 401


def test_a_strangers_project_is_refused() -> None:
    stranger = make_user("bob@example.org")
    token = make_token(make_user())
    assert Http().post(f"{V3}/auth/tokens", v3_token(token, {"project": {"id": stranger.uuid}})).status_code == 401


@pytest.mark.parametrize("scope", ["unscoped", {"unscoped": {}}])
def test_an_unscoped_token_has_neither_project_nor_catalog_but_can_be_scoped(scope: Any) -> None:
    user = make_user()
    response = Http().post(f"{V3}/auth/tokens", v3_token(make_token(user), scope))
    token = response.json()["token"]
    assert not {"project", "roles", "catalog"} & set(token)
    unscoped = Http(response.headers["X-Subject-Token"])
    assert [item["id"] for item in unscoped.get(f"{V3}/auth/projects").json()["projects"]] == [user.uuid]
    assert unscoped.get(f"{V3}/auth/catalog").status_code == 403
    scoped = unscoped.post(f"{V3}/auth/tokens", v3_token(unscoped.token, {"project": {"name": f"system:{user.uuid}"}}))
    assert scoped.json()["token"]["project"]["id"] == user.uuid
    assert scoped.json()["token"]["methods"] == ["token"]
    assert scoped.json()["token"]["audit_ids"][1:] == token["audit_ids"][:1]


def test_a_token_made_from_a_token_does_not_live_longer() -> None:
    user = make_user()
    source = make_token(user, days=0.01)
    expires = Http().post(f"{V3}/auth/tokens", v3_token(source)).json()["token"]["expires_at"]
    assert expires == ApiToken.objects.get(kind="named").expires_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_show_check_and_revoke_a_token() -> None:
    user = make_user()
    api, subject = Http(make_token(user)), make_token(user)
    shown = api.get(f"{V3}/auth/tokens", **{"X-Subject-Token": subject})
    assert (shown.status_code, shown.headers["X-Subject-Token"]) == (200, subject)
    assert shown.json()["token"]["user"]["id"] == user.uuid
    assert "catalog" not in api.get(f"{V3}/auth/tokens?nocatalog", **{"X-Subject-Token": subject}).json()["token"]
    head = api.call("HEAD", f"{V3}/auth/tokens", **{"X-Subject-Token": subject})
    assert (head.status_code, head.content) == (200, b"")
    assert api.call("DELETE", f"{V3}/auth/tokens", **{"X-Subject-Token": subject}).status_code == 204
    assert api.get(f"{V3}/auth/tokens", **{"X-Subject-Token": subject}).status_code == 404
    assert Http(subject).get(f"{V3}/auth/projects").status_code == 401


def test_an_account_always_has_a_primary_token() -> None:
    user = make_user()
    primary = tokens.renew_primary(user.user_id).secret
    assert Http(primary).call("DELETE", f"{V3}/auth/tokens", **{"X-Subject-Token": primary}).status_code == 204
    assert Http(primary).get(f"{V3}/auth/projects").status_code == 401
    new = tokens.primary_of(user)
    assert new is not None
    assert Http(tokens.shown_secret(new)).get(f"{V3}/auth/projects").status_code == 200


def test_who_may_look_at_a_token() -> None:
    component = register_catalog()["cyclades"]
    subject = make_token(make_user())
    stranger = make_token(make_user("bob@example.org"))
    trusted = make_token(make_user("op@example.org", groups=["admin-api"]))
    url, header = f"{V3}/auth/tokens", {"X-Subject-Token": subject}
    assert Http().get(url, **header).status_code == 401
    assert Http("unknown").get(url, **header).status_code == 401
    assert Http(stranger).get(url, **header).status_code == 403
    assert Http(stranger).call("DELETE", url, **header).status_code == 403
    assert Http(trusted).get(url, **header).status_code == 200
    assert Http(component).get(url, **header).status_code == 200
    assert Http(component).get(url).status_code == 400
    assert Http(component).get(url, **{"X-Subject-Token": component}).status_code == 404


def test_services_alone_may_ask_what_an_expired_token_was() -> None:
    component = register_catalog()["cyclades"]
    user = make_user()
    caller, subject = make_token(user), make_token(user)
    ApiToken.objects.filter(prefix=subject[:6]).update(expires_at=timezone.now() - datetime.timedelta(hours=1))
    url, header = f"{V3}/auth/tokens?allow_expired=1", {"X-Subject-Token": subject}
    assert Http(component).get(url, **header).status_code == 200
    assert Http(component).get(f"{V3}/auth/tokens", **header).status_code == 404
    assert Http(caller).get(url, **header).status_code == 404


def test_closing_an_account_ends_its_tokens() -> None:
    user = make_user(password=PASSWORD)
    named, issued = make_token(user), _login().headers["X-Subject-Token"]
    from synnefo.astakos.services.user_changes import Changes, modify_user

    modify_user(user.user_id, Changes(active=False))
    for token in (named, issued):
        response = Http(token).get(f"{V3}/auth/projects")
        assert (response.status_code, response.json()["error"]["message"]) in {
            (401, "User inactive"), (401, "Invalid X-Auth-Token")}
    assert _login().status_code == 401
    modify_user(user.user_id, Changes(active=True))
    assert Http(named).get(f"{V3}/auth/projects").status_code == 200
    assert Http(issued).get(f"{V3}/auth/projects").status_code == 401


def test_a_restricted_token_makes_only_restricted_tokens(admin_api: Http) -> None:
    user = users.get_user("root@example.org")
    restricted = make_token(user, roles=["member"])
    made = Http().post(f"{V3}/auth/tokens", v3_token(restricted)).headers["X-Subject-Token"]
    for token in (restricted, made):
        assert Http(token).get(f"{V3}/users").status_code == 403
        assert Http(token).get("/astakos/account/v1.0/myaccount/tokens").status_code == 403
    assert admin_api.get(f"{V3}/users").status_code == 200


@pytest.fixture
def admin_api() -> Http:
    return Http(make_token(make_user("root@example.org", is_admin=True)))


def test_projects_by_id_and_name() -> None:
    user, stranger = make_user(), make_user("bob@example.org")
    api = Http(make_token(user))
    project = api.get(f"{V3}/projects/{user.uuid}").json()["project"]
    assert (project["id"], project["domain_id"], project["enabled"]) == (user.uuid, "default", True)
    assert api.get(f"{V3}/projects?name=system:{user.uuid}").json()["projects"] == [project]
    assert api.get(f"{V3}/projects?name=none").json()["projects"] == []
    for missing in (stranger.uuid, f"system:{user.uuid}", "%00", "é"):
        assert api.get(f"{V3}/projects/{missing}").status_code == 404


def test_administrators_list_users_in_pages_and_others_see_themselves(admin_api: Http) -> None:
    ann = make_user()
    api = Http(make_token(ann))
    first = admin_api.get(f"{V3}/users?limit=1").json()["users"]
    rest = admin_api.get(f"{V3}/users?marker={first[0]['id']}").json()["users"]
    assert sorted(user["name"] for user in first + rest) == ["ann@example.org", "root@example.org"]
    assert admin_api.get(f"{V3}/users?name=ann@example.org%00").status_code == 200
    assert admin_api.get(f"{V3}/users?limit=x").status_code == 400
    assert api.get(f"{V3}/users").status_code == 403
    assert [user["id"] for user in api.get(f"{V3}/users?name=ann@example.org").json()["users"]] == [ann.uuid]
    assert api.get(f"{V3}/users/{first[0]['id'] if first[0]['id'] != ann.uuid else rest[0]['id']}").status_code == 403
    assert admin_api.get(f"{V3}/users/{ann.uuid}").json()["user"]["email"] == "ann@example.org"
    assert admin_api.get(f"{V3}/users/nobody%00").status_code == 404


@pytest.mark.parametrize(("path", "key", "count"), [
    ("domains", "domains", 1), ("roles", "roles", 1), ("regions", "regions", 1), ("services", "services", 2),
    ("endpoints", "endpoints", 2), ("auth/domains", "domains", 1), ("auth/system", "system", 0),
    ("role_assignments", "role_assignments", 1), ("services?type=compute", "services", 1),
    ("endpoints?interface=admin", "endpoints", 0), ("domains?name=other", "domains", 0),
])
def test_lists(path: str, key: str, count: int) -> None:
    register_catalog()
    api = Http(make_token(make_user()))
    found = api.get(f"{V3}/{path}").json()[key]
    assert len(found) == count
    if found and "id" in found[0] and "auth/" not in path:
        one = api.get(f"{V3}/{path.split('?')[0]}/{found[0]['id']}")
        assert next(iter(one.json().values()))["id"] == found[0]["id"]


@pytest.mark.parametrize(("method", "path", "status"), [
    ("POST", "projects", 403), ("DELETE", "projects/x", 403), ("PATCH", "users/x", 403), ("PUT", "roles/x", 403),
    ("GET", "nothing", 404), ("POST", "nothing/else", 404), ("PUT", "auth/tokens", 405), ("POST", "auth/catalog", 405),
    ("GET", "domains/other", 404), ("GET", "services/x", 404), ("GET", "users/%ff", 403),
])
def test_what_is_not_offered(method: str, path: str, status: int) -> None:
    response = Http(make_token(make_user())).call(method, f"{V3}/{path}")
    assert (response.status_code, response.json()["error"]["code"]) == (status, status)
    assert response.headers["Cache-Control"] == "no-cache, no-store, must-revalidate"
    assert "X-Auth-Token" in response.headers["Vary"]


@pytest.mark.parametrize("path", ["auth/projects", "auth/catalog", "projects", "users", "domains", "roles", "services",
                                  "endpoints", "regions", "role_assignments", "users/x/groups"])
def test_nothing_is_shown_without_a_token_or_to_a_service(path: str) -> None:
    component = register_catalog()["cyclades"]
    for token in ("", "unknown", component, "x" * 300):
        assert Http(token).get(f"{V3}/{path}").status_code == 401


def test_queries_of_a_login_are_bounded(django_assert_max_num_queries: Any) -> None:
    register_catalog()
    token = make_token(make_user(groups=["a", "b"]))
    Http().post(f"{V3}/auth/tokens", v3_token(token))
    with django_assert_max_num_queries(6):  # token, projects, insert, groups, services, endpoints
        assert Http().post(f"{V3}/auth/tokens", v3_token(token)).status_code == 201
