"""Who gets which mail about a project, when nobody does, and the operator's own rules."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from synnefo.astakos.models import ProjectMembership, QueuedMail, User
from synnefo.astakos.services import applications, project_members, project_states, user_changes
from synnefo.astakos.services.project_definitions import Definition
from synnefo.common.errors import StateConflict
from tests.support.projects import VM, apply_for, define_resources, person, running

pytestmark = pytest.mark.django_db(transaction=True)
STAFF = "desk@example.org"


@pytest.fixture(autouse=True)
def _cloud(settings_override: Any) -> None:
    define_resources()
    desk = [("Desk", STAFF)]
    settings_override(BRANDING_SERVICE_NAME="Cloud", PROJECT_CREATION_RECIPIENTS=desk, PROJECT_MODIFICATION_RECIPIENTS=desk,
                      PROJECT_NOTIFICATIONS_RECIPIENTS=desk)


@pytest.fixture
def ann() -> User:
    return person("ann")


@pytest.fixture
def bob() -> User:
    return person("bob")


def sent(act: Callable[[], object]) -> list[tuple[str, str, str]]:
    """(template, recipient, subject) of the mails that the act queues, and only their templates' last parts."""
    before = set(QueuedMail.objects.values_list("pk", flat=True))
    act()
    return [(mail.template.rpartition("/")[2].removesuffix(".txt"), mail.recipient.rpartition("<")[2].strip("<>"), mail.subject)
            for mail in QueuedMail.objects.exclude(pk__in=before).order_by("pk")]


def last() -> str:
    return QueuedMail.objects.latest("pk").body


def membership(project: Any, user: User) -> ProjectMembership:
    return ProjectMembership.objects.get(project=project, user=user)


def test_a_new_application_and_its_approval(ann: User) -> None:
    application: list[Any] = []
    assert sent(lambda: application.append(apply_for(ann, description="R&D <fast>"))) == [
        ("project_creation_notification", STAFF, "Cloud: new application for project one.example.org")]
    assert f"project-control --approve {application[0].pk}" in last()
    assert "R&D <fast>" in last(), "a text is no markup"
    assert f"{VM}: 5 for each member, 20 for all" in last()
    approved = sent(lambda: applications.approve(None, application[0].pk))
    assert [item[:2] for item in approved] == [("project_approval_notification", ann.email), ("application_approved_admin_email", STAFF)]


def test_a_change_goes_to_those_who_decide_and_its_answer_to_applicant_and_owner(ann: User, bob: User, settings_override: Any) -> None:
    settings_override(ASTAKOS_PROJECT_ADMINS=[bob.uuid])
    project = running(ann)
    application: list[Any] = []
    assert [item[:2] for item in sent(lambda: application.append(applications.submit_modification(bob, project.uuid, Definition(max_members=9))))] == [
        ("project_modification_notification", STAFF)]
    assert "9" in last()
    assert "Joining" not in last()
    denied = sent(lambda: applications.deny(None, application[0].pk, "too <big> & slow"))
    assert sorted(item[:2] for item in denied) == [("project_denial_notification", ann.email), ("project_denial_notification", bob.email)]
    assert "too <big> & slow" in last()
    assert sent(lambda: applications.dismiss(bob, application[0].pk)) == []
    again = applications.submit_modification(ann, project.uuid, Definition(max_members=9))
    assert sent(lambda: applications.cancel(ann, again.pk)) == []


def test_requests_reach_the_owner_and_answers_the_member(ann: User, bob: User) -> None:
    project = running(ann, join_policy="moderated", leave_policy="moderated")
    assert [item[:2] for item in sent(lambda: project_members.join(bob, project.uuid))] == [("project_membership_request_notification", ann.email)]
    assert bob.email in last()
    number = membership(project, bob).pk
    assert sent(lambda: project_members.act(bob, number, "cancel")) == []
    project_members.join(bob, project.uuid)
    change = "project_membership_change_notification"
    assert sent(lambda: project_members.act(ann, number, "reject")) == [(change, bob.email, "Cloud: your membership of project one.example.org was rejected")]
    project_members.join(bob, project.uuid)
    assert sent(lambda: project_members.act(ann, number, "accept")) == [(change, bob.email, "Cloud: your membership of project one.example.org was accepted")]
    assert [item[:2] for item in sent(lambda: project_members.act(bob, number, "leave"))] == [("project_membership_leave_request_notification", ann.email)]
    assert sent(lambda: project_members.act(ann, number, "remove")) == [(change, bob.email, "Cloud: your membership of project one.example.org was removed")]
    assert [item[:2] for item in sent(lambda: project_members.enroll(ann, project.uuid, bob.email))] == [("project_membership_enroll_notification", bob.email)]


def test_nobody_hears_of_what_he_did_himself(ann: User, bob: User) -> None:
    project = running(ann, join_policy="auto", leave_policy="auto")
    assert sent(lambda: project_members.join(bob, project.uuid)) == []
    assert sent(lambda: project_members.act(bob, membership(project, bob).pk, "leave")) == []


def test_the_owner_hears_what_becomes_of_the_project(ann: User) -> None:
    project = running(ann)
    for verb, template, words in ((project_states.suspend, "suspension", "suspended"), (project_states.unsuspend, "unsuspension", "active again"),
                                  (project_states.terminate, "termination", "has ended"), (project_states.reinstate, "reinstatement", "reinstated")):
        found = sent(lambda verb=verb: verb(None, project.uuid, "because"))  # type: ignore[misc]
        assert found == [(f"project_{template}_notification", ann.email, f"Cloud: project one.example.org {words}")], template


def test_closing_an_account_says_nothing_of_its_own_project(ann: User, bob: User) -> None:
    project = running(ann)
    project_members.join(bob, project.uuid)
    closed = sent(lambda: user_changes.modify_user(bob.user_id, user_changes.Changes(active=False)))
    assert [item for item in closed if "project" in item[0]] == [
        ("project_membership_change_notification", bob.email, "Cloud: your membership of project one.example.org was suspended")]


def test_a_mail_of_what_was_undone_is_never_sent(ann: User) -> None:
    first = apply_for(ann)
    running(ann)
    assert sent(lambda: _refused(first.pk)) == []


def _refused(number: int) -> None:
    with pytest.raises(StateConflict):
        applications.approve(None, number)  # its name was taken by the other meanwhile


def test_operators_word_subjects(ann: User, settings_override: Any) -> None:
    settings_override(ASTAKOS_PROJECT_SUSPENDED_SUBJECT_MESSAGE="Stop: {project}")
    project = running(ann)
    ((_, _, subject),) = sent(lambda: project_states.suspend(None, project.uuid, ""))
    assert subject == "Stop: one.example.org"


# QUOTA_POLICY_MODULE


@pytest.fixture
def policy(settings_override: Any) -> Iterator[list[tuple[str, str]]]:
    """A module that notes its calls, and refuses the members called eve."""
    calls: list[tuple[str, str]] = []
    module: Any = types.ModuleType("operators_policy")

    def check_state_membership(row: ProjectMembership, action: str) -> None:
        if row.user.email.startswith("eve@"):
            raise StateConflict("Not with us.")
        calls.append((row.user.email, action))

    module.check_state_membership = check_state_membership
    module.check_state_projects = lambda projects, action: calls.extend((project.realname, action) for project in projects)
    sys.modules[module.__name__] = module
    settings_override(QUOTA_POLICY_MODULE=module.__name__)
    yield calls
    del sys.modules[module.__name__]


def test_the_operators_rules_see_every_change(ann: User, bob: User, policy: list[tuple[str, str]]) -> None:
    project = running(ann, join_policy="auto")
    project_members.join(bob, project.uuid)
    number = membership(project, bob).pk
    project_members.act(bob, number, "leave")
    project_members.enroll(ann, project.uuid, bob.email)
    project_members.act(ann, number, "remove")
    for verb in (project_states.suspend, project_states.unsuspend, project_states.terminate, project_states.reinstate):
        verb(None, project.uuid, "")
    assert [action for name, action in policy if name == bob.email] == ["JOIN", "LEAVE", "ENROLL", "REMOVE"]
    assert [action for name, action in policy if name == project.realname] == ["MODIFY", "SUSPEND", "UNSUSPEND", "TERMINATE", "REINSTATE"]


def test_what_the_operators_rules_refuse_did_not_happen(ann: User, policy: list[tuple[str, str]]) -> None:
    project, eve = running(ann, join_policy="auto"), person("eve")
    with pytest.raises(StateConflict, match="Not with us"):
        project_members.join(eve, project.uuid)
    assert not ProjectMembership.objects.filter(project=project, user=eve).exists()


def test_rules_that_cannot_be_loaded_change_nothing(ann: User, settings_override: Any) -> None:
    settings_override(QUOTA_POLICY_MODULE="no.such.module")
    assert running(ann).state == "active"
