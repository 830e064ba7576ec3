"""The life of a project. Every verb locks the row, looks at the state, and writes limits and log in the same transaction."""

from __future__ import annotations

from django.utils import timezone

from synnefo.astakos.models import Project, ProjectLog, ProjectState, User
from synnefo.astakos.services import audit, limits, project_mails, project_rules, quota_policy
from synnefo.astakos.services.project_rules import Actor
from synnefo.common.db import lock_name, transactional
from synnefo.common.errors import AlreadyExists, NotFound, StateConflict

MAX_REASON = 4096


def lock_project(uuid: str) -> Project:
    """The row, locked until the transaction ends. Raises `NotFound`."""
    found = Project.objects.select_for_update(of=("self",)).select_related("owner", "last_application").filter(uuid=uuid.lower()).first()
    if found is None:
        raise NotFound(f"Project {uuid[:36]} does not exist.")
    return found


def claim_name(project: Project, name: str) -> None:
    """The project has this name, alone among those claimed. Waits for rivals, who claim one after the other. Raises `AlreadyExists`."""
    lock_name("project-names")
    if Project.objects.filter(name=name).exclude(pk=project.pk).exists():
        raise AlreadyExists(f"Another project is called {name}. Choose another name, or wait until that project has ended.")
    project.name = project.realname = name


def set_state(project: Project, state: ProjectState, actor: Actor, reason: str = "", comments: str = "") -> None:
    """Save the project in its new state with a line of the log; limits are the caller's business."""
    before, project.state = project.state, state
    project.save()
    note(project, before, actor, reason, comments)


def note(project: Project, before: str, actor: Actor, reason: str = "", comments: str = "") -> None:
    ProjectLog.objects.create(project=project, from_state=before, to_state=project.state, actor=project_rules.uuid_of(actor),
                              reason=reason[:MAX_REASON], comments=comments[:MAX_REASON])
    audit.record(f"project.{project.state}", actor=project_rules.uuid_of(actor) or audit.OPERATOR, target=project.uuid, before=before,
                 reason=reason[:MAX_REASON])


def _end(project: Project, state: ProjectState, action: str, actor: Actor, reason: str) -> None:
    set_state(project, state, actor, reason)
    limits.apply([project])
    quota_policy.projects_changed([project], action)


def suspend_locked(project: Project, actor: Actor, reason: str = "") -> None:
    """Limits become 0. Raises `StateConflict` unless it is active. Needs the row locked."""
    if project.state != ProjectState.ACTIVE:
        raise StateConflict(f"The project is {project.state}: only an active one can be suspended.")
    _end(project, ProjectState.SUSPENDED, "SUSPEND", actor, reason)
    project_mails.state_changed(project, "suspension", reason)


def unsuspend_locked(project: Project, actor: Actor, reason: str = "") -> None:
    """Limits are as before. Raises `StateConflict` unless it is suspended. Needs the row locked."""
    if project.state != ProjectState.SUSPENDED:
        raise StateConflict(f"The project is {project.state}: only a suspended one can be made active again.")
    _end(project, ProjectState.ACTIVE, "UNSUSPEND", actor, reason)
    project_mails.state_changed(project, "unsuspension", reason)


def terminate_locked(project: Project, actor: Actor, reason: str = "") -> None:
    """Limits become 0, the name is free, and nobody has it as default. Raises `StateConflict`. Needs the row locked."""
    if project.is_base:
        raise StateConflict("A system project ends with its user only. Suspend it instead.")
    if not project.is_alive:
        raise StateConflict(f"The project is {project.state}: only an active or suspended one can be terminated.")
    project.name = None
    _end(project, ProjectState.TERMINATED, "TERMINATE", actor, reason)
    User.objects.filter(default_project=project.uuid).exclude(uuid=project.uuid).update(default_project="")
    project_mails.state_changed(project, "termination", reason)


@transactional()
def suspend(actor: Actor, uuid: str, reason: str = "") -> None:
    """Raises `NotFound`, `Forbidden`, `StateConflict`; so do the verbs below."""
    project = lock_project(uuid)
    project_rules.require_admin(actor)
    suspend_locked(project, actor, reason)


@transactional()
def unsuspend(actor: Actor, uuid: str, reason: str = "") -> None:
    project = lock_project(uuid)
    project_rules.require_admin(actor)
    unsuspend_locked(project, actor, reason)


@transactional()
def terminate(actor: Actor, uuid: str, reason: str = "") -> None:
    project = lock_project(uuid)
    project_rules.require_admin(actor)
    terminate_locked(project, actor, reason)


@transactional()
def reinstate(actor: Actor, uuid: str, reason: str = "") -> None:
    """A terminated project becomes active and claims its name again."""
    project = lock_project(uuid)
    project_rules.require_admin(actor)
    if project.state != ProjectState.TERMINATED:
        raise StateConflict(f"The project is {project.state}: only a terminated one can be reinstated.")
    claim_name(project, project.realname)
    _end(project, ProjectState.ACTIVE, "REINSTATE", actor, reason)
    project_mails.state_changed(project, "reinstatement", reason)


def expired() -> list[Project]:
    """Living projects past their end, system projects not."""
    return list(Project.objects.select_related("owner").filter(
        state__in=(ProjectState.ACTIVE, ProjectState.SUSPENDED), is_base=False, end_date__lte=timezone.now()).order_by("pk"))
