"""The operators' commands on projects: looking, answering, changing, ending."""

from __future__ import annotations

import datetime
import uuid

import pytest
from django.utils import timezone

from synnefo.astakos.models import Project, ProjectApplication, ProjectLog, User
from synnefo.astakos.quotaholder.models import Holding
from synnefo.astakos.services import applications, project_members
from synnefo.astakos.services.project_definitions import Definition
from tests.support.commands import run
from tests.support.projects import VM, apply_for, assert_limits, define_resources, person, running

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _resources() -> None:
    define_resources()


@pytest.fixture
def ann() -> User:
    return person("ann")


def _listed(*options: str) -> list[str]:
    return [row["name"] for row in run("project-list", *options, "--output-format", "json").json()]


def test_what_waits_for_an_answer_is_listed_with_its_number_last(ann: User) -> None:
    new = apply_for(ann, "new.example.org")
    project = running(ann, "changed.example.org")
    change = applications.submit_modification(ann, project.uuid, Definition(description="more"))
    running(ann, "quiet.example.org")
    assert _listed() == ["new.example.org", "changed.example.org", "quiet.example.org"]
    assert _listed("--new") == ["new.example.org"]
    assert _listed("--modified") == ["changed.example.org"]
    assert _listed("--pending") == ["new.example.org", "changed.example.org"]
    lines = run("project-list", "--pending", "--no-headers", "--output-format", "csv").out.splitlines()
    assert [int(line.split(",")[-1]) for line in lines] == [new.pk, change.pk]
    assert [line.split(",")[-2] for line in lines] == ["Pending", "Active"]


def test_ended_and_system_projects_are_listed_on_request(ann: User) -> None:
    project = running(ann, "one.example.org")
    assert run("project-control", "--terminate", project.uuid, "-m", "over").code == 0
    assert _listed() == []
    assert _listed("--deleted") == ["one.example.org"]
    assert _listed("--system-projects") == [f"system:{ann.uuid}"]
    assert set(_listed("--all")) == {"one.example.org", f"system:{ann.uuid}"}
    assert _listed("--all", "--owner", "ann@example.org") == ["one.example.org"]
    assert _listed("--all", "--name", "one.example.org") == _listed("--all", "--filter-by", "name=one.example.org,owner=ann@example.org")
    shown = run("project-list", "--deleted", "-o", "deactivation_date", "--output-format", "json").json()
    assert shown[0]["deactivation_date"]


def test_an_application_is_approved_by_its_number(ann: User) -> None:
    application = apply_for(ann)
    assert run("project-control", "--approve", str(application.pk), "-m", "welcome").code == 0
    assert Project.objects.get(pk=application.project_id).state == "active"
    assert ProjectApplication.objects.get(pk=application.pk).answer == "welcome"
    again = run("project-control", "--approve", str(application.pk))
    assert again.code == 1
    assert "approved" in again.err


def test_a_denied_application_keeps_its_reason(ann: User) -> None:
    application = apply_for(ann)
    assert run("project-control", "--deny", str(application.pk), "--message", "too much").code == 0
    assert ProjectApplication.objects.get(pk=application.pk).answer == "too much"
    assert run("project-list", "-o", "status", "--no-headers").out.strip() == "Denied"


def test_the_life_of_a_project(ann: User) -> None:
    project = running(ann)
    for option, state in (("suspend", "suspended"), ("unsuspend", "active"), ("terminate", "terminated"), ("reinstate", "active")):
        assert run("project-control", f"--{option}", project.uuid, "-m", f"why {option}").code == 0
        project.refresh_from_db()
        assert project.state == state
        assert ProjectLog.objects.filter(project=project).latest("pk").reason == f"why {option}"
        assert_limits()
    assert run("project-control", "--unsuspend", project.uuid).code == 1
    assert run("project-control", "--suspend", str(project.pk)).code == 0, "by the number of old installations"
    assert run("project-control", "--terminate", ann.uuid).code == 1, "a system project stays"


@pytest.mark.parametrize(("arguments", "code"), [
    ((), 2), (("--approve", "1", "--deny", "1"), 2), (("--approve", "x"), 2), (("--approve", "999999"), 1), (("--suspend", "0" * 30), 1),
    (("--suspend", str(uuid.uuid4())), 1), (("--check-expired", "--terminate-expired"), 2),
])
def test_wrong_use_of_project_control(arguments: tuple[str, ...], code: int) -> None:
    assert run("project-control", *arguments).code == code


def test_expired_projects(ann: User) -> None:
    project = running(ann)
    running(ann, "later.example.org")
    assert "0 projects" in run("project-control", "--check-expired").err
    Project.objects.filter(pk=project.pk).update(end_date=timezone.now() - datetime.timedelta(hours=1))
    found = run("project-control", "--check-expired", "--output-format", "json")
    assert [row["project"] for row in found.json()] == [project.uuid]
    assert "1 projects" in found.err
    assert run("project-control", "--terminate-expired").code == 0
    assert list(Project.objects.filter(state="terminated").values_list("uuid", flat=True)) == [project.uuid]
    assert_limits()


def test_showing_a_project(ann: User) -> None:
    project = running(ann)
    bob = person("bob")
    project_members.join(bob, project.uuid)
    change = applications.submit_modification(ann, project.uuid, Definition(description="more", resources={VM: (6, 30)}))
    shown = run("project-show", project.realname, "--members", "--quota", "--pending-app", "--output-format", "json").json()
    assert (shown["project id"], shown["status"], shown["pending_app"], shown["total members"]) == (project.uuid, "Active", change.pk, 1)
    assert shown["members"] == [{"uuid": bob.uuid, "email": "bob@example.org", "status": "accepted"}]
    limits = {row["resource"]: (row["max per member"], row["max per project"], row["usage"]) for row in shown["limits"]}
    assert limits[VM] == (5, 20, 0)
    assert [(row["max per member"], row["max per project"]) for row in shown["application limits"]] == [(6, 30)]
    assert {row["field"]: row["value"] for row in shown["application"]}["description"] == "more"
    by_number = run("project-show", "--app", str(change.pk), "--output-format", "json").json()
    assert by_number["application limits"] == shown["application limits"]
    assert run("project-show", project.uuid).code == 0
    assert run("project-show", "no.example.org").code == 1
    assert run("project-show", "--app", "x").code == 1
    Project.objects.create(realname=project.realname, end_date=project.end_date)
    assert "Several projects" in run("project-show", project.realname).err


def test_changing_a_project_in_place(ann: User) -> None:
    project = running(ann)
    bob = person("bob")
    result = run("project-modify", project.uuid, "--name", "new.example.org", "--owner", "bob@example.org", "--limit", VM, "7", "inf", "--max-members", "inf",
                 "--end-date", "2113-05-05", "--join-policy", "closed", "--private", "True", "-m", "moved")
    assert result.code == 0, result
    project.refresh_from_db()
    assert (project.name, project.owner_id, project.join_policy, project.private) == ("new.example.org", bob.pk, "closed", True)
    assert project.end_date == datetime.datetime(2113, 5, 5, tzinfo=datetime.UTC)
    assert Holding.objects.get(holder=f"project:{project.uuid}", resource=VM).limit == 2**63 - 1
    assert ProjectLog.objects.filter(project=project).latest("pk").reason == "moved"
    assert_limits()


def test_changing_all_system_projects(ann: User) -> None:
    bob = person("bob")
    assert run("project-modify", "--all-system-projects", "--exclude", bob.uuid, "--limit", VM, "3", "3").code == 0
    limits = dict(Holding.objects.filter(resource=VM).exclude(source="").values_list("holder", "limit"))
    assert limits == {f"user:{ann.uuid}": 3, f"user:{bob.uuid}": 10}


@pytest.mark.parametrize("arguments", [
    ("UUID",), ("UUID", "--exclude", "x", "--private", "True"), ("--private", "True"), ("UUID", "--all-system-projects", "--private", "True"),
    ("--all-system-projects", "--name", "x.example.org"), ("UUID", "--limit", VM, "many", "1"), ("UUID", "--end-date", "soon"),
])
def test_wrong_use_of_project_modify(ann: User, arguments: tuple[str, ...]) -> None:
    project = running(ann)
    assert run("project-modify", *(project.uuid if item == "UUID" else item for item in arguments)).code == 2


def test_changes_that_are_refused(ann: User) -> None:
    project, waiting = running(ann), apply_for(ann, "two.example.org").project
    running(ann, "three.example.org")
    for arguments in ((project.uuid, "--limit", VM, "5", "4"), (project.uuid, "--limit", "no.such", "1", "1"), (waiting.uuid, "--private", "True"),
                      (project.uuid, "--name", "three.example.org"), (ann.uuid, "--name", "x.example.org"), (project.uuid, "--owner", "nobody@example.org")):
        assert run("project-modify", *arguments).code == 1, arguments
    assert_limits()
