"""Projects, applications and memberships: states, limits, seats, names and what users' accounts do to them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.utils import timezone

from synnefo.astakos.models import MembershipState, Project, ProjectMembership, QueuedMail, User
from synnefo.astakos.services import applications, project_expiry, project_members, project_states, user_changes
from synnefo.astakos.services.project_definitions import Definition
from synnefo.common.errors import AlreadyExists, Forbidden, InvalidInput, StateConflict
from tests.support.projects import (
    PENDING,
    VM,
    apply_for,
    assert_limits,
    define_resources,
    later,
    pending_of,
    person,
    running,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _resources() -> None:
    define_resources()


def _state(project: Project) -> str:
    return Project.objects.get(pk=project.pk).state


def _activate(user: User, active: bool) -> None:
    user_changes.modify_user(user.user_id, user_changes.Changes(active=active))


def test_a_third_application_more_than_allowed_is_refused_until_one_is_cancelled() -> None:
    ann = person("ann", pending=2)
    first = apply_for(ann)
    apply_for(ann)
    with pytest.raises(StateConflict, match="limit of pending"):
        apply_for(ann)
    assert Project.objects.filter(is_base=False).count() == 2
    applications.cancel(ann, first.pk)
    assert pending_of(ann) == 1
    assert _state(first.project) == "deleted"
    apply_for(ann)
    assert pending_of(ann) == 2


def test_an_administrator_who_replaces_an_application_is_charged_in_its_place(settings_override: Any) -> None:
    ann, root = person("ann"), person("root", pending=0)
    project = running(ann)
    settings_override(ASTAKOS_PROJECT_ADMINS=[root.uuid])
    mine = applications.submit_modification(ann, project.uuid, Definition(max_members=3))
    assert pending_of(ann) == 1
    applications.submit_modification(root, project.uuid, Definition(max_members=4))
    assert (pending_of(ann), pending_of(root)) == (0, 1)
    last = applications.submit_modification(ann, project.uuid, Definition(max_members=5))
    assert (pending_of(ann), pending_of(root)) == (1, 0)
    with pytest.raises(StateConflict, match="not the last"):
        applications.approve(None, mine.pk)
    applications.approve(None, last.pk)
    assert pending_of(ann) == 0
    assert Project.objects.get(pk=project.pk).max_members == 5


def test_a_name_is_claimed_by_one_project_at_a_time() -> None:
    ann = person("ann")
    first, second = apply_for(ann), apply_for(ann)
    applications.approve(None, first.pk)
    with pytest.raises(AlreadyExists, match="Another project"):
        applications.approve(None, second.pk)
    project_states.terminate(None, first.project.uuid)
    applications.approve(None, second.pk)
    with pytest.raises(AlreadyExists):
        project_states.reinstate(None, first.project.uuid)
    same = applications.submit_modification(ann, first.project.uuid, Definition(max_members=2))
    with pytest.raises(AlreadyExists):
        applications.approve(None, same.pk)
    other = applications.submit_modification(ann, first.project.uuid, Definition(name="two.example.org"))
    applications.approve(None, other.pk)
    assert _state(first.project) == "active"
    assert_limits()


def test_a_denied_application_must_be_dismissed() -> None:
    ann, bob = person("ann"), person("bob")
    application = apply_for(ann)
    with pytest.raises(Forbidden):
        applications.deny(ann, application.pk)
    applications.deny(None, application.pk, "too big")
    assert (pending_of(ann), _state(application.project)) == (0, "uninitialized")
    with pytest.raises(StateConflict):
        applications.cancel(ann, application.pk)
    with pytest.raises(Forbidden):
        applications.dismiss(bob, application.pk)
    applications.dismiss(ann, application.pk)
    assert _state(application.project) == "deleted"
    assert "too big" in QueuedMail.objects.get(template="im/projects/project_denial_notification.txt").body


def test_approval_changes_what_is_asked_for_and_nothing_else() -> None:
    ann = person("ann")
    project = running(ann, description="old", max_members=7)
    change = applications.submit_modification(ann, project.uuid, Definition(description="new", resources={VM: (1, 2)}))
    applications.approve(None, change.pk)
    found = Project.objects.get(pk=project.pk)
    assert (found.description, found.max_members, found.realname) == ("new", 7, "one.example.org")
    assert {item.resource.name: (item.member_capacity, item.project_capacity) for item in found.quotas.all()}[VM] == (1, 2)
    assert_limits()


def test_what_an_application_cannot_ask_for() -> None:
    ann = person("ann")
    for wanted in ({"resources": {"no.such": (1, 1)}}, {"resources": {PENDING: (1, 1)}}, {"resources": {VM: (2, 1)}},
                   {"end_date": timezone.now()}):
        with pytest.raises(InvalidInput):
            apply_for(ann, **wanted)
    with pytest.raises(StateConflict):
        applications.submit_modification(ann, apply_for(ann).project.uuid, Definition(max_members=1))


def test_a_system_project_keeps_its_name_and_never_ends() -> None:
    ann = person("ann")
    with pytest.raises(InvalidInput):
        applications.modify(None, ann.uuid, Definition(description="x"))
    with pytest.raises(Forbidden):
        applications.submit_modification(ann, ann.uuid, Definition(max_members=2))
    with pytest.raises(StateConflict):
        project_states.terminate(None, ann.uuid)
    applications.modify(None, ann.uuid, Definition(resources={VM: (3, 3)}), "more")
    log = Project.objects.get(uuid=ann.uuid).log.get()
    assert (log.reason, log.comments, log.to_state) == ("more", "changed: resources", "active")
    assert_limits()


def test_the_way_of_a_membership() -> None:
    ann, bob = person("ann"), person("bob")
    project = running(ann, join_policy="moderated", leave_policy="moderated")
    asked = project_members.join(bob, project.uuid)
    assert asked.state == MembershipState.REQUESTED
    assert project_members.allowed_actions(asked, ann, is_admin=False) == ["accept", "reject"]
    for refused in ("leave", "remove", "deny_leave"):
        with pytest.raises(StateConflict):
            project_members.act(None, asked.pk, refused)
    with pytest.raises(Forbidden):
        project_members.act(bob, asked.pk, "accept")
    project_members.act(ann, asked.pk, "reject")
    assert project_members.join(bob, project.uuid).pk == asked.pk
    project_members.act(ann, asked.pk, "accept")
    assert_limits()
    User.objects.filter(pk=bob.pk).update(default_project=project.uuid)
    project_members.act(bob, asked.pk, "leave")
    with pytest.raises(StateConflict):
        project_members.act(bob, asked.pk, "leave")
    project_members.act(ann, asked.pk, "deny_leave")
    project_members.act(None, asked.pk, "suspend")
    with pytest.raises(StateConflict):
        project_members.act(bob, asked.pk, "leave")
    assert_limits()
    project_members.act(None, asked.pk, "unsuspend")
    project_members.act(ann, asked.pk, "remove")
    assert User.objects.get(pk=bob.pk).default_project_id == bob.uuid
    assert_limits()


def test_a_full_project_turns_joining_into_a_request() -> None:
    ann, bob, eve = person("ann"), person("bob"), person("eve")
    project = running(ann, max_members=1)
    assert project_members.join(bob, project.uuid).state == "accepted"
    asked = project_members.join(eve, project.uuid)
    assert asked.state == "requested"
    assert QueuedMail.objects.filter(recipient__contains="ann@", template__contains="membership_request").count() == 1
    project_members.act(None, ProjectMembership.objects.get(user=bob, project=project).pk, "suspend")
    with pytest.raises(StateConflict, match="1 members already"):
        project_members.act(ann, asked.pk, "accept")


def test_closed_policies_bind_everybody() -> None:
    ann, bob = person("ann"), person("bob")
    project = running(ann, leave_policy="closed")
    membership = project_members.enroll(ann, project.uuid, "BOB@example.org")
    for actor, action in ((bob, "leave"), (ann, "remove"), (None, "remove")):
        with pytest.raises(StateConflict):
            project_members.act(actor, membership.pk, action)
    with pytest.raises(StateConflict):
        project_members.enroll(ann, project.uuid, "bob@example.org")
    private = running(ann, "two.example.org", private=True)
    with pytest.raises(Forbidden):
        project_members.join(bob, private.uuid)


def test_a_closed_account_suspends_and_an_opened_one_restores_only_that() -> None:
    ann, bob = person("ann"), person("bob")
    project, other = running(ann), running(ann, "two.example.org")
    membership = project_members.join(bob, project.uuid)
    own = project_members.join(ann, project.uuid)
    project_states.suspend(None, other.uuid, "misuse")
    _activate(ann, False)
    assert (_state(project), _state(other), Project.objects.get(uuid=ann.uuid).state) == ("suspended", "suspended", "suspended")
    assert ProjectMembership.objects.get(pk=own.pk).state == "suspended"
    assert ProjectMembership.objects.get(pk=membership.pk).state == "accepted"
    assert_limits()
    _activate(ann, True)
    assert (_state(project), _state(other), Project.objects.get(uuid=ann.uuid).state) == ("active", "suspended", "active")
    assert ProjectMembership.objects.get(pk=own.pk).state == "accepted"
    assert_limits()


def test_expired_projects_end_and_owners_are_warned_once() -> None:
    ann = person("ann")
    near, gone = running(ann, end_date=later(5)), running(ann, "two.example.org")
    Project.objects.filter(pk=gone.pk).update(end_date=timezone.now() - datetime.timedelta(hours=1))
    project_expiry.daily()
    project_expiry.daily()
    assert (_state(near), _state(gone), Project.objects.get(pk=gone.pk).name) == ("active", "terminated", None)
    (warning,) = QueuedMail.objects.filter(template="im/projects/project_expiry_warning_notification.txt")
    assert "one.example.org" in warning.subject
    assert "5 days" in warning.subject
    assert Project.objects.get(uuid=ann.uuid).state == "active"
    assert_limits()
