"""What happens to a user's projects and memberships when his account is closed and opened again."""

from __future__ import annotations

import structlog

from synnefo.astakos.models import ACTIVE_MEMBERSHIPS, MembershipState, Project, ProjectState, User
from synnefo.astakos.services import project_members, project_states
from synnefo.common.errors import StateConflict

log = structlog.get_logger(__name__)
DEACTIVATION = "user_deactivation"
REACTIVATION = "user_reactivation"


def _lock_all(user: User) -> list[Project]:
    """His system project, those he owns and those he belongs to, in the order in which all lock them."""
    ids = {*Project.objects.filter(uuid=user.uuid).values_list("pk", flat=True), *user.projects_owned.values_list("pk", flat=True),
           *user.memberships.values_list("project_id", flat=True)}
    return list(Project.objects.select_for_update(of=("self",)).select_related("owner").filter(pk__in=ids).order_by("pk"))


def suspend_all(user: User) -> None:
    """Needs the caller's transaction. What cannot be suspended stays as it is."""
    projects = {project.pk: project for project in _lock_all(user)}
    for membership in user.memberships.filter(state__in=ACTIVE_MEMBERSHIPS).order_by("project_id"):
        membership.project, membership.user = projects[membership.project_id], user
        try:
            project_members.suspend_locked(membership, None, DEACTIVATION)
        except StateConflict as error:
            log.info("user.membership.kept", membership=membership.pk, why=error.public)
    for project in projects.values():
        if project.state == ProjectState.ACTIVE and (project.uuid == user.uuid or project.owner_id == user.pk):
            project_states.suspend_locked(project, None, DEACTIVATION)


def restore_all(user: User) -> None:
    """Undo what `suspend_all` did, and nothing that an administrator suspended meanwhile. Needs the caller's transaction."""
    projects = {project.pk: project for project in _lock_all(user)}
    for project in projects.values():
        is_his = project.uuid == user.uuid or project.owner_id == user.pk
        last = project.log.filter(to_state__in=(ProjectState.SUSPENDED, ProjectState.TERMINATED)).last()
        if is_his and project.state == ProjectState.SUSPENDED and last is not None and last.reason == DEACTIVATION:
            project_states.unsuspend_locked(project, None, REACTIVATION)
    for membership in user.memberships.filter(state=MembershipState.SUSPENDED).order_by("project_id"):
        last_log = membership.log.filter(to_state=MembershipState.SUSPENDED).last()
        if last_log is not None and last_log.reason == DEACTIVATION and projects[membership.project_id].is_initialized:
            membership.project, membership.user = projects[membership.project_id], user
            project_members.unsuspend_locked(membership, None, REACTIVATION)
