"""Limits and quota sets as OpenStack's clients read them."""

from __future__ import annotations

import uuid

import pytest

from synnefo.common.ports import quota
from tests.support.commands import run
from tests.support.compute import Person, register_resources

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> Person:
    register_resources()
    person = Person()
    for name, amount in (("vm", "4"), ("ram", "4GiB"), ("floating_ip", "2")):
        assert run("user-modify", person.uuid, "--base-quota", f"cyclades.{name}", amount, "--yes").code == 0
    caller = person.caller
    for resource, used, accepted in (("vm", 1, True), ("vm", 2, False), ("ram", 2**30 + 5, True)):
        quota("cyclades").issue(caller.user_id, {(caller.project_id, f"cyclades.{resource}"): used}, request_id="", auto_accept=accepted)
    return person


def test_the_quota_set_of_the_own_project(ann: Person) -> None:
    for ask in (ann, ann.modern):
        found = ask("GET", f"/os-quota-sets/{ann.uuid}").json()["quota_set"]
        assert found["id"] == ann.uuid
        assert [found[key] for key in ("instances", "ram", "floating_ips", "cores", "networks")] == [4, 4096, 2, -1, -1]
        assert ask("GET", f"/os-quota-sets/{ann.uuid}/defaults").json()["quota_set"]["instances"] == 4
    detail = ann.modern("GET", f"/os-quota-sets/{ann.uuid}/detail").json()["quota_set"]
    assert detail["instances"] == {"limit": 4, "in_use": 1, "reserved": 2}
    assert detail["ram"] == {"limit": 4096, "in_use": 1024, "reserved": 0}
    assert detail["cores"] == {"limit": -1, "in_use": 0, "reserved": 0}


def test_limits_agree_with_the_quota_set(ann: Person) -> None:
    absolute = ann.modern("GET", "/limits").json()["limits"]["absolute"]
    assert (absolute["maxTotalInstances"], absolute["totalInstancesUsed"], absolute["maxTotalRAMSize"]) == (4, 3, 4096)


@pytest.mark.parametrize("rest", ["", "/detail", "/defaults"])
def test_other_projects_are_closed(ann: Person, rest: str) -> None:
    assert ann.modern("GET", f"/os-quota-sets/{uuid.uuid4()}{rest}").status_code == 403
    assert ann.modern("GET", f"/os-quota-sets/%00{rest}").status_code in {400, 403, 404}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_limits_cannot_be_set_here(ann: Person, method: str) -> None:
    assert ann.modern(method, f"/os-quota-sets/{ann.uuid}", {"quota_set": {"instances": 99}}).status_code == 403
    assert ann.modern("GET", f"/os-quota-sets/{ann.uuid}").json()["quota_set"]["instances"] == 4


def test_the_network_quota_follows_the_same_counters(ann: Person) -> None:
    found = ann.send("GET", f"/cyclades/network/v2.0/quotas/{ann.uuid}").json()["quota"]
    assert (found["floatingip"], found["network"], found["port"]) == (2, -1, -1)
