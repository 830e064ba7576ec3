"""Application credentials: made, shown, used, held to project, roles and rules, and gone with everything they gave."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from synnefo.astakos.models import ApiToken, AppCredential, AuditRecord, Group, QueuedMail
from synnefo.astakos.services import users
from synnefo.common import access
from synnefo.common.ports import AccessRule
from tests.support.identity import ACCOUNT, V2, V3, Http, make_token, make_user, register_catalog, v3_token

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_throttle() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


class Owner:
    """A user who makes credentials with a token that is scoped to his own project."""

    def __init__(self, email: str = "ann@example.org") -> None:
        self.user = make_user(email)
        self.api = Http(scoped(make_token(self.user)))
        self.path = f"{V3}/users/{self.user.uuid}/application_credentials"

    def make(self, name: str = "robot", **fields: Any) -> Any:
        return self.api.post(self.path, {"application_credential": {"name": name, **fields}})

    def made(self, name: str = "robot", **fields: Any) -> dict[str, Any]:
        response = self.make(name, **fields)
        assert response.status_code == 201, response.content
        found: dict[str, Any] = response.json()["application_credential"]
        return found


def scoped(token: str) -> str:
    return str(Http().post(f"{V3}/auth/tokens", v3_token(token)).headers["X-Subject-Token"])


def sign_in(block: dict[str, Any], scope: Any = None, **headers: str) -> Any:
    auth: dict[str, Any] = {"identity": {"methods": ["application_credential"], "application_credential": block}}
    return Http().post(f"{V3}/auth/tokens", {"auth": auth if scope is None else {**auth, "scope": scope}}, **headers)


def token_of(credential: dict[str, Any]) -> str:
    response = sign_in({"id": credential["id"], "secret": credential["secret"]})
    assert response.status_code == 201, response.content
    return str(response.headers["X-Subject-Token"])


def test_the_secret_is_shown_once_and_stored_as_a_hash() -> None:
    owner = Owner()
    made = owner.made(description="for backups")
    assert len(made["secret"]) >= 64
    assert made["project_id"] == owner.user.uuid
    assert [role["name"] for role in made["roles"]] == ["member"]
    assert (made["unrestricted"], made["expires_at"]) == (False, None)
    shown = owner.api.get(f"{owner.path}/{made['id']}").json()["application_credential"]
    assert "secret" not in shown
    assert shown == {key: value for key, value in made.items() if key != "secret"}
    assert made["secret"] not in str(AppCredential.objects.values().get())
    assert [item["id"] for item in owner.api.get(owner.path).json()["application_credentials"]] == [made["id"]]
    assert owner.api.get(f"{owner.path}?name=other").json()["application_credentials"] == []
    assert owner.api.get(f"{owner.path}/robot").status_code == 404
    assert AuditRecord.objects.filter(event="app_credential.created", target=owner.user.uuid).count() == 1
    mail = QueuedMail.objects.get()
    assert mail.recipient == "ann@example.org"
    assert "robot" in mail.body


def test_one_signs_in_by_id_or_by_name_and_user() -> None:
    register_catalog()
    owner = Owner()
    made = owner.made()
    for block in ({"id": made["id"]}, {"id": made["id"], "user": {}}, {"name": "robot", "user": {"id": owner.user.uuid}},
                  {"name": "robot", "user": {"name": "ANN@example.org", "domain": {"id": "default"}}}):
        response = sign_in({**block, "secret": made["secret"]})
        assert response.status_code == 201, response.content
        token = response.json()["token"]
        assert token["methods"] == ["application_credential"]
        assert token["project"]["id"] == owner.user.uuid
        assert token["application_credential"] == {"id": made["id"], "name": "robot", "restricted": True}
        assert token["catalog"]
    assert AppCredential.objects.get().last_used_at is not None


@pytest.mark.parametrize(("block", "status"), [
    ({"id": "MADE", "secret": "wrong secret"}, 401), ({"id": "f" * 32, "secret": "x"}, 401), ({"id": "f" * 255, "secret": "x"}, 401),
    ({"name": "robot", "secret": "x"}, 400), ({"secret": "x"}, 400), ({"id": "MADE"}, 400), ({"id": 7, "secret": "x"}, 400),
    ({"name": "robot", "user": {"name": "nobody@example.org"}, "secret": "x"}, 401),
    ({"name": "robot", "user": {"id": "x", "domain": {"id": "foreign"}}, "secret": "x"}, 401), ("text", 400),
])
def test_wrong_sign_ins(block: Any, status: int) -> None:
    made = Owner().made()
    if isinstance(block, dict) and block.get("id") == "MADE":
        block = {**block, "id": made["id"]}
    assert sign_in(block).status_code == status


def test_wrong_secrets_make_the_next_one_wait() -> None:
    made = Owner().made(secret="chosen secret")
    for _ in range(3):
        assert sign_in({"id": made["id"], "secret": "wrong secret"}).status_code == 401
    assert sign_in({"id": made["id"], "secret": "chosen secret"}).status_code == 429


def test_a_chosen_secret_is_hashed_slowly_and_must_not_be_short() -> None:
    owner = Owner()
    assert owner.make(secret="short").status_code == 400
    made = owner.made(secret="chosen secret")
    assert made["secret"] == "chosen secret"
    assert AppCredential.objects.get().secret_hash.startswith("argon2")
    assert token_of(made)


@pytest.mark.parametrize("fields", [
    {"name": ""}, {"name": "x" * 256}, {"name": "a\nb"}, {"name": 5}, {"roles": [{"name": "admin"}]}, {"roles": "member"},
    {"expires_at": "2001-01-01T00:00:00"}, {"expires_at": "tomorrow"}, {"expires_at": "9999-12-31T23:59:59-23:59"},
    {"access_rules": [{"service": "compute"}]}, {"access_rules": [{"id": "0" * 32}]},
    {"access_rules": [{"service": "compute", "method": "GET", "path": "v2.1"}]}, {"access_rules": {}},
    {"project_id": "00000000-0000-0000-0000-000000000000"}, {"unrestricted": "yes"},
])
def test_what_cannot_be_made(fields: dict[str, Any]) -> None:
    response = Owner().make(**{"name": "robot", **fields})
    assert response.status_code == 400, response.content
    assert AppCredential.objects.count() == 0


def test_names_are_unique_for_a_user_and_strangers_are_refused() -> None:
    owner, other = Owner(), Owner("bob@example.org")
    made = owner.made()
    assert owner.make().status_code == 409
    assert other.made()["id"] != made["id"]
    for method, path in (("POST", owner.path), ("GET", owner.path), ("GET", f"{owner.path}/{made['id']}"),
                         ("DELETE", f"{owner.path}/{made['id']}")):
        body = {"application_credential": {"name": "x"}} if method == "POST" else None
        assert other.api.call(method, path, body).status_code == 403
    assert other.api.get(f"{other.path}/{made['id']}").status_code == 404
    assert sign_in({"name": "robot", "user": {"id": other.user.uuid}, "secret": made["secret"]}).status_code == 401


def test_an_unscoped_token_makes_none() -> None:
    owner = Owner()
    unscoped = Http().post(f"{V3}/auth/tokens", v3_token(make_token(owner.user), "unscoped")).headers["X-Subject-Token"]
    assert Http(unscoped).post(owner.path, {"application_credential": {"name": "x"}}).status_code == 400


@pytest.mark.parametrize("text", ["2091-01-31T12:00:00", "2091-01-31T12:00:00Z", "2091-01-31T12:00:00.000000", "2091-01-31T13:00:00+01:00"])
def test_expiry_is_read_in_many_forms_and_written_without_a_zone(text: str) -> None:
    assert Owner().made(expires_at=text)["expires_at"] == "2091-01-31T12:00:00.000000"


def test_an_expired_credential_and_its_tokens_are_refused() -> None:
    owner = Owner()
    soon = (timezone.now() + datetime.timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%S")
    made = owner.made(expires_at=soon)
    token = token_of(made)
    assert Http().get(f"{V3}/auth/tokens", **{"X-Auth-Token": token, "X-Subject-Token": token}).json()["token"]["expires_at"][:19] == soon
    AppCredential.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert sign_in({"id": made["id"], "secret": made["secret"]}).status_code == 401


def test_tokens_keep_to_the_project_and_to_roles_that_the_user_still_has() -> None:
    owner = Owner()
    group = Group.objects.create(name="ops")
    owner.user.groups.add(group)
    made = owner.made()
    api = Http(token_of(made))
    late = Group.objects.create(name="late")
    owner.user.groups.add(late)

    def roles() -> set[str]:
        shown = api.get(f"{V3}/auth/tokens", **{"X-Subject-Token": api.token}).json()["token"]
        return {role["name"] for role in shown["roles"]}

    assert roles() == {"member", "ops"}
    owner.user.groups.remove(group)
    assert roles() == {"member"}
    for scope in ("unscoped", {"project": {"id": make_user("bob@example.org").uuid}}):
        assert Http().post(f"{V3}/auth/tokens", v3_token(api.token, scope)).status_code == 401
        assert sign_in({"id": made["id"], "secret": made["secret"]}, scope).status_code == 401
    again = Http().post(f"{V3}/auth/tokens", v3_token(api.token))
    assert again.json()["token"]["application_credential"]["id"] == made["id"]
    assert again.json()["token"]["methods"] == ["application_credential", "token"]


def test_a_token_held_to_a_project_is_not_exchanged_for_an_unscoped_one() -> None:
    user = make_user()
    held = make_token(user, project_id=user.uuid)
    assert Http().post(f"{V3}/auth/tokens", v3_token(held, "unscoped")).status_code == 401


def test_deleting_a_credential_kills_its_tokens_at_once() -> None:
    owner = Owner()
    made = owner.made(unrestricted=True)
    token = token_of(made)
    named = Http(token).post(f"{ACCOUNT}/myaccount/tokens", {"name": "derived"}).json()["token"]["value"]
    assert owner.api.call("DELETE", f"{owner.path}/{made['id']}").status_code == 204
    for secret in (token, named):
        assert Http().post(f"{V2}/tokens", {"auth": {"token": {"id": secret}}}).status_code == 401
    assert sign_in({"id": made["id"], "secret": made["secret"]}).status_code == 401
    assert owner.api.call("DELETE", f"{owner.path}/{made['id']}").status_code == 404
    assert ApiToken.objects.filter(kind="appcred").count() == 0


def test_a_restricted_credential_does_not_manage_the_account_and_an_unrestricted_one_hands_on_no_more() -> None:
    owner = Owner()
    restricted = Http(token_of(owner.made("one")))
    path = f"{owner.path}/{AppCredential.objects.get().pk}"
    for method, where, body in (("POST", owner.path, {"application_credential": {"name": "x"}}), ("DELETE", path, None),
                                ("GET", f"{ACCOUNT}/myaccount/tokens", None), ("POST", f"{ACCOUNT}/myaccount/tokens", {"name": "x"})):
        assert restricted.call(method, where, body).status_code == 403, where
    other, mine = {"X-Subject-Token": owner.api.token}, {"X-Subject-Token": restricted.token}
    assert restricted.call("DELETE", f"{V3}/auth/tokens", **other).status_code == 403
    assert restricted.call("DELETE", f"{V3}/auth/tokens", **mine).status_code == 204
    assert restricted.get(f"{V3}/auth/catalog").status_code == 401
    free = Http(token_of(owner.made("two", unrestricted=True)))
    made = free.post(owner.path, {"application_credential": {"name": "three", "roles": [{"id": "member", "name": "member"}]}})
    assert made.status_code == 201
    owner.user.groups.add(Group.objects.create(name="later"))
    beyond = free.post(owner.path, {"application_credential": {"name": "four", "roles": [{"name": "later"}]}})
    assert beyond.status_code == 400


def test_a_credential_dies_with_the_account() -> None:
    owner = Owner()
    made = owner.made()
    token = token_of(made)
    from synnefo.astakos.services.user_changes import Changes, modify_user

    modify_user(owner.user.user_id, Changes(active=False))
    assert Http(token).get(f"{V3}/auth/catalog").status_code == 401
    assert sign_in({"id": made["id"], "secret": made["secret"]}).status_code == 401
    users.get_user(owner.user.uuid)


def test_another_network_is_reported_once() -> None:
    made = Owner().made()
    QueuedMail.objects.all().delete()
    for address in ("198.51.100.7", "198.51.100.9", "127.0.0.1"):
        Http().client.post(f"{V3}/auth/tokens", {"auth": {"identity": {"methods": ["application_credential"], "application_credential": {
            "id": made["id"], "secret": made["secret"]}}}}, content_type="application/json", REMOTE_ADDR=address)
    assert ["new network" in mail.body for mail in QueuedMail.objects.all()] == [True]


RULES = [{"service": "compute", "method": "GET", "path": "/v2.1/servers/*"}, {"service": "identity", "method": "GET", "path": "/v3/auth/**"}]


def test_access_rules_are_listed_shared_and_deleted_when_unused() -> None:
    owner = Owner()
    made = owner.made(access_rules=RULES)
    assert [{key: item[key] for key in ("service", "method", "path")} for item in made["access_rules"]] == RULES
    path = f"{V3}/users/{owner.user.uuid}/access_rules"
    rules = owner.api.get(path).json()["access_rules"]
    assert len(rules) == 2
    again = owner.made("other", access_rules=[{"id": rules[0]["id"]}])
    assert [item["id"] for item in again["access_rules"]] == [rules[0]["id"]]
    assert owner.api.get(f"{path}/{rules[0]['id']}").json()["access_rule"] == rules[0]
    assert owner.api.call("DELETE", f"{path}/{rules[0]['id']}").status_code == 403
    for item in (made, again):
        owner.api.call("DELETE", f"{owner.path}/{item['id']}")
    assert owner.api.call("DELETE", f"{path}/{rules[0]['id']}").status_code == 204
    assert owner.api.get(f"{path}/{rules[0]['id']}").status_code == 404


def test_tokens_with_access_rules_are_shown_only_to_those_who_hold_them_to_the_rules() -> None:
    service = register_catalog()["cyclades"]
    owner = Owner()
    token = token_of(owner.made(access_rules=RULES))
    subject = {"X-Subject-Token": token}
    assert Http(service).get(f"{V3}/auth/tokens", **subject).status_code == 404
    shown = Http(service).get(f"{V3}/auth/tokens", **subject, **{access.HEADER: "1"})
    assert [item["path"] for item in shown.json()["token"]["application_credential"]["access_rules"]] == ["/v2.1/servers/*", "/v3/auth/**"]
    body = {"auth": {"token": {"id": token}}}
    assert Http().post(f"{V2}/tokens", body).status_code == 401
    echoed = Http().post(f"{V2}/tokens", body, **{access.HEADER: "1"})
    assert echoed.json()["access"]["application_credential"]["access_rules"][0]["service"] == "compute"


def test_services_hold_tokens_to_their_access_rules() -> None:
    owner = Owner()
    api = Http(token_of(owner.made(access_rules=RULES)))
    assert api.get("/cyclades/compute/v2.1/servers/detail").status_code == 200
    assert api.get("/cyclades/compute/v2.1/servers").status_code == 403
    assert api.get("/cyclades/compute/v2.0/servers/detail").status_code == 403
    assert api.get(f"/pithos/object-store/v1/{owner.user.uuid}").status_code == 403
    assert api.get(f"{V3}/auth/catalog").status_code == 200
    assert api.get(f"{V3}/projects").status_code == 403
    plain = Http(token_of(owner.made("plain", access_rules=[], roles=[])))
    assert plain.get("/cyclades/compute/v2.1/servers").status_code == 200


@pytest.mark.parametrize(("pattern", "path", "fits"), [
    ("/v2.1/servers", "/v2.1/servers", True), ("/v2.1/servers", "/v2.1/servers/", False), ("/v2.1/servers", "/v2x1/servers", False),
    ("/v2.1/servers/{id}", "/v2.1/servers/7", True), ("/v2.1/servers/{id}", "/v2.1/servers/7/action", False),
    ("/v2.1/servers/*", "/v2.1/servers/", False), ("/**", "/a/b", True), ("/a/**/z", "/a/b/c/z", True), ("/a/**", "/b", False),
    ("/a/*.txt", "/a/b.txt", True), ("/a/{x", "/a/{x", True), ("/" + "**a" * 80, "/" + "a" * 5000, True),
    ("/" + "*" * 200 + "b", "/" + "a" * 5000, False), ("/é/*", "/é/ü", True), ("", "", True), ("*", "", False),
])
def test_patterns(pattern: str, path: str, fits: bool) -> None:
    assert access.matches(pattern, path) is fits


def test_no_rules_are_no_limit() -> None:
    access.require_allowed(None, "GET", "/anything")
    with pytest.raises(Exception, match="do not allow"):
        access.require_allowed([AccessRule("compute", "GET", "/**")], "GET", "/elsewhere")
