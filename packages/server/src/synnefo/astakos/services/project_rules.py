"""Who may do what with projects, in one place. An actor of None is an operator, who may do all that administrators may."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from synnefo.astakos.models import SEATED, Project, ProjectApplication, ProjectMembership, ProjectState, User
from synnefo.common.errors import Forbidden
from synnefo.common.settings import conf

Actor = User | None


def is_admin(actor: Actor) -> bool:
    """At most one query."""
    if actor is None or actor.uuid in conf.ASTAKOS_PROJECT_ADMINS:
        return True
    groups = conf.ASTAKOS_PROJECT_ADMIN_GROUPS
    return bool(groups) and actor.groups.filter(name__in=groups).exists()


def uuid_of(actor: Actor) -> str:
    """As logs name him; empty for an operator."""
    return "" if actor is None else actor.uuid


def require_admin(actor: Actor) -> None:
    """Raises `Forbidden`."""
    if not is_admin(actor):
        raise Forbidden("Only administrators of projects may do this.")


def is_manager(actor: Actor, project: Project) -> bool:
    """The owner or an administrator."""
    return (actor is not None and project.owner_id == actor.pk) or is_admin(actor)


def require_manager(actor: Actor, project: Project) -> None:
    """Raises `Forbidden`."""
    if not is_manager(actor, project):
        raise Forbidden("Only the owner of the project and administrators may do this.")


def require_applicant(actor: Actor, application: ProjectApplication) -> None:
    """Raises `Forbidden`."""
    if not ((actor is not None and application.applicant_id == actor.pk) or is_admin(actor)):
        raise Forbidden("Only the applicant and administrators may do this.")


def require_visible(actor: Actor, project: Project) -> None:
    """Whoever has to do with the project sees it, and everybody one that is active and not private. Raises `Forbidden`."""
    if project.state == ProjectState.ACTIVE and not project.private:
        return
    if is_manager(actor, project):
        return
    last = project.last_application
    if actor is not None and ((last is not None and last.applicant_id == actor.pk)
                              or project.memberships.filter(user=actor, state__in=SEATED).exists()):
        return
    raise Forbidden("You have no access to this project.")


def related_to(actor: User) -> Q:
    """Projects of which he is the owner or a member in any of the three states."""
    mine = ProjectMembership.objects.filter(user=actor, state__in=SEATED)
    return Q(owner=actor) | Q(pk__in=mine.values("project"))


def visible_memberships(actor: Actor) -> QuerySet[ProjectMembership]:
    """His own and those of projects that he owns; all for an administrator."""
    rows = ProjectMembership.objects.select_related("project", "project__owner", "user")
    if actor is None or is_admin(actor):
        return rows
    return rows.filter(Q(user=actor) | Q(project__owner=actor))


def require_may_see(actor: Actor, membership: ProjectMembership) -> None:
    """Raises `Forbidden`."""
    if not ((actor is not None and membership.user_id == actor.pk) or is_manager(actor, membership.project)):
        raise Forbidden("This membership is neither yours nor of a project of yours.")
