"""The projects API: lists, details, decisions, memberships, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from synnefo.astakos.models import Project, User
from synnefo.astakos.services import project_members, project_states
from tests.support.identity import ACCOUNT, Http, make_token
from tests.support.projects import VM, apply_for, assert_limits, define_resources, person, running

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = f"{ACCOUNT}/projects"
BODY: dict[str, Any] = {"name": "lab.example.org", "end_date": "2113-5-5T20:20:20Z", "max_members": "inf", "join_policy": "auto",
                        "resources": {VM: {"member_capacity": 2, "project_capacity": 4}}}


@pytest.fixture(autouse=True)
def _resources() -> None:
    define_resources()


@pytest.fixture
def ann() -> User:
    return person("ann")


@pytest.fixture
def root(settings_override: Any) -> Http:
    user = person("root")
    settings_override(ASTAKOS_PROJECT_ADMINS=[user.uuid])
    return Http(make_token(user))


def _ids(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.content
    return {item["name"] for item in answer.json() if not item["system_project"]}


def test_from_application_to_membership(ann: User, root: Http) -> None:
    owner, bob = Http(make_token(ann)), Http(make_token(person("bob")))
    made = owner.post(ROOT, BODY)
    assert made.status_code == 201, made.content
    project, number = made.json()["id"], made.json()["application"]
    shown = owner.get(f"{ROOT}/{project}").json()
    assert (shown["state"], shown["end_date"], shown["max_members"]) == ("uninitialized", "2113-05-05T20:20:20+00:00", 2**63 - 1)
    assert shown["last_application"]["applicant"] == ann.uuid
    assert bob.get(f"{ROOT}/{project}").status_code == 403
    assert owner.post(f"{ROOT}/{project}/action", {"approve": {"app_id": number}}).status_code == 403
    assert root.post(f"{ROOT}/{project}/action", {"approve": {"app_id": str(number), "reason": "fine"}}).status_code == 200
    assert root.post(f"{ROOT}/{project}/action", {"approve": {"app_id": number}}).status_code == 409
    assert "last_application" not in bob.get(f"{ROOT}/{project}").json()
    joined = bob.post(f"{ROOT}/memberships", {"join": {"project": project}})
    shown = bob.get(f"{ROOT}/memberships/{joined.json()['id']}").json()
    assert (shown["state"], shown["allowed_actions"]) == ("accepted", ["leave"])
    assert shown["accepted"].endswith("+00:00")
    assert bob.get(f"{ACCOUNT}/quotas").json()[project][VM]["limit"] == 2
    assert bob.post(f"{ROOT}/memberships/{joined.json()['id']}/action", {"leave": "tired"}).status_code == 200
    log = owner.get(f"{ROOT}/{project}/log").json()
    assert [(item["kind"], item["to"], item["reason"]) for item in log] == [
        ("project", "active", "fine"), ("membership", "accepted", ""), ("membership", "removed", "tired")]
    assert_limits()


def test_lists_by_mode(ann: User, root: Http) -> None:
    bob = person("bob")
    running(ann, "public.example.org")
    secret = running(ann, "secret.example.org", private=True)
    apply_for(ann, "new.example.org")
    mine, his = Http(make_token(ann)), Http(make_token(bob))
    everything = {"public.example.org", "secret.example.org", "new.example.org"}
    assert _ids(mine.get(ROOT)) == _ids(root.get(ROOT)) == everything
    assert _ids(his.get(ROOT)) == _ids(his.get(f"{ROOT}?mode=active")) == {"public.example.org"}
    assert [item["id"] for item in his.get(f"{ROOT}?mode=member").json()] == [bob.uuid]
    project_members.enroll(ann, secret.uuid, bob.email)
    assert _ids(his.get(f"{ROOT}?mode=related")) == {"secret.example.org"}
    assert _ids(mine.get(f"{ROOT}?state=active,suspended&name=secret.example.org&owner={ann.uuid}")) == {"secret.example.org"}
    first = root.get(f"{ROOT}?limit=2").json()
    assert first + root.get(f"{ROOT}?marker={first[-1]['id']}").json() == root.get(ROOT).json()


def test_a_suspended_project_is_hidden_from_outsiders(ann: User, root: Http) -> None:
    project, bob = running(ann), Http(make_token(person("bob")))
    action = f"{ROOT}/{project.uuid}/action"
    assert Http(make_token(ann)).post(action, {"suspend": "no"}).status_code == 403
    assert root.post(action, {"suspend": {"reasons": "misuse"}}).status_code == 200
    assert bob.get(f"{ROOT}/{project.uuid}").status_code == 403
    assert "deactivation_date" in root.get(f"{ROOT}/{project.uuid}").json()
    assert_limits()
    assert [root.post(action, {"unsuspend": ""}).status_code for _ in range(2)] == [200, 409]
    assert [root.post(action, {"terminate": ""}).status_code for _ in range(2)] == [200, 409]
    assert [root.post(action, {"reinstate": ""}).status_code for _ in range(2)] == [200, 409]
    assert_limits()


@pytest.mark.parametrize("change", [
    {"name": "one"}, {"name": "a.example.org\n"}, {"name": None}, {"name": "é.example.org"}, {"end_date": "soon"}, {"end_date": "2001-01-01"},
    {"end_date": None}, {"end_date": "0001-01-01T00:00:00+10:00"}, {"owner": "nobody"}, {"homepage": "ftp://x"}, {"max_members": -1}, {"max_members": True},
    {"max_members": "many"}, {"max_members": 2**63}, {"private": 1}, {"join_policy": 1}, {"resources": []}, {"resources": {VM: 1}},
    {"resources": {"no": {"member_capacity": 1, "project_capacity": 1}}}, {"resources": {VM: {"member_capacity": 1}}},
    {"resources": {VM: {"member_capacity": 2, "project_capacity": 1}}}, {"resources": {VM: {"member_capacity": True, "project_capacity": 1}}},
    {"resources": {VM: {"member_capacity": 1.0, "project_capacity": 1}}}, {"comments": "x" * 4097}, {"description": "\0"}])
def test_bad_applications_are_refused(change: dict[str, Any], ann: User) -> None:
    assert Http(make_token(ann)).post(ROOT, {**BODY, **change}).status_code == 400
    assert not Project.objects.filter(is_base=False).exists()


def test_other_bad_requests(ann: User, root: Http) -> None:
    project = running(ann)
    mine = Http(make_token(ann))
    for body in ({}, {"suspend": "", "terminate": ""}, {"approve": {}}, {"approve": {"app_id": True}}, {"approve": {"app_id": "x"}}, [], {"suspend": 3}):
        assert root.post(f"{ROOT}/{project.uuid}/action", body).status_code == 400, body
    for query in ("mode=x", "state=gone", "limit=x", "marker=x"):
        assert mine.get(f"{ROOT}?{query}").status_code == 400, query
    for path in (f"{ROOT}/nope", f"{ROOT}/%F0%9F%90%9D", f"{ROOT}/memberships/x", f"{ROOT}/memberships/99999", f"{ROOT}/apps/x"):
        assert mine.get(path).status_code == 404, path
    assert mine.post(f"{ROOT}/memberships", {"join": {"project": "nope"}}).status_code == 404
    assert mine.post(f"{ROOT}/memberships", {"enroll": {"project": "nope", "user": "ann@example.org"}}).status_code == 409
    assert mine.post(f"{ROOT}/memberships", {"join": {"project": 1}}).status_code == 400
    assert mine.call("DELETE", f"{ROOT}/{project.uuid}").status_code == 405
    assert Http("nobody").get(ROOT).status_code == 401


def test_old_clients_decide_by_application(ann: User, root: Http) -> None:
    application, mine = apply_for(ann), Http(make_token(ann))
    address = f"{ROOT}/apps/{application.pk}"
    assert mine.get(address).json()["project"] == application.project.uuid
    assert [item["id"] for item in mine.get(f"{ROOT}/apps?project={application.project.uuid}").json()] == [application.pk]
    assert [item["id"] for item in mine.get(f"{ROOT}/apps?state=pending,denied&limit=1").json()] == [application.pk]
    assert mine.get(f"{ROOT}/apps?state=denied").json() == mine.get(f"{ROOT}/apps?marker={application.pk}").json() == []
    assert mine.get(f"{ROOT}/apps?state=odd").status_code == 400
    assert Http(make_token(person("bob"))).get(address).status_code == 403
    assert root.post(f"{address}/action", {"deny": "no"}).status_code == 200
    assert mine.post(f"{address}/action", {"dismiss": ""}).status_code == 200
    assert mine.get(f"{ROOT}/{application.project.uuid}").json()["state"] == "deleted"


def test_lists_cost_the_same_for_few_and_many(ann: User, root: Http) -> None:
    def queries() -> list[int]:
        counts = []
        for path in (ROOT, f"{ROOT}/memberships", f"{ROOT}/apps"):
            with CaptureQueriesContext(connection, ) as found:
                assert root.get(path).status_code == 200
            counts.append(len(found))
        return counts

    first = running(ann)
    queries()
    few = queries()
    for number in range(4):
        project_members.join(ann, running(ann, f"p{number}.example.org").uuid)
    project_states.suspend(None, first.uuid)
    assert queries() == few
    assert max(few) <= 12
