"""Quotas and commissions over HTTP: shapes, rights, every refusal, and that a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.utils.dateparse import parse_datetime

from synnefo.astakos.models import (
    MembershipState,
    Project,
    ProjectMembership,
    ProjectResourceQuota,
    ProjectState,
    Resource,
    User,
)
from synnefo.astakos.quotaholder.models import Commission, Holding, Provision
from synnefo.astakos.services import limits, users
from tests.support.quota import Api, assert_balanced, component, fault_of, json_of, pair, resource, user

pytestmark = pytest.mark.django_db
INFINITE = 2**63 - 1


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def service() -> Api:
    """Cyclades with one visible and one invisible resource."""
    made = Api(component("cyclades"))
    resource("cyclades.vm")
    resource("cyclades.total_cpu", api_visible=False)
    return made


@pytest.fixture
def ann(service: Api) -> tuple[str, Api]:
    uuid, token = user("ann@example.org")
    return uuid, Api(token)


def limit(uuid: str, amount: int, name: str = "cyclades.vm") -> None:
    Holding.objects.filter(resource=name, holder__in=[f"user:{uuid}", f"project:{uuid}"]).update(limit=amount)


def shared_project(owner: str, *members: str, name: str = "shared", amount: int = 9) -> str:
    """A conventional project, as an approved application would leave it."""
    project = Project.objects.create(realname=name, owner=User.objects.get(uuid=owner), state=ProjectState.ACTIVE, max_members=9,
                                     end_date="2999-01-01T00:00:00Z")
    for member in members:
        ProjectMembership.objects.create(project=project, user=User.objects.get(uuid=member), state=MembershipState.ACCEPTED, was_accepted=True)
    for item in Resource.objects.all():
        ProjectResourceQuota.objects.create(project=project, resource=item, project_capacity=amount, member_capacity=amount)
    limits.apply([project])
    return project.uuid


def _state() -> tuple[Any, ...]:
    return tuple(list(model.objects.order_by("pk").values()) for model in (Holding, Commission, Provision))


def _refused(response: Any, status: int, name: str) -> dict[str, Any]:
    fault, body = fault_of(response, status)
    assert fault == name
    assert Commission.objects.count() == 0
    assert set(Holding.objects.values_list("usage_min", "usage_max")) <= {(0, 0)}
    return body


# Resources and quotas --------------------------------------------------------------------------------------------


def test_resources_are_public_and_only_the_visible_ones(service: Api) -> None:
    body = json_of(Api().get("resources/"))
    assert body == {"cyclades.vm": {"unit": None, "description": "Number of cyclades.vm", "service": "cyclades_test",
                                    "ui_visible": True, "api_visible": True, "allow_in_projects": True}}


def test_a_user_sees_his_system_project(service: Api, ann: tuple[str, Api]) -> None:
    uuid, api = ann
    json_of(service.issue(pair(uuid, 3), auto_accept=True), 201)
    json_of(service.issue(pair(uuid, 2)), 201)
    limit(uuid, 10)
    assert json_of(api.get("quotas")) == {uuid: {"cyclades.vm": {
        "limit": 10, "usage": 5, "pending": 2, "project_limit": 10, "project_usage": 5, "project_pending": 2}}}


def test_quotas_name_former_projects_only_on_request(service: Api, ann: tuple[str, Api]) -> None:
    uuid, api = ann
    bob, _ = user("bob@example.org")
    project = shared_project(bob, uuid)
    json_of(service.issue(pair(uuid, 1, project=project), auto_accept=True), 201)
    ProjectMembership.objects.filter(project__uuid=project).update(state=MembershipState.REMOVED)
    limits.apply(list(Project.objects.filter(uuid=project)))
    assert set(json_of(api.get("quotas"))) == {uuid}
    left = json_of(api.get("quotas", all="1"))[project]["cyclades.vm"]
    assert (left["limit"], left["usage"], left["project_limit"]) == (0, 1, 9)
    _, body = fault_of(service.issue(pair(uuid, 1, project=project)), 413)
    assert body["data"]["limit"] == 0


def test_suspended_projects_show_limit_zero(service: Api, ann: tuple[str, Api]) -> None:
    uuid, api = ann
    project = Project.objects.get(uuid=shared_project(uuid, uuid))
    project.state = ProjectState.SUSPENDED
    project.save()
    limits.apply([project])
    assert json_of(api.get("quotas"))[project.uuid]["cyclades.vm"]["project_limit"] == 0


def test_a_missing_project_holding_is_no_crash(service: Api, ann: tuple[str, Api]) -> None:
    uuid, api = ann
    Holding.objects.filter(holder=f"project:{uuid}").delete()
    assert json_of(api.get("quotas"))[uuid]["cyclades.vm"]["project_limit"] == 0


def test_services_read_their_own_resources_of_everybody(service: Api, ann: tuple[str, Api]) -> None:
    bob, _ = user("bob@example.org")
    other = Api(component("pithos"))
    resource("pithos.diskspace", owner="pithos", unit="bytes")
    everybody = json_of(service.get("service_quotas"))
    assert set(everybody) == {ann[0], bob}
    assert set(everybody[bob][bob]) == {"cyclades.vm", "cyclades.total_cpu"}
    assert set(json_of(other.get("service_quotas"))[bob][bob]) == {"pithos.diskspace"}
    assert json_of(service.get("service_quotas", user=f"{bob},nobody")) == {bob: everybody[bob]}
    assert json_of(service.get("service_quotas", project=bob)) == {bob: everybody[bob]}
    assert fault_of(service.get("service_quotas", user="nobody"), 404)[0] == "itemNotFound"
    assert json_of(service.get("service_quotas", project="none")) == {}


def test_services_read_projects(service: Api, ann: tuple[str, Api]) -> None:
    uuid = ann[0]
    zero = {"project_limit": INFINITE, "project_usage": 0, "project_pending": 0}
    assert json_of(service.get("service_project_quotas")) == {uuid: {"cyclades.vm": zero, "cyclades.total_cpu": zero}}
    assert set(json_of(service.get("service_project_quotas", project=uuid))) == {uuid}
    assert fault_of(service.get("service_project_quotas", project="none"), 404)[0] == "itemNotFound"


@pytest.mark.parametrize("path", ["service_quotas", "service_project_quotas"])
def test_pages_cover_everything_once(service: Api, path: str) -> None:
    uuids = sorted(user(f"user{number}@example.org")[0] for number in range(5))
    seen: list[str] = []
    query = {"limit": "2"}
    for _ in range(5):
        response = service.get(path, **query)
        page = json_of(response)
        assert list(page) == sorted(page)
        seen += page
        if "Link" not in response:
            break
        assert response["Link"].endswith('; rel="next"')
        query["marker"] = seen[-1]
    assert seen == uuids
    assert fault_of(service.get(path, limit="-1"), 400)[0] == "badRequest"


def test_reading_quotas_takes_as_many_queries_for_one_user_as_for_many(service: Api, ann: tuple[str, Api],
                                                                       django_assert_num_queries: Any) -> None:
    for number in range(20):
        user(f"user{number}@example.org")
    with django_assert_num_queries(3):  # component, its resources, holdings
        assert len(json_of(service.get("service_quotas"))) == 21
    with django_assert_num_queries(3):
        assert len(json_of(service.get("service_project_quotas"))) == 21
    json_of(ann[1].get("quotas"))
    with django_assert_num_queries(6):  # token, projects, groups; visible resources, holdings, memberships
        json_of(ann[1].get("quotas"))


def test_project_totals_for_members_and_counters_for_the_owner(service: Api, ann: tuple[str, Api]) -> None:
    uuid, api = ann
    bob, bob_token = user("bob@example.org")
    _, eve_token = user("eve@example.org")
    project = shared_project(bob, uuid)
    json_of(service.issue(pair(uuid, 4, project=project), auto_accept=True), 201)
    total = {"cyclades.vm": {"project_limit": 9, "project_usage": 4, "project_pending": 0}}
    assert json_of(api.get("project_quotas", project=project)) == {project: total}
    assert json_of(Api(bob_token).get("project_quotas", project=project, members="1")) == {
        project: {**total, "members": {uuid: {"cyclades.vm": {"limit": 9, "usage": 4, "pending": 0}}}}}
    assert fault_of(api.get("project_quotas", project=project, members="1"), 403)[0] == "forbidden"
    assert fault_of(Api(eve_token).get("project_quotas", project=project), 404)[0] == "itemNotFound"
    assert fault_of(api.get("project_quotas", project="unknown"), 404)[0] == "itemNotFound"
    assert set(json_of(api.get("project_quotas"))) == {uuid, project}


def test_the_default_project_is_one_of_his(service: Api, ann: tuple[str, Api]) -> None:
    uuid, api = ann
    bob, _ = user("bob@example.org")
    project = shared_project(bob, uuid)
    assert api.post("myaccount/default_project", {"project_id": project}).status_code == 200
    assert User.objects.get(uuid=uuid).default_project == project
    assert fault_of(api.post("myaccount/default_project", {}), 403)[0] == "forbidden"
    assert fault_of(api.post("myaccount/default_project", {"project_id": 5}), 403)[0] == "forbidden"
    assert fault_of(api.post("myaccount/default_project", {"project_id": bob}), 404)[0] == "itemNotFound"
    Project.objects.filter(uuid=project).update(state=ProjectState.SUSPENDED)
    assert fault_of(api.post("myaccount/default_project", {"project_id": project}), 403)[0] == "forbidden"
    Project.objects.filter(uuid=project).update(state=ProjectState.TERMINATED)
    assert fault_of(api.post("myaccount/default_project", {"project_id": project}), 409)[0] == "conflict"


def test_a_refusal_speaks_of_units_and_of_whose_limit_it_is(service: Api, ann: tuple[str, Api]) -> None:
    resource("cyclades.ram", unit="bytes")
    uuid = ann[0]
    project = shared_project(uuid, uuid, amount=3 * 2**30)
    json_of(service.issue(pair(uuid, 2**30 + 2**29, "cyclades.ram", project=project), auto_accept=True), 201)
    _, body = fault_of(service.issue(pair(uuid, 2 * 2**30, "cyclades.ram", project=project)), 413)
    assert body["message"].startswith(
        f"Quota exceeded: 2 GiB of cyclades.ram asked for, 1.5 GiB of 3 GiB left to the user in project {project}.")
    Holding.objects.filter(holder=f"user:{uuid}").update(limit=INFINITE)
    _, body = fault_of(service.issue(pair(uuid, 2 * 2**30, "cyclades.ram", project=project)), 413)
    assert f"1.5 GiB of 3 GiB left to all members of project {project} together." in body["message"]


def test_only_accepted_users_have_holdings(service: Api) -> None:
    users.create_user("new@example.org", verified=False, accepted=False)
    assert Holding.objects.count() == 0
    assert json_of(service.get("service_quotas")) == {}


# Rights ------------------------------------------------------------------------------------------------------------

USER_CALLS = [("GET", "quotas"), ("GET", "project_quotas"), ("POST", "myaccount/default_project")]
SERVICE_CALLS = [("GET", "service_quotas"), ("GET", "service_project_quotas"), ("GET", "commissions"), ("POST", "commissions"),
                 ("GET", "commissions/1"), ("POST", "commissions/1/action"), ("POST", "commissions/action")]


def _call(api: Api, method: str, path: str) -> Any:
    return api.get(path) if method == "GET" else api.post(path, {})


@pytest.mark.parametrize(("method", "path"), USER_CALLS + SERVICE_CALLS)
def test_every_call_needs_a_token_of_the_right_kind(service: Api, ann: tuple[str, Api], method: str, path: str) -> None:
    wrong_kind = service if (method, path) in USER_CALLS else ann[1]
    for api in (Api(), Api("x" * 40), wrong_kind):
        assert fault_of(_call(api, method, path), 401)[0] == "unauthorized"


@pytest.mark.parametrize("path", ["resources", "quotas", "service_quotas", "commissions/action", "commissions/1", "commissions/1/action"])
def test_other_methods_are_refused_by_name(service: Api, path: str) -> None:
    response = service.client.delete(f"/astakos/account/v1.0/{path}")
    assert fault_of(response, 405)[0] == "notAllowed"
    assert response["Allow"]


def test_answers_are_not_cached(service: Api) -> None:
    response = service.get("commissions")
    assert "no-store" in response["Cache-Control"]
    assert "X-Auth-Token" in response["Vary"]


# Commissions -------------------------------------------------------------------------------------------------------


def test_the_life_of_a_commission(service: Api, ann: tuple[str, Api]) -> None:
    uuid = ann[0]
    serial = json_of(service.issue(pair(uuid, 2), name="δοκιμή"), 201)["serial"]
    assert json_of(service.get("commissions")) == [serial]
    shown = json_of(service.get(f"commissions/{serial}"))
    assert (shown["serial"], shown["name"], shown["provisions"]) == (serial, "δοκιμή", pair(uuid, 2))
    issued_at = parse_datetime(shown["issue_time"])
    assert issued_at is not None
    assert issued_at.tzinfo is not None
    response = service.post(f"commissions/{serial}/action", {"accept": ""})
    assert (response.status_code, response.content) == (200, b"")
    assert json_of(service.get("commissions")) == []
    for call in (service.get(f"commissions/{serial}"), service.post(f"commissions/{serial}/action", {"accept": ""})):
        assert fault_of(call, 404)[0] == "itemNotFound"
    assert_balanced()


def test_lists_of_serials(service: Api, ann: tuple[str, Api]) -> None:
    s1, s2, s3 = (json_of(service.issue(pair(ann[0], 1)), 201)["serial"] for _ in range(3))
    body = json_of(service.post("commissions/action", {"accept": [s1, s2, 0], "reject": [s2, s3]}))
    assert (body["accepted"], body["rejected"]) == ([s1], [s3])
    failed = dict(body["failed"])
    assert failed[s2]["badRequest"]["code"] == 400
    assert failed[0]["itemNotFound"]["code"] == 404
    assert set(failed) == {0, s2}
    assert json_of(service.get("commissions")) == [s2]
    assert json_of(service.post("commissions/action", {})) == {"accepted": [], "rejected": [], "failed": []}
    assert json_of(service.post("commissions/action", {"reject": [10**25]}))["failed"][0][0] == 10**25


def test_serials_of_others_do_not_exist(service: Api, ann: tuple[str, Api]) -> None:
    other = Api(component("pithos"))
    serial = json_of(service.issue(pair(ann[0], 1)), 201)["serial"]
    assert json_of(other.get("commissions")) == []
    assert fault_of(other.get(f"commissions/{serial}"), 404)[0] == "itemNotFound"
    assert fault_of(other.post(f"commissions/{serial}/action", {"reject": ""}), 404)[0] == "itemNotFound"
    assert json_of(service.get("commissions")) == [serial]


def test_over_the_limit(service: Api, ann: tuple[str, Api]) -> None:
    uuid = ann[0]
    limit(uuid, 2)
    body = _refused(service.issue(pair(uuid, 3)), 413, "overLimit")
    assert body["data"] == {"name": "NoCapacityError", "provision": pair(uuid, 3)[0], "limit": 2, "usage": 0, "level": "member"}
    assert "2" in body["message"]
    Holding.objects.filter(holder=f"user:{uuid}").update(limit=9)
    body = _refused(service.issue(pair(uuid, 3)), 413, "overLimit")
    assert (body["data"]["level"], body["data"]["provision"]) == ("project", pair(uuid, 3)[1])
    json_of(service.issue(pair(uuid, 3), force=True, auto_accept=True), 201)
    before = _state()
    _, body = fault_of(service.issue(pair(uuid, -4), force=True), 413)
    assert (body["data"]["name"], body["data"]["limit"], body["data"]["usage"]) == ("NoQuantityError", 0, 3)
    assert body["data"]["provision"]["quantity"] == -4
    assert _state() == before


def test_unknown_holders_and_resources_are_not_found(service: Api, ann: tuple[str, Api]) -> None:
    body = _refused(service.issue(pair("nobody", 1)), 404, "itemNotFound")
    assert body["data"] == {"name": "NoHoldingError", "provision": pair("nobody", 1)[0]}
    assert "limit" not in body["data"]
    _refused(service.issue(pair(ann[0], 1, "cyclades.moon")), 404, "itemNotFound")
    _refused(service.issue(pair("x" * 5000, 1)), 404, "itemNotFound")


def test_resources_of_another_component_are_forbidden(service: Api, ann: tuple[str, Api]) -> None:
    component("pithos")
    resource("pithos.diskspace", owner="pithos")
    _refused(service.issue(pair(ann[0], 1, "pithos.diskspace")), 403, "forbidden")


def test_members_are_charged_with_their_project(service: Api, ann: tuple[str, Api], settings_override: Any) -> None:
    member, project = pair(ann[0], 1)
    for lines in ([member], [project], [member, {**project, "quantity": 2}]):
        _refused(service.issue(lines), 400, "badRequest")
    json_of(service.issue([member], unbalanced=True), 201)
    settings_override(ASTAKOS_STRICT_PROVISIONS=False)
    json_of(service.issue([member]), 201)


def test_moving_between_projects_is_one_commission(service: Api, ann: tuple[str, Api]) -> None:
    uuid = ann[0]
    project = shared_project(uuid, uuid, amount=1)
    json_of(service.issue(pair(uuid, 2), auto_accept=True), 201)
    _, body = fault_of(service.issue([*pair(uuid, -2), *pair(uuid, 2, project=project)]), 413)
    assert body["data"]["provision"]["source"] == f"project:{project}"
    json_of(service.issue([*pair(uuid, -1), *pair(uuid, 1, project=project)], auto_accept=True), 201)
    assert dict(Holding.objects.filter(resource="cyclades.vm").values_list("source", "usage_max")) == {
        "": 1, f"project:{uuid}": 1, f"project:{project}": 1}
    assert_balanced()


def test_a_repeated_issue_gets_the_same_serial(service: Api, ann: tuple[str, Api]) -> None:
    lines = pair(ann[0], 1)
    first = json_of(service.issue(lines, auto_accept=True, request_id="r1"), 201)
    assert json_of(service.issue(lines, auto_accept=True, request_id="r1"), 201) == first
    assert fault_of(service.issue(pair(ann[0], 2), auto_accept=True, request_id="r1"), 409)[0] == "conflict"
    header = {"Idempotency-Key": "r2"}
    second = json_of(service.post("commissions", {"provisions": lines}, **header), 201)
    assert second != first
    assert json_of(service.post("commissions", {"provisions": lines}, **header), 201) == second
    assert Holding.objects.get(holder=f"user:{ann[0]}", resource="cyclades.vm").usage_max == 2


def test_nothing_to_charge_is_a_commission_too(service: Api) -> None:
    serial = json_of(service.issue([]), 201)["serial"]
    assert service.post(f"commissions/{serial}/action", {"reject": ""}).status_code == 200


LINE = {"holder": "user:x", "source": "project:x", "resource": "cyclades.vm", "quantity": 1}
BAD_BODIES: list[object] = [
    [], "text", 5, None, {}, {"provisions": None}, {"provisions": {}}, {"provisions": [5]}, {"provisions": [{}]},
    {"provisions": [{**LINE, "quantity": True}]}, {"provisions": [{**LINE, "quantity": 1.0}]}, {"provisions": [{**LINE, "quantity": "1"}]},
    {"provisions": [{**LINE, "holder": None}]}, {"provisions": [{**LINE, "source": 5}]}, {"provisions": [{**LINE, "resource": []}]},
    {"provisions": [{key: value for key, value in LINE.items() if key != "source"}]},
    {"provisions": [], "name": 5}, {"provisions": [], "force": 1}, {"provisions": [], "auto_accept": "yes"},
    {"provisions": [], "request_id": ""}, {"provisions": [], "request_id": "x" * 65}, {"provisions": [], "request_id": 4},
    {"provisions": [], "name": "\0"}, {"provisions": [{**LINE, "holder": "\ud800"}]},
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_malformed_issues_are_refused(service: Api, ann: tuple[str, Api], body: object) -> None:
    assert _refused(service.post("commissions", body), 400, "badRequest")["message"]


@pytest.mark.parametrize(("raw", "kind"), [(b"{", "application/json"), (b"\xff", "application/json"), (b"", "application/json"),
                                           (b"{}", "text/plain"), (b'{"provisions": []}', "text/xml"),
                                           (b"[" * 100_000, "application/json"), (b"9" * 5000, "application/json")])
def test_bodies_that_are_no_json_are_refused(service: Api, raw: bytes, kind: str) -> None:
    _refused(service.client.post("/astakos/account/v1.0/commissions", raw, content_type=kind), 400, "badRequest")


@pytest.mark.parametrize("body", [{}, {"accept": "", "reject": ""}, {"other": ""}, []])
def test_a_decision_is_one_of_two(service: Api, ann: tuple[str, Api], body: object) -> None:
    serial = json_of(service.issue(pair(ann[0], 1)), 201)["serial"]
    assert fault_of(service.post(f"commissions/{serial}/action", body), 400)[0] == "badRequest"
    assert json_of(service.get("commissions")) == [serial]


@pytest.mark.parametrize("body", [{"accept": 5}, {"accept": ["1"]}, {"reject": [True]}, {"reject": [1.5]}, {"accept": None}, {"accept": {}}])
def test_serials_are_lists_of_numbers(service: Api, body: object) -> None:
    assert fault_of(service.post("commissions/action", body), 400)[0] == "badRequest"


@pytest.mark.parametrize(("serial", "status"), [("abc", 400), ("1.5", 400), ("-1", 400), ("٣", 400), ("0", 404), ("9" * 30, 404), ("424242", 404)])
def test_numbers_that_are_no_serials(service: Api, serial: str, status: int) -> None:
    fault_of(service.get(f"commissions/{serial}"), status)
    fault_of(service.post(f"commissions/{serial}/action", {"accept": ""}), status)


def test_odd_query_strings_do_no_harm(service: Api, ann: tuple[str, Api]) -> None:
    for query in ({"user": "\0"}, {"user": ","}, {"project": "\0,\0"}, {"limit": "1", "marker": "\0"}, {"limit": "0"}, {"user": "'; --"}):
        assert service.get("service_quotas", **query).status_code in {200, 404}
    assert fault_of(service.get("service_quotas", limit="many"), 400)[0] == "badRequest"
