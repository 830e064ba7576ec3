"""Two accounts of one person become one. Each step is a transaction of its own and may be repeated after a failure."""

from __future__ import annotations

from synnefo.astakos.models import LOCAL, SEATED, ProjectState, User
from synnefo.astakos.services import applications, audit, project_members, projects, user_changes, users
from synnefo.astakos.services.project_definitions import Definition
from synnefo.astakos.services.user_changes import Changes
from synnefo.common.db import transactional
from synnefo.common.errors import DomainError, StateConflict


def merge(source: User, target: User) -> list[str]:
    """Move what can be moved, and close the source; returns a line for each thing. Raises `StateConflict` unless both are accepted and the target active."""
    if source.pk == target.pk:
        raise StateConflict("Name two accounts.")
    if not target.is_active:
        raise StateConflict(f"The account {target.email} is not open: {target.status}.")
    if source.is_superuser:
        raise StateConflict("An administrator's account is not merged into another. Take the rights first: user-modify --set-noadmin.")
    wanted = source.default_project
    done = [*_move_memberships(source, target), *_move_projects(source, target), *_move_methods(source, target)]
    if wanted and wanted != source.uuid:
        done += _set_default(target, wanted)
    if source.is_active:
        user_changes.modify_user(source.user_id, Changes(active=False, inactive_reason=f"merged into {target.uuid}"))
    done.append(f"{source.email} is closed")
    audit.record("user.merged", actor=audit.OPERATOR, target=target.uuid, source=source.uuid)
    return done


def _move_memberships(source: User, target: User) -> list[str]:
    done = []
    for membership in source.memberships.filter(state__in=SEATED, project__is_base=False).select_related("project").order_by("pk"):
        name = membership.project.realname
        try:
            if not target.memberships.filter(project=membership.project, state__in=SEATED).exists():
                project_members.enroll(None, membership.project.uuid, target.email)
            project_members.act(None, membership.pk, "remove", f"merged into {target.uuid}")
            done.append(f"Membership of {name} moved")
        except DomainError as error:
            done.append(f"Membership of {name} not moved: {error.public}")
    return done


def _move_projects(source: User, target: User) -> list[str]:
    done = []
    for project in source.projects_owned.exclude(state=ProjectState.DELETED).filter(is_base=False).order_by("pk"):
        try:
            applications.modify(None, project.uuid, Definition(owner=target), f"merged into {target.uuid}")
            done.append(f"Project {project.realname} moved")
        except DomainError as error:
            done.append(f"Project {project.realname} not moved: {error.public}")
    return done


@transactional()
def _move_methods(source: User, target: User) -> list[str]:
    """Ways to sign in but for the password, which is not the same person's word at another address."""
    for user in sorted((source, target), key=lambda item: item.pk):
        users.lock_user(user.user_id)
    done = []
    for method in source.login_methods.exclude(module=LOCAL).order_by("pk"):
        if target.login_methods.filter(module=method.module, identifier=method.identifier).exists():
            method.delete()
        else:
            method.user = target
            method.save(update_fields=["user"])
        done.append(f"Sign-in by {method.module} moved")
    return done


def _set_default(target: User, uuid: str) -> list[str]:
    try:
        projects.set_default_project(target.user_id, uuid)
    except DomainError as error:
        return [f"Default project not moved: {error.public}"]
    return ["Default project moved"]
