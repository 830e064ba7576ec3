"""Applications: submitted, answered, withdrawn. Every verb locks the project before it looks."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.utils import timezone

from synnefo.astakos.models import ApplicationQuota, ApplicationState, Project, ProjectApplication, ProjectState, User
from synnefo.astakos.services import (
    limits,
    pending_apps,
    project_definitions,
    project_mails,
    project_rules,
    project_states,
    quota_policy,
)
from synnefo.astakos.services.project_definitions import Definition
from synnefo.astakos.services.project_rules import Actor
from synnefo.astakos.services.resources import lock_definitions
from synnefo.common.db import transactional
from synnefo.common.errors import InvalidInput, NotFound, StateConflict
from synnefo.common.ports import INFINITE


@dataclass(frozen=True, slots=True)
class Hints:
    """For the reviewers only."""

    start_date: datetime.datetime | None = None
    comments: str = ""


def get(number: int) -> ProjectApplication:
    """Raises `NotFound`."""
    found = ProjectApplication.objects.select_related("project", "project__owner", "applicant", "owner").filter(pk=number).first()
    if found is None:
        raise NotFound(f"Application {number} does not exist.")
    return found


@transactional()
def submit(actor: User, definition: Definition, hints: Hints = Hints()) -> ProjectApplication:
    """Apply for a new project. Raises `InvalidInput`, and `StateConflict` when too many applications are pending."""
    if definition.name is None or definition.end_date is None:
        raise InvalidInput("A new project needs a name and an end_date.")
    project = Project(realname=definition.name, owner=definition.owner or actor, end_date=definition.end_date, max_members=INFINITE)
    project_definitions.assign(project, definition)
    project.save()
    return _submit(actor, project, definition, hints, is_modification=False)


@transactional()
def submit_modification(actor: User, uuid: str, definition: Definition, hints: Hints = Hints()) -> ProjectApplication:
    """Apply for changes of a project; an older pending application gives way. Raises `NotFound`, `Forbidden`, `InvalidInput`, `StateConflict`."""
    project = project_states.lock_project(uuid)
    project_rules.require_manager(actor, project)
    if not project.is_initialized:
        raise StateConflict(f"The project is {project.state}: only one that was approved can be changed. Submit a new application.")
    if project.is_base and definition.changes_main():
        raise StateConflict("Owner, name, homepage and description of a system project cannot be changed.")
    return _submit(actor, project, definition, hints, is_modification=True)


def _submit(actor: User, project: Project, definition: Definition, hints: Hints, *, is_modification: bool) -> ProjectApplication:
    if definition.end_date is not None and definition.end_date <= timezone.now():
        raise InvalidInput("end_date must lie in the future.", field="end_date")
    lock_definitions()
    wanted = project_definitions.resources_of(definition, visible_only=True)
    last = project.last_application
    before = None
    if last is not None and last.state == ApplicationState.PENDING:
        before = last.applicant
        ProjectApplication.objects.filter(pk=last.pk).update(state=ApplicationState.REPLACED)
    application = ProjectApplication.objects.create(
        project=project, applicant=actor, is_modification=is_modification, name=definition.name,
        owner=definition.owner if is_modification else project.owner, start_date=hints.start_date, comments=hints.comments,
        **{key: getattr(definition if is_modification else project, key) for key in project_definitions.PLAIN if key != "owner"})
    ApplicationQuota.objects.bulk_create([
        ApplicationQuota(application=application, resource=resource, member_capacity=member, project_capacity=total)
        for resource, (member, total) in wanted.items()])
    project.last_application = application
    project.save(update_fields=["last_application", "updated_at"])
    pending_apps.replace(before, actor, force=project_rules.is_admin(actor), name=f"application {application.pk}")
    project_mails.submitted(application)
    return application


def _lock_last(number: int, state: ApplicationState, uuid: str | None) -> ProjectApplication:
    """The application with its project locked. Raises `NotFound`, `StateConflict`."""
    application = get(number)
    project = project_states.lock_project(application.project.uuid)
    if (uuid is not None and project.uuid != uuid.lower()) or project.last_application_id != number:
        raise StateConflict(f"Application {number} is not the last one of the project. Look at the project again.")
    application = get(number)
    application.project = project
    if application.state != state:
        raise StateConflict(f"Application {number} is {application.state}, not {state}.")
    return application


def _answer(application: ProjectApplication, state: ApplicationState, actor: Actor, reason: str) -> None:
    application.state = state
    application.answered_at, application.answer = timezone.now(), reason[: project_states.MAX_REASON]
    application.answered_by = project_rules.uuid_of(actor)
    application.save(update_fields=["state", "answered_at", "answer", "answered_by"])
    pending_apps.replace(application.applicant, None, force=False, name=f"application {application.pk} {state}")


@transactional()
def approve(actor: Actor, number: int, reason: str = "", *, uuid: str | None = None) -> None:
    """Make the project what the application asks for, and active. With `uuid` it must be of that project.

    Raises `NotFound`, `Forbidden`, `StateConflict` (also `AlreadyExists` for the name).
    """
    project_rules.require_admin(actor)
    application = _lock_last(number, ApplicationState.PENDING, uuid)
    project, previous = application.project, application.project.state
    lock_definitions()
    definition = Definition(name=application.name, **{key: getattr(application, key) for key in project_definitions.PLAIN})
    name = project.realname if application.name is None else application.name
    if project.name != name:
        project_states.claim_name(project, name)
    project_definitions.assign(project, definition)
    project_definitions.set_capacities(project, {
        item.resource: (item.member_capacity, item.project_capacity) for item in application.quotas.select_related("resource")})
    if not application.is_modification:
        project_definitions.fill_capacities(project)
    _answer(application, ApplicationState.APPROVED, actor, reason)
    project_states.set_state(project, ProjectState.ACTIVE, actor, reason, f"application {number} approved")
    limits.apply([project])
    quota_policy.projects_changed([project], "MODIFY")
    project_mails.approved(application, previous)


@transactional()
def deny(actor: Actor, number: int, reason: str = "", *, uuid: str | None = None) -> None:
    """As `approve`; the project stays what it is."""
    project_rules.require_admin(actor)
    application = _lock_last(number, ApplicationState.PENDING, uuid)
    _answer(application, ApplicationState.DENIED, actor, reason)
    project_mails.denied(application)


@transactional()
def cancel(actor: Actor, number: int, reason: str = "", *, uuid: str | None = None) -> None:
    """Withdraw a pending application; a project that never was ends with it."""
    project_rules.require_applicant(actor, get(number))
    application = _lock_last(number, ApplicationState.PENDING, uuid)
    pending_apps.replace(application.applicant, None, force=False, name=f"application {number} cancelled")
    _waive(application, ApplicationState.CANCELLED, actor, reason)


@transactional()
def dismiss(actor: Actor, number: int, reason: str = "", *, uuid: str | None = None) -> None:
    """Take note of a denial; a project that never was ends with it."""
    project_rules.require_applicant(actor, get(number))
    _waive(_lock_last(number, ApplicationState.DENIED, uuid), ApplicationState.DISMISSED, actor, reason)


def _waive(application: ProjectApplication, state: ApplicationState, actor: Actor, reason: str) -> None:
    application.state = state
    application.waived_at, application.waive_reason = timezone.now(), reason[: project_states.MAX_REASON]
    application.waived_by = project_rules.uuid_of(actor)
    application.save(update_fields=["state", "waived_at", "waive_reason", "waived_by"])
    if application.project.state == ProjectState.UNINITIALIZED:
        project_states.set_state(application.project, ProjectState.DELETED, actor, reason)


@transactional()
def modify(actor: Actor, uuid: str, definition: Definition, reason: str = "") -> Project:
    """Change a project in place, without an application. Raises `NotFound`, `Forbidden`, `InvalidInput`, `StateConflict`."""
    project = project_states.lock_project(uuid)
    project_rules.require_admin(actor)
    if not project.is_initialized:
        raise StateConflict(f"The project is {project.state}: only one that was approved can be changed.")
    if project.is_base and definition.changes_main():
        raise InvalidInput("Owner, name, homepage and description of a system project cannot be changed.")
    lock_definitions()
    wanted = project_definitions.resources_of(definition, visible_only=False)
    if definition.name is not None and project.is_alive:
        project_states.claim_name(project, definition.name)
    elif definition.name is not None:
        project.realname = definition.name
    project_definitions.assign(project, definition)
    project.save()
    project_definitions.set_capacities(project, wanted)
    project_states.note(project, project.state, actor, reason, "changed: " + ", ".join(definition.names()))
    limits.apply([project])
    quota_policy.projects_changed([project], "MODIFY")
    return project
