"""The API for administrators: other people's accounts, and statistics."""

from __future__ import annotations

from typing import Any

import pytest

from synnefo.astakos.models import AuditRecord, Group, LoginMethod, Project, QueuedMail, User
from tests.support.commands import run
from tests.support.identity import Http, make_token, make_user

pytestmark = pytest.mark.django_db
USERS, STATS = "/astakos/identity/v2.0/users", "/astakos/admin/stats"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def root(settings_override: Any) -> Http:
    settings_override(ASTAKOS_ADMIN_API_ENABLED=True)
    return Http(make_token(member_of("root@example.org", "admin-api", "admin-stats")))


def member_of(email: str, *groups: str) -> User:
    user = make_user(email)
    user.groups.add(*(Group.objects.get_or_create(name=name)[0] for name in groups))
    return user


def act(root: Http, user: User, **action: Any) -> Any:
    return root.post(f"{USERS}/{user.uuid}/action", action)


def test_it_is_there_only_where_it_is_switched_on() -> None:
    token = make_token(member_of("root@example.org", "admin-api"))
    for path in (USERS, f"{USERS}/{NOBODY}", f"{USERS}/detail"):
        answer = Http(token).get(path)
        assert (answer.status_code, answer.json()["badRequest"]["message"]) == (400, "API endpoint not found")


def test_only_members_of_the_groups_may(root: Http) -> None:
    other = make_user("eve@example.org", is_admin=True)
    assert Http(make_token(other)).get(USERS).status_code == 403
    assert AuditRecord.objects.get(event="admin_api.refused").actor == other.uuid
    assert Http().get(USERS).status_code == 401
    assert Http(make_token(other)).get(f"{STATS}/detail").status_code == 403


def test_a_user_s_life(root: Http) -> None:
    made = root.post(USERS, {"user": {"username": "Ann@Example.org", "first_name": "Ann", "last_name": "Lee", "affiliation": "Uni", "metadata": {"room": "12"}}})
    assert made.status_code == 200
    ann = User.objects.get(email="ann@example.org")
    assert made.json()["user"]["id"] == ann.uuid
    assert ann.check_password(made.json()["user"]["password"])
    assert Http(made.json()["user"]["auth_token"]).get("/astakos/account/v1.0/myaccount").status_code == 200
    assert not QueuedMail.objects.exists()
    shown = root.get(f"{USERS}/{ann.uuid}").json()["user"]
    assert (shown["email"], shown["is_active"], shown["accepted_policy"]) == ("ann@example.org", True, "auto_moderation")
    assert shown["authentication_methods"] == [
        {"identifier": "ann@example.org", "active": True, "affiliation": "Uni", "backend": "local", "metadata": {"room": "12"}}]
    assert not {"password", "auth_token"} & set(shown)
    changed = root.put(f"{USERS}/{ann.uuid}", {"user": {"username": "lee@example.org", "first_name": "Anna", "metadata": {}}}).json()["user"]
    assert (changed["email"], changed["first_name"], changed["last_name"]) == ("lee@example.org", "Anna", "Lee")
    ann.refresh_from_db()
    assert act(root, ann, deactivate={"reason": "left"}).json() == {"user": {"id": ann.uuid, "is_active": False}}
    assert root.get(f"{USERS}/{ann.uuid}").json()["user"]["deactivated_reason"] == "left"
    assert act(root, ann, activate={}).json()["user"]["is_active"] is True
    assert act(root, ann, activate={}).status_code == 409
    token = act(root, ann, renewToken={}).json()["user"]["auth_token"]
    assert Http(token).get("/astakos/account/v1.0/myaccount").status_code == 200
    assert "renewed the API token" in QueuedMail.objects.latest("pk").body
    assert act(root, ann, signTerms={}).json()["user"]["has_signed_terms"] is True
    assert act(root, ann, setDefaultProject={"project_id": ann.uuid}).json()["user"]["default_project"] == ann.uuid
    assert act(root, ann, setDefaultProject={"project_id": NOBODY}).status_code == 409
    assert set(AuditRecord.objects.filter(event="user.modified").values_list("actor", flat=True)) == {User.objects.get(email="root@example.org").uuid}


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("post", "", {"user": {"username": "nonsense"}}, 400), ("post", "", {"user": {"username": "root@example.org"}}, 409), ("post", "", {}, 400),
    ("post", "", {"user": {"username": "a@b.org", "first_name": "x" * 151}}, 400), ("post", "", {"user": {"username": "a@b.org", "first_name": 1}}, 400),
    ("post", "", {"user": {"username": "a@b.org", "password": "short"}}, 400), ("post", "", {"user": []}, 400),
    ("put", "/{ann}", {"user": {"username": "root@example.org"}}, 409), ("put", "/{ann}", {"user": {"username": "x\x00@b.org"}}, 400),
    ("put", f"/{NOBODY}", {"user": {}}, 404), ("get", f"/{NOBODY}", None, 404), ("get", "/%00", None, 404), ("get", "?status=odd", None, 400),
    ("get", "?limit=-1", None, 400), ("post", "/{ann}/action", {}, 400), ("post", "/{ann}/action", {"dance": {}}, 400),
    ("post", "/{ann}/action", {"activate": {}, "deactivate": {}}, 400), ("post", "/{ann}/action", {"activate": []}, 400),
    ("post", "/{ann}/action", {"setDefaultProject": {}}, 400), ("post", "/{ann}/action", {"deactivate": {"reason": 7}}, 400),
    ("post", f"/{NOBODY}/action", {"activate": {}}, 404)])
def test_what_is_refused_changes_nothing(root: Http, method: str, path: str, body: Any, status: int) -> None:
    ann = make_user("ann@example.org")
    before = list(User.objects.order_by("pk").values())
    call = getattr(root, method)
    answer = call(USERS + path.replace("{ann}", ann.uuid), *([body] if body is not None else []))
    assert answer.status_code == status, answer.content
    assert list(User.objects.order_by("pk").values()) == before


def test_lists_are_paged_and_filtered(root: Http) -> None:
    for number in range(4):
        make_user(f"user{number}@example.org")
    run("user-modify", "--set-inactive", "user0@example.org")
    everybody = [item["id"] for item in root.get(USERS).json()["users"]]
    assert everybody == sorted(everybody)
    assert len(everybody) == 5
    assert [item["id"] for item in root.get(f"{USERS}?limit=2&marker={everybody[1]}").json()["users"]] == everybody[2:4]
    assert [item["email"] for item in root.get(f"{USERS}/detail?email=USER2@example.org").json()["users"]] == ["user2@example.org"]
    assert [item["email"] for item in root.get(f"{USERS}?status=inactive").json()["users"]] == ["user0@example.org"]


def test_statistics(root: Http) -> None:
    ann = make_user("ann@example.org", password="a quiet river")
    LoginMethod.objects.create(user=ann, module="google", identifier="1")
    make_user("bob@example.org", password="a quiet river")
    make_user("eve@example.org", verified=False, accepted=False, password="a quiet river")
    assert Http().get(STATS).json() == {"users": {"total": 4, "active": 3}}
    found = root.get(f"{STATS}/detail").json()
    assert found["providers"] == ["google", "local"]
    assert found["users"]["local"] == {"total": 3, "active": 2, "verified": 2, "exclusive": 1}
    assert found["users"]["google"] == {"total": 1, "active": 1, "verified": 1, "exclusive": 0}
    assert Project.objects.count() == 3
    assert "Users, local: 3 total" in run("stats-astakos").out
    assert run("stats-astakos", "--output-format", "json").json()["users"]["all"]["total"] == 4
    assert run("stats-astakos", "--output-format", "csv").code == 1
    assert Http().get("/astakos/admin/").status_code == 404
