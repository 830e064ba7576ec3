"""Operators make one account of two, and look after accounts that were closed."""

from __future__ import annotations

import pytest

from synnefo.astakos.models import LoginMethod, MembershipState, Project, ProjectState, User
from synnefo.astakos.services import project_members
from tests.support.commands import run
from tests.support.projects import define_resources, person, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> tuple[User, User]:
    define_resources()
    return person("old"), person("new")


def test_two_accounts_become_one(people: tuple[User, User]) -> None:
    old, new = people
    mine, other = running(old), running(person("eve"), "two.example.org")
    full = running(person("joe"), "three.example.org", max_members=1)
    for project in (mine, other, full):
        project_members.join(old, project.uuid)
    LoginMethod.objects.create(user=old, module="google", identifier="4711")
    LoginMethod.objects.create(user=old, module="ldap", identifier="ann")
    LoginMethod.objects.create(user=new, module="ldap", identifier="ann")
    User.objects.filter(pk=old.pk).update(default_project=other.uuid)
    done = run("user-merge", "--force", old.email, new.email)
    assert done.code == 0, done.err
    assert "Membership of three.example.org not moved: The project has its 1 members already" in done.err
    assert f"server-list --user {old.uuid}" in done.out
    old.refresh_from_db()
    new.refresh_from_db()
    assert old.status == f"Accepted/Inactive (merged into {new.uuid}) (accepted policy: {old.accepted_policy})"
    assert new.default_project == other.uuid
    assert Project.objects.get(pk=mine.pk).owner == new
    assert Project.objects.get(pk=mine.pk).state == ProjectState.ACTIVE, "it is not the closed account's any more"
    assert set(new.memberships.filter(state=MembershipState.ACCEPTED, project__is_base=False).values_list("project__realname", flat=True)) == {
        "one.example.org", "two.example.org"}
    assert set(new.login_methods.values_list("module", "identifier")) >= {("google", "4711"), ("ldap", "ann")}
    assert not old.login_methods.exclude(module="local").exists()
    assert run("user-merge", "--force", old.email, new.email).code == 0, "it can be repeated"


def test_what_is_not_merged(people: tuple[User, User]) -> None:
    old, new = people
    assert run("user-merge", "--force", old.email, old.email).code == 1
    assert run("user-merge", "--force", old.email, "nobody").code == 1
    assert run("user-merge", old.email, new.email).code != 0, "without an answer"
    run("user-modify", "--set-inactive", new.email)
    assert run("user-merge", "--force", old.email, new.email).code == 1
    run("user-modify", "--set-active", new.email)
    run("user-modify", "--set-admin", old.email)
    assert run("user-merge", "--force", old.email, new.email).code == 1
    old.refresh_from_db()
    assert old.is_active


def test_closed_accounts_whose_projects_still_work(people: tuple[User, User]) -> None:
    old, new = people
    project = running(old)
    project_members.join(old, project.uuid)
    assert run("check-deactivated", "--all-users").code == 0
    User.objects.filter(pk=old.pk).update(is_active=False)  # as a cut-off command may have left it
    found = run("check-deactivated", "--all-users")
    assert (found.code, found.out) == (1, f"old@example.org: not suspended: one.example.org, system:{old.uuid}\n")
    assert run("check-deactivated", "--noemail", old.uuid).out.startswith(old.uuid)
    assert run("check-deactivated", old.email, "--fix").code == 0
    project.refresh_from_db()
    assert project.state == ProjectState.SUSPENDED
    assert run("check-deactivated", "--all-users").code == 0
    assert run("check-deactivated").code == 2
    assert run("check-deactivated", "--all-users", new.email).code == 2
    assert run("user-modify", "--set-active", old.email).code == 0
    project.refresh_from_db()
    assert project.state == ProjectState.ACTIVE
