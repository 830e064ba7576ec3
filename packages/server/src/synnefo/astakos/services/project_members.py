"""Who belongs to a project. Every verb locks the project, then looks at the membership: seats are never given twice."""

from __future__ import annotations

from collections.abc import Callable

from synnefo.astakos.models import (
    ACTIVE_MEMBERSHIPS,
    SEATED,
    JoinPolicy,
    MembershipLog,
    MembershipState,
    Project,
    ProjectMembership,
    User,
)
from synnefo.astakos.services import audit, limits, project_mails, project_rules, project_states, quota_policy
from synnefo.astakos.services.project_rules import Actor
from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, NotFound, StateConflict

State = MembershipState
OUTSIDE = (State.REJECTED, State.CANCELLED, State.REMOVED)
Verb = Callable[[ProjectMembership, Actor, str], None]


def get(number: int) -> ProjectMembership:
    """Raises `NotFound`."""
    found = ProjectMembership.objects.select_related("project", "project__owner", "user").filter(pk=number).first()
    if found is None:
        raise NotFound(f"Membership {number} does not exist.")
    return found


def _move(membership: ProjectMembership, state: State, actor: Actor, reason: str, action: str = "") -> None:
    before = "" if membership._state.adding else membership.state
    membership.state = state
    membership.was_accepted = membership.was_accepted or state == State.ACCEPTED
    membership.save()
    MembershipLog.objects.create(membership=membership, from_state=before, to_state=state, actor=project_rules.uuid_of(actor),
                                 reason=reason[: project_states.MAX_REASON])
    audit.record(f"membership.{state}", actor=project_rules.uuid_of(actor) or audit.OPERATOR, target=membership.user.uuid,
                 project=membership.project.uuid, before=before)
    if state == State.REMOVED:
        User.objects.filter(pk=membership.user_id, default_project=membership.project.uuid).update(default_project="")
    if membership.was_accepted:
        limits.apply([membership.project])
    if action:
        quota_policy.membership_changed(membership, action)


def _require(membership: ProjectMembership, *states: State) -> None:
    if membership.state not in states:
        raise StateConflict(f"The membership is {membership.state}; this needs {' or '.join(states)}.")


def _require_alive(project: Project) -> None:
    if not project.is_alive:
        raise StateConflict(f"The project is {project.state}: it takes no changes of members.")


def _require_join_open(project: Project) -> None:
    _require_alive(project)
    if project.join_policy == JoinPolicy.CLOSED:
        raise StateConflict("The project takes no new members. Its owner may apply for another join policy.")


def _require_leave_open(project: Project) -> None:
    _require_alive(project)
    if project.leave_policy == JoinPolicy.CLOSED:
        raise StateConflict("Members cannot leave the project. Its owner may apply for another leave policy.")


def _has_seat(project: Project) -> bool:
    return project.memberships.filter(state__in=SEATED).count() < project.max_members


def _require_seat(project: Project) -> None:
    if not _has_seat(project):
        raise StateConflict(f"The project has its {project.max_members} members already. Remove one, or apply for more.")


def _of(project: Project, user: User) -> ProjectMembership:
    """The user's row, new when there is none."""
    found = project.memberships.select_related("user").filter(user=user).first() or ProjectMembership(project=project, user=user)
    found.project = project
    return found


@transactional()
def join(user: User, uuid: str) -> ProjectMembership:
    """Ask to join, or join at once where the project lets everybody in and has a seat. A full one turns it into a request.

    Raises `NotFound`, `StateConflict`; `Forbidden` for a private project with which the user had nothing to do.
    """
    project = project_states.lock_project(uuid)
    membership = _of(project, user)
    if project.private and membership._state.adding and not project_rules.is_manager(user, project):
        raise Forbidden("You have no access to this project.")
    _require_join_open(project)
    if not membership._state.adding:
        _require(membership, *OUTSIDE)
    if project.join_policy == JoinPolicy.AUTO and _has_seat(project):
        _move(membership, State.ACCEPTED, user, "", "JOIN")
        return membership
    _move(membership, State.REQUESTED, user, "", "JOIN")
    project_mails.requested(membership)
    return membership


@transactional()
def enroll(actor: Actor, uuid: str, email: str) -> ProjectMembership:
    """Make a user a member, without a request of his. Raises `NotFound` for the project, `Forbidden`, `StateConflict`."""
    project = project_states.lock_project(uuid)
    project_rules.require_manager(actor, project)
    user = User.objects.filter(email=email.strip().lower(), email_verified=True, moderated=True, is_rejected=False).first()
    if user is None or not user.is_active:
        raise StateConflict(f"There is no active user with the e-mail {email[:254]}.")
    _require_join_open(project)
    membership = _of(project, user)
    if not membership._state.adding:
        _require(membership, State.REQUESTED, *OUTSIDE)
    _require_seat(project)
    _move(membership, State.ACCEPTED, actor, "", "ENROLL")
    project_mails.enrolled(membership)
    return membership


def _require_own(membership: ProjectMembership, actor: Actor) -> None:
    if not ((actor is not None and membership.user_id == actor.pk) or project_rules.is_admin(actor)):
        raise Forbidden("Only the user himself and administrators may do this.")


def _accept(membership: ProjectMembership, actor: Actor, reason: str) -> None:
    project_rules.require_manager(actor, membership.project)
    _require_join_open(membership.project)
    _require(membership, State.REQUESTED)
    if not membership.user.is_active:
        raise StateConflict("The user's account is not active.")
    _require_seat(membership.project)
    _move(membership, State.ACCEPTED, actor, reason, "ACCEPT")
    project_mails.membership_changed(membership, "accepted")


def _reject(membership: ProjectMembership, actor: Actor, reason: str) -> None:
    project_rules.require_manager(actor, membership.project)
    _require_alive(membership.project)
    _require(membership, State.REQUESTED)
    _move(membership, State.REJECTED, actor, reason)
    project_mails.membership_changed(membership, "rejected")


def _cancel(membership: ProjectMembership, actor: Actor, reason: str) -> None:
    _require_own(membership, actor)
    _require_alive(membership.project)
    _require(membership, State.REQUESTED)
    _move(membership, State.CANCELLED, actor, reason)


def _leave(membership: ProjectMembership, actor: Actor, reason: str) -> None:
    _require_own(membership, actor)
    _require_leave_open(membership.project)
    if membership.project.leave_policy == JoinPolicy.AUTO:
        _require(membership, *SEATED)
        _move(membership, State.REMOVED, actor, reason, "LEAVE")
        return
    _require(membership, State.ACCEPTED)  # a suspended member that asks to leave would get his quota back
    _move(membership, State.LEAVE_REQUESTED, actor, reason)
    project_mails.requested(membership, leave=True)


def _remove(membership: ProjectMembership, actor: Actor, reason: str) -> None:
    project_rules.require_manager(actor, membership.project)
    _require_leave_open(membership.project)
    _require(membership, *SEATED)
    _move(membership, State.REMOVED, actor, reason, "REMOVE")
    project_mails.membership_changed(membership, "removed")


def _deny_leave(membership: ProjectMembership, actor: Actor, reason: str) -> None:
    project_rules.require_manager(actor, membership.project)
    _require_alive(membership.project)
    _require(membership, State.LEAVE_REQUESTED)
    _move(membership, State.ACCEPTED, actor, reason)


def _cancel_leave(membership: ProjectMembership, actor: Actor, reason: str) -> None:
    _require_own(membership, actor)
    _require_alive(membership.project)
    _require(membership, State.LEAVE_REQUESTED)
    _move(membership, State.ACCEPTED, actor, reason)


def _require_initialized(membership: ProjectMembership) -> None:
    if not membership.project.is_initialized:
        raise StateConflict(f"The project is {membership.project.state}.")


def suspend_locked(membership: ProjectMembership, actor: Actor, reason: str = "") -> None:
    """The seat stays, the quota goes. Needs the project locked. Raises `StateConflict`."""
    _require_initialized(membership)
    _require(membership, *ACTIVE_MEMBERSHIPS)
    _move(membership, State.SUSPENDED, actor, reason, "SUSPEND")
    project_mails.membership_changed(membership, "suspended")


def unsuspend_locked(membership: ProjectMembership, actor: Actor, reason: str = "") -> None:
    """An accepted member again. Needs the project locked. Raises `StateConflict`."""
    _require_initialized(membership)
    _require(membership, State.SUSPENDED)
    _move(membership, State.ACCEPTED, actor, reason, "UNSUSPEND")
    project_mails.membership_changed(membership, "unsuspended")


def _suspend(membership: ProjectMembership, actor: Actor, reason: str) -> None:
    project_rules.require_admin(actor)
    suspend_locked(membership, actor, reason)


def _unsuspend(membership: ProjectMembership, actor: Actor, reason: str) -> None:
    project_rules.require_admin(actor)
    unsuspend_locked(membership, actor, reason)


VERBS: dict[str, Verb] = {
    "leave": _leave, "cancel": _cancel, "accept": _accept, "reject": _reject, "remove": _remove, "deny_leave": _deny_leave,
    "cancel_leave": _cancel_leave, "suspend": _suspend, "unsuspend": _unsuspend}


@transactional()
def act(actor: Actor, number: int, action: str, reason: str = "") -> ProjectMembership:
    """One of `VERBS`. Raises `NotFound`, `Forbidden`, `StateConflict`."""
    project = project_states.lock_project(get(number).project.uuid)
    membership = get(number)  # as it is under the lock
    membership.project = project
    VERBS[action](membership, actor, reason)
    return membership


def allowed_actions(membership: ProjectMembership, actor: Actor, *, is_admin: bool) -> list[str]:
    """What the actor may do now, seats aside. No query: `is_admin` is given."""
    project, state = membership.project, membership.state
    own = is_admin or (actor is not None and membership.user_id == actor.pk)
    manager = is_admin or (actor is not None and project.owner_id == actor.pk)
    can_join = project.is_alive and project.join_policy != JoinPolicy.CLOSED
    can_leave = project.is_alive and project.leave_policy != JoinPolicy.CLOSED
    leaves = SEATED if project.leave_policy == JoinPolicy.AUTO else (State.ACCEPTED,)
    rules = {
        "leave": own and can_leave and state in leaves, "cancel": own and project.is_alive and state == State.REQUESTED,
        "accept": manager and can_join and state == State.REQUESTED, "reject": manager and project.is_alive and state == State.REQUESTED,
        "remove": manager and can_leave and state in SEATED,
        "deny_leave": manager and project.is_alive and state == State.LEAVE_REQUESTED,
        "cancel_leave": own and project.is_alive and state == State.LEAVE_REQUESTED}
    return [name for name, allowed in rules.items() if allowed]
