"""Applications and memberships in any order, held to a model: limits follow states, seats and names are never given twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from synnefo.astakos.models import SEATED, ApplicationState, Project, ProjectApplication, ProjectMembership, User
from synnefo.astakos.services import applications, project_members, project_states, user_changes
from synnefo.astakos.services.project_definitions import Definition
from synnefo.common.errors import Forbidden, StateConflict
from tests.support.projects import VM, apply_for, assert_limits, define_resources, pending_of, person

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("one.example.org", "two.example.org")
NEXT = {
    "suspend": ({"active"}, "suspended"), "unsuspend": ({"suspended"}, "active"),
    "terminate": ({"active", "suspended"}, "terminated"), "reinstate": ({"terminated"}, "active")}
"""What operators do to projects: from which states, to which."""
pick = st.integers(min_value=0, max_value=30)


class Projects(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        call_command("flush", interactive=False, verbosity=0)
        define_resources()
        self.people = [person(name, pending=3) for name in ("ann", "bob", "eve")]
        self.states: dict[int, str] = {}

    def _project(self, number: int) -> Project | None:
        rows = list(Project.objects.filter(is_base=False).order_by("pk"))
        return rows[number % len(rows)] if rows else None

    def _try(self, work: Callable[[], Any]) -> bool:
        try:
            work()
        except (StateConflict, Forbidden):
            return False
        return True

    @rule(who=st.integers(0, 2), name=st.sampled_from(NAMES), seats=st.integers(0, 2), join=st.sampled_from(["auto", "moderated", "closed"]),
          leave=st.sampled_from(["auto", "moderated"]))
    def submit(self, who: int, name: str, seats: int, join: str, leave: str) -> None:
        user = self.people[who]
        before = pending_of(user)
        done = self._try(lambda: apply_for(user, name, max_members=seats, join_policy=join, leave_policy=leave))
        assert done == (before < 3)
        if done:
            self.states[Project.objects.latest("pk").pk] = "uninitialized"

    @rule(number=pick, name=st.sampled_from([None, *NAMES]), capacity=st.integers(0, 4))
    def change(self, number: int, name: str | None, capacity: int) -> None:
        project = self._project(number)
        if project is not None and project.owner is not None:
            owner: User = project.owner
            self._try(lambda: applications.submit_modification(owner, project.uuid, Definition(name=name, resources={VM: (capacity, 4)})))

    @rule(number=pick, verb=st.sampled_from(["approve", "deny", "cancel", "dismiss"]))
    def decide(self, number: int, verb: str) -> None:
        rows = list(ProjectApplication.objects.order_by("pk"))
        if not rows:
            return
        row = rows[number % len(rows)]
        project, wanted = row.project, {"dismiss": "denied"}.get(verb, "pending")
        allowed = project.last_application_id == row.pk and row.state == wanted
        if verb == "approve":
            name = row.name or project.realname
            allowed = allowed and not Project.objects.filter(name=name).exclude(pk=project.pk).exists()
        assert self._try(lambda: getattr(applications, verb)(None, row.pk)) == allowed
        if allowed and verb == "approve":
            self.states[project.pk] = "active"
        if allowed and verb in {"cancel", "dismiss"} and self.states[project.pk] == "uninitialized":
            self.states[project.pk] = "deleted"

    @rule(number=pick, verb=st.sampled_from(sorted(NEXT)))
    def turn(self, number: int, verb: str) -> None:
        project = self._project(number)
        if project is None:
            return
        before, after = NEXT[verb]
        allowed = self.states[project.pk] in before
        if verb == "reinstate":
            allowed = allowed and not Project.objects.filter(name=project.realname).exists()
        assert self._try(lambda: getattr(project_states, verb)(None, project.uuid)) == allowed
        if allowed:
            self.states[project.pk] = after

    @rule(number=pick, who=st.integers(0, 2), enrolled=st.booleans())
    def enter(self, number: int, who: int, enrolled: bool) -> None:
        project, user = self._project(number), self.people[who]
        if project is not None:
            self._try(lambda: project_members.enroll(None, project.uuid, user.email) if enrolled else project_members.join(user, project.uuid))

    @rule(number=pick, verb=st.sampled_from(sorted(project_members.VERBS)))
    def member(self, number: int, verb: str) -> None:
        rows = list(ProjectMembership.objects.filter(project__is_base=False).order_by("pk"))
        if rows:
            row = rows[number % len(rows)]
            offered = verb in project_members.allowed_actions(row, None, is_admin=True)
            done = self._try(lambda: project_members.act(None, row.pk, verb))
            assert offered or not done or verb in {"suspend", "unsuspend"}
            assert done or not offered or verb == "accept"  # seats and closed accounts are not looked at before

    @rule(who=st.integers(0, 2))
    def close_and_open(self, who: int) -> None:
        user = self.people[who]
        active = sorted(Project.objects.filter(state="active").values_list("pk", flat=True))
        for wanted in (False, True):
            user_changes.modify_user(user.user_id, user_changes.Changes(active=wanted))
            assert_limits()
        assert sorted(Project.objects.filter(state="active").values_list("pk", flat=True)) == active

    @invariant()
    def limits_follow_states(self) -> None:
        assert_limits()

    @invariant()
    def states_are_as_in_the_model(self) -> None:
        assert dict(Project.objects.filter(is_base=False).values_list("pk", "state")) == self.states

    @invariant()
    def pending_applications_are_counted(self) -> None:
        pending = Counter(ProjectApplication.objects.filter(state=ApplicationState.PENDING).values_list("applicant", flat=True))
        for user in self.people:
            assert pending_of(user) == pending[user.pk]

    @invariant()
    def seats_and_names_are_given_once(self) -> None:
        for project in Project.objects.filter(is_base=False):
            assert project.memberships.filter(state__in=SEATED).count() <= project.max_members
            assert (project.name == project.realname) if project.is_alive else (project.name is None)


def test_projects_keep_to_the_model() -> None:
    run_state_machine_as_test(Projects, settings=settings(
        max_examples=6, stateful_step_count=20, deadline=None, database=None, suppress_health_check=list(HealthCheck)))
