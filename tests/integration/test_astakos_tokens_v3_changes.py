"""Identity v3: what users and administrators change, paged lists, refusals of other writes, relayed questions, second factors."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.cache import cache
from django.utils import timezone

from synnefo.astakos.models import (
    ApiToken,
    AuditRecord,
    Group,
    MembershipState,
    Project,
    ProjectMembership,
    ProjectState,
    QueuedMail,
    User,
)
from synnefo.astakos.services import factors
from synnefo.astakos.services.user_changes import Changes, modify_user
from tests.support import commands
from tests.support.identity import (
    ACCOUNT,
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

pytestmark = pytest.mark.django_db
NEW = "a quite different one"


@pytest.fixture(autouse=True)
def _no_throttle() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def make_project(name: str, *members: User) -> Project:
    project = Project.objects.create(realname=name, state=ProjectState.ACTIVE, end_date=timezone.now() + datetime.timedelta(days=9))
    for user in members:
        ProjectMembership.objects.create(project=project, user=user, state=MembershipState.ACCEPTED, was_accepted=True)
    return project


def test_users_choose_their_default_project_and_nothing_else() -> None:
    user = make_user()
    project = make_project("lab", user)
    strange = make_project("other")
    api, path = Http(make_token(user)), f"{V3}/users/{user.uuid}"
    answer = api.call("PATCH", path, {"user": {"default_project_id": project.uuid}})
    assert (answer.status_code, answer.json()["user"]["default_project_id"]) == (200, project.uuid)
    assert Http().post(f"{V3}/auth/tokens", v3_token(api.token)).json()["token"]["project"]["id"] == project.uuid
    assert api.call("PATCH", path, {"user": {"default_project_id": strange.uuid}}).status_code in {403, 404}
    for field, value in (("enabled", False), ("password", NEW), ("email", "x@example.org"), ("name", "x@example.org")):
        assert api.call("PATCH", path, {"user": {field: value}}).status_code == 403, field
    for body in ({}, {"user": []}, {"user": {"enabled": "no"}}, []):
        assert api.call("PATCH", path, body).status_code == 400, body
    held = Http(make_token(user, project_id=user.uuid))
    assert held.call("PATCH", path, {"user": {"default_project_id": user.uuid}}).status_code == 403


def test_an_unusable_default_project_falls_back_to_the_users_own() -> None:
    user = make_user()
    project = make_project("lab", user)
    token = make_token(user)
    Http(token).call("PATCH", f"{V3}/users/{user.uuid}", {"user": {"default_project_id": project.uuid}})
    Project.objects.filter(pk=project.pk).update(state=ProjectState.SUSPENDED)
    assert Http().post(f"{V3}/auth/tokens", v3_token(token)).json()["token"]["project"]["id"] == user.uuid


def test_a_token_of_a_lost_project_is_unknown_at_once() -> None:
    user = make_user()
    project = make_project("lab", user)
    secret = Http().post(f"{V3}/auth/tokens", v3_token(make_token(user), {"project": {"id": project.uuid}})).headers["X-Subject-Token"]
    api = Http(make_token(user))
    assert api.get(f"{V3}/auth/tokens", **{"X-Subject-Token": secret}).status_code == 200
    ProjectMembership.objects.filter(project=project).update(state=MembershipState.REMOVED)
    assert api.get(f"{V3}/auth/tokens", **{"X-Subject-Token": secret}).status_code == 404
    assert Http().post(f"{V2}/tokens", {"auth": {"token": {"id": secret}}}).status_code == 401
    assert Http(secret).get(f"{V3}/auth/catalog").status_code == 401


def test_administrators_change_accounts() -> None:
    user, admin = make_user(), make_user("root@example.org", is_admin=True)
    api, path = Http(make_token(admin)), f"{V3}/users/{user.uuid}"
    changed = api.call("PATCH", path, {"user": {"enabled": False, "email": "New@example.org", "password": NEW}})
    assert changed.status_code == 200, changed.content
    assert (changed.json()["user"]["enabled"], changed.json()["user"]["name"]) == (False, "new@example.org")
    assert api.call("PATCH", path, {"user": {"enabled": True, "name": "new@example.org"}}).json()["user"]["enabled"] is True
    assert Http().post(f"{V3}/auth/tokens", v3_password("new@example.org", NEW)).status_code == 201
    assert api.call("PATCH", path, {"user": {"name": "a@example.org", "email": "b@example.org"}}).status_code == 400
    assert api.call("PATCH", path, {"user": {"email": "root@example.org"}}).status_code == 409
    assert api.call("PATCH", f"{V3}/users/{'0' * 36}", {"user": {"enabled": True}}).status_code == 404
    assert Http(make_token(user)).call("PATCH", f"{V3}/users/{admin.uuid}", {"user": {"enabled": False}}).status_code == 403


def test_users_change_their_password() -> None:
    user = make_user(password=PASSWORD)
    issued = Http().post(f"{V3}/auth/tokens", v3_password("ann@example.org")).headers["X-Subject-Token"]
    api, path = Http(make_token(user)), f"{V3}/users/{user.uuid}/password"

    def change(old: str, new: str) -> int:
        return int(api.post(path, {"user": {"password": new, "original_password": old}}).status_code)

    assert change("wrong password", NEW) == 401
    assert change(PASSWORD, "short") == 400
    assert change(PASSWORD, NEW) == 204
    assert Http(issued).get(f"{V3}/auth/catalog").status_code == 401
    assert Http().post(f"{V3}/auth/tokens", v3_password("ann@example.org", NEW)).status_code == 201
    assert AuditRecord.objects.filter(event="password.changed", target=user.uuid).count() == 1
    assert "password" in QueuedMail.objects.get().body
    assert api.post(path, {"user": {"password": NEW}}).status_code == 400
    other = make_user("bob@example.org")
    assert Http(make_token(other)).post(path, {"user": {"password": NEW, "original_password": NEW}}).status_code == 403
    own = f"{V3}/users/{other.uuid}/password"
    assert Http(make_token(other)).post(own, {"user": {"password": NEW, "original_password": NEW}}).status_code == 403


def test_guessing_the_present_password_is_slowed_down() -> None:
    user = make_user(password=PASSWORD)
    api = Http(make_token(user))
    body = {"user": {"password": NEW, "original_password": "wrong password"}}
    statuses = [api.post(f"{V3}/users/{user.uuid}/password", body).status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]


def test_lists_come_in_pages() -> None:
    user = make_user()
    projects = [make_project(f"p{number}", user) for number in range(4)]
    api = Http(make_token(user))
    wanted, seen, path = {user.uuid, *(item.uuid for item in projects)}, [], "/astakos/identity/v3/projects?limit=2"
    while path:
        page = api.get(path).json()
        seen += [item["id"] for item in page["projects"]]
        path = (page["links"]["next"] or "").removeprefix("http://testserver")
    assert (len(seen), set(seen)) == (5, wanted)
    assert [item["name"] for item in api.get(f"{V3}/projects?name=p2").json()["projects"]] == ["p2"]
    assert api.get(f"{V3}/projects?enabled=false").json()["projects"] == []
    assert api.get(f"{V3}/projects?limit=x").status_code == 400
    admin = Http(make_token(make_user("root@example.org", is_admin=True)))
    closed = make_user("bob@example.org")
    modify_user(closed.user_id, Changes(active=False))
    assert [item["id"] for item in admin.get(f"{V3}/users?enabled=false").json()["users"]] == [closed.uuid]
    page = admin.get(f"{V3}/users?limit=2").json()
    assert len(page["users"]) == 2
    rest = admin.get(page["links"]["next"].removeprefix("http://testserver")).json()
    assert len(rest["users"]) == 1


def test_groups_and_assignments() -> None:
    user = make_user()
    group = Group.objects.create(name="ops")
    Group.objects.create(name="strange")
    user.groups.add(group)
    api, admin = Http(make_token(user)), Http(make_token(make_user("root@example.org", is_admin=True)))
    assert [item["name"] for item in api.get(f"{V3}/groups").json()["groups"]] == ["ops"]
    assert api.get(f"{V3}/groups/{group.pk}").json()["group"]["name"] == "ops"
    assert {"ops", "strange"} <= {item["name"] for item in admin.get(f"{V3}/groups").json()["groups"]}
    path = f"{V3}/role_assignments?user.id={user.uuid}&include_names"
    for reader in (api, admin):
        assert {item["role"]["name"] for item in reader.get(path).json()["role_assignments"]} == {"member", "ops"}
    assert Http(make_token(make_user("bob@example.org"))).get(path).status_code == 403


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "projects"), ("PATCH", "projects/x"), ("DELETE", "projects/x"), ("POST", "roles"), ("DELETE", "roles/member"), ("POST", "domains"),
    ("PATCH", "domains/default"), ("POST", "groups"), ("DELETE", "groups/1"), ("POST", "services"), ("DELETE", "services/x"), ("POST", "endpoints"),
    ("PATCH", "endpoints/x"), ("POST", "users"), ("DELETE", "users/x"), ("PUT", "projects/p/users/u/roles/r"), ("DELETE", "projects/p/groups/g/roles/r"),
])
def test_other_writes_are_refused_with_words(method: str, path: str) -> None:
    api = Http(make_token(make_user("root@example.org", is_admin=True)))
    answer = api.call(method, f"{V3}/{path}", {})
    assert (answer.status_code, "snf-manage" in answer.json()["error"]["message"]) == (403, True)
    assert Http().call(method, f"{V3}/{path}", {}).status_code == 401


def test_a_service_beside_the_user_may_ask_for_expired_tokens() -> None:
    service = register_catalog()["cyclades"]
    user = make_user()
    old, mine = make_token(user), make_token(make_user("bob@example.org"))
    ApiToken.objects.filter(user=user).update(expires_at=timezone.now() - datetime.timedelta(hours=1))
    path, headers = f"{V3}/auth/tokens?allow_expired=1", {"X-Subject-Token": old}
    assert Http(service).get(path, **headers).status_code == 200
    assert Http(service).get(f"{V3}/auth/tokens?allow_expired=0", **headers).status_code == 404
    assert Http(mine).get(path, **headers).status_code in {403, 404}
    assert Http(mine).get(path, **headers, **{"X-Service-Token": service}).status_code == 200
    assert Http(mine).get(path, **headers, **{"X-Service-Token": "wrong"}).status_code == 401
    ApiToken.objects.filter(user=user).update(expires_at=timezone.now() - datetime.timedelta(hours=49))
    assert Http(service).get(path, **headers).status_code == 404


def test_the_services_word_for_where_the_user_is(settings_override: Any) -> None:
    user = make_user()
    token = make_token(user)
    body = {"auth": {"token": {"id": token}}}
    Http().post(f"{V2}/tokens", body, **{"X-Client-IP": "203.0.113.9"})
    assert ApiToken.objects.get().last_used_ip == "127.0.0.1"
    ApiToken.objects.update(last_used_at=None)
    settings_override(TRUSTED_PROXIES=["127.0.0.1"])
    Http().post(f"{V2}/tokens", body, **{"X-Client-IP": "203.0.113.9"})
    assert ApiToken.objects.get().last_used_ip == "203.0.113.9"


class OneCode:
    """A second factor for one user: the code 123456."""

    def __init__(self, user: User) -> None:
        self.user = user

    def needed(self, user: User) -> bool:
        return user.pk == self.user.pk

    def verify_totp(self, user: User, passcode: str) -> bool:
        return user.pk == self.user.pk and passcode == "123456"


@pytest.fixture
def guarded() -> Iterator[User]:
    user = make_user(password=PASSWORD)
    before = factors.use(OneCode(user))
    yield user
    factors.use(before)


def totp(user: User, passcode: str = "123456", *, with_password: bool = False) -> dict[str, Any]:
    identity: dict[str, Any] = {"methods": ["totp"], "totp": {"user": {"id": user.uuid, "passcode": passcode}}}
    if with_password:
        identity["methods"] = ["totp", "password"]
        identity["password"] = {"user": {"id": user.uuid, "password": PASSWORD}}
    return {"auth": {"identity": identity}}


def test_a_password_alone_gives_a_receipt_that_stands_for_it(guarded: User) -> None:
    answer = Http().post(f"{V3}/auth/tokens", v3_password("ann@example.org"))
    assert answer.status_code == 401
    receipt = answer.headers["Openstack-Auth-Receipt"]
    assert answer.json()["receipt"]["methods"] == ["password"]
    assert answer.json()["required_auth_methods"] == [["password", "totp"]]
    assert ApiToken.objects.count() == 0
    done = Http().post(f"{V3}/auth/tokens", totp(guarded), **{"Openstack-Auth-Receipt": receipt})
    assert (done.status_code, done.json()["token"]["methods"]) == (201, ["password", "totp"])
    for body, headers in ((totp(guarded), {}), (totp(guarded), {"Openstack-Auth-Receipt": "x" * 3000}),
                          (totp(guarded, "000000"), {"Openstack-Auth-Receipt": receipt})):
        assert Http().post(f"{V3}/auth/tokens", body, **headers).status_code == 401
    modify_user(guarded.user_id, Changes(password=NEW))
    assert Http().post(f"{V3}/auth/tokens", totp(guarded), **{"Openstack-Auth-Receipt": receipt}).status_code == 401


def test_both_factors_at_once_and_the_ways_that_need_none(guarded: User) -> None:
    assert Http().post(f"{V3}/auth/tokens", totp(guarded, with_password=True)).status_code == 201
    assert Http().post(f"{V3}/auth/tokens", totp(guarded, "000000", with_password=True)).status_code == 401
    token = make_token(guarded)
    assert Http().post(f"{V3}/auth/tokens", v3_token(token)).status_code == 201
    assert Http().post(f"{V3}/auth/tokens", v3_password("ann@example.org", token)).status_code == 201
    old = {"auth": {"passwordCredentials": {"username": "ann@example.org", "password": PASSWORD}}}
    assert Http().post(f"{V2}/tokens", old).status_code == 401
    assert Http().get("/astakos/auth/v1.0", **{"X-Auth-User": "ann@example.org", "X-Auth-Key": PASSWORD}).status_code == 401
    other = make_user("bob@example.org", password=PASSWORD)
    assert Http().post(f"{V3}/auth/tokens", v3_password("bob@example.org")).status_code == 201
    receipt = Http().post(f"{V3}/auth/tokens", v3_password("ann@example.org")).headers["Openstack-Auth-Receipt"]
    assert Http().post(f"{V3}/auth/tokens", totp(other), **{"Openstack-Auth-Receipt": receipt}).status_code == 401


@pytest.mark.parametrize("block", [None, {}, {"user": {}}, {"user": {"id": "x"}}, {"user": {"passcode": "1"}}, {"user": {"id": 1, "passcode": "1"}}])
def test_malformed_passcodes(guarded: User, block: Any) -> None:
    receipt = Http().post(f"{V3}/auth/tokens", v3_password("ann@example.org")).headers["Openstack-Auth-Receipt"]
    body = {"auth": {"identity": {"methods": ["totp"], "totp": block}}}
    assert Http().post(f"{V3}/auth/tokens", body, **{"Openstack-Auth-Receipt": receipt}).status_code == 400


def test_refusals_of_v2_come_in_xml_too() -> None:
    body = {"auth": {"token": {"id": "x"}}}
    for path, headers in ((f"{V2}/tokens?format=xml", {}), (f"{V2}/tokens.xml", {}), (f"{V2}/tokens", {"Accept": "application/xml"})):
        answer = Http().post(path, body, **headers)
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/xml; charset=UTF-8")
        root = ElementTree.fromstring(answer.content)
        assert root.tag.endswith("}unauthorized")
        assert (root.get("code"), root[0].text) == ("401", "Invalid token")
    bad = Http().post(f"{V2}/tokens?format=xml", {"auth": {"token": {"id": 7}}})
    assert ElementTree.fromstring(bad.content).tag.endswith("}badRequest")
    assert Http().post(f"{V2}/tokens", body).json()["unauthorized"]["code"] == 401
    typed = Http().client.post(f"{V2}/tokens", "<auth/>", content_type="application/xml")
    assert (typed.status_code, typed.json()["badRequest"]["message"]) == (400, "Unsupported Content-type: 'application/xml'")


def test_nobody_gathers_all_addresses(settings_override: Any) -> None:
    settings_override(ASTAKOS_CATALOG_A_MINUTE=150)
    api, service = Http(make_token(make_user())), Http(register_catalog()["cyclades"])
    body = {"uuids": ["x"] * 100}
    assert api.post(f"{ACCOUNT}/user_catalogs", body).status_code == 200
    slow = api.post(f"{ACCOUNT}/user_catalogs", body)
    assert (slow.status_code, slow.headers["Retry-After"]) == (429, "60")
    assert service.post(f"{ACCOUNT}/service/user_catalogs", body).status_code == 200
    assert Http(make_token(make_user("bob@example.org"))).post(f"{ACCOUNT}/user_catalogs", body).status_code == 200


def test_an_account_tells_its_methods_and_whether_it_has_a_second_factor(guarded: User) -> None:
    shown = Http(make_token(guarded)).get(f"{ACCOUNT}/myaccount").json()
    assert (shown["two_factor"], shown["auth_providers"]) == (True, [{"module": "local", "identifier": "ann@example.org", "last_login": None}])
    assert Http(make_token(make_user("bob@example.org"))).get(f"{ACCOUNT}/myaccount").json()["auth_providers"] == []


def test_lasting_tokens_leave_a_trace_and_short_ones_do_not() -> None:
    user = make_user()
    api = Http(make_token(user))
    made = api.post(f"{ACCOUNT}/myaccount/tokens", {"name": "laptop"}).json()["token"]
    short = Http().post(f"{V3}/auth/tokens", v3_token(api.token)).headers["X-Subject-Token"]
    api.call("DELETE", f"{V3}/auth/tokens", **{"X-Subject-Token": short})
    assert api.call("DELETE", f"{ACCOUNT}/myaccount/tokens/{made['id']}").status_code == 204
    by_operator = commands.run("token-add", user.email, "--name", "help", "--output-format", "json").json()
    assert commands.run("token-revoke", "--yes", str(by_operator["id"])).code == 0
    found = AuditRecord.objects.filter(event__startswith="token.", target=user.uuid).order_by("pk")
    assert [(item.event, item.actor, item.details["name"]) for item in found] == [
        ("token.created", user.uuid, "test"), ("token.created", user.uuid, "laptop"), ("token.revoked", user.uuid, "laptop"),
        ("token.created", "operator", "help"), ("token.revoked", "operator", "help")]
    assert made["value"] not in str([item.details for item in found])


def test_a_policy_against_passwords_holds_at_the_apis_too(settings_override: Any) -> None:
    user = make_user(password=PASSWORD)
    settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_LOGIN_POLICY=False)
    old = {"auth": {"passwordCredentials": {"username": user.email, "password": PASSWORD}}}
    assert Http().post(f"{V3}/auth/tokens", v3_password(user.email)).status_code == 401
    assert Http().post(f"{V2}/tokens", old).status_code == 401
    token = make_token(user)
    assert Http().post(f"{V3}/auth/tokens", v3_password(user.email, token)).status_code == 201
    change = {"user": {"password": NEW, "original_password": PASSWORD}}
    assert Http(token).post(f"{V3}/users/{user.uuid}/password", change).status_code == 403
    settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_LOGIN_POLICY=True)
    assert Http().post(f"{V3}/auth/tokens", v3_password(user.email)).status_code == 201
    user.login_methods.update(active=False)
    assert Http().post(f"{V3}/auth/tokens", v3_password(user.email)).status_code == 401
