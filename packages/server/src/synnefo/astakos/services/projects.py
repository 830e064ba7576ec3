"""Projects. Today: the system project that every accepted user has."""

from __future__ import annotations

import datetime

import structlog
from django.utils import timezone

from synnefo.astakos.models import (
    ACTIVE_MEMBERSHIPS,
    JoinPolicy,
    MembershipState,
    Project,
    ProjectMembership,
    ProjectResourceQuota,
    ProjectState,
    Resource,
    User,
)
from synnefo.astakos.services import limits
from synnefo.astakos.services.resources import lock_definitions
from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, NotFound, StateConflict
from synnefo.common.ids import UserID

log = structlog.get_logger(__name__)
LIFETIME = datetime.timedelta(days=36525)


def create_system_project(user: User) -> Project:
    """The user's own project, with capacities from the resources' defaults. Needs the caller's transaction; finds it when it exists."""
    known = Project.objects.filter(uuid=user.uuid).first()
    if known is not None:
        return known
    lock_definitions()
    project = Project.objects.create(
        uuid=user.uuid, name=f"system:{user.uuid}", realname=f"system:{user.uuid}", description=f"system project for user {user.email}", is_base=True, private=True,
        state=ProjectState.ACTIVE, join_policy=JoinPolicy.CLOSED, leave_policy=JoinPolicy.CLOSED, max_members=1,
        end_date=timezone.now() + LIFETIME)
    ProjectMembership.objects.create(project=project, user=user, state=MembershipState.ACCEPTED, was_accepted=True)
    ProjectResourceQuota.objects.bulk_create([
        ProjectResourceQuota(project=project, resource=resource, project_capacity=resource.system_default,
                             member_capacity=resource.system_default)
        for resource in Resource.objects.all()])
    limits.apply([project])
    log.info("project.system.created", project=project.uuid)
    return project


def list_active_projects(user_id: UserID) -> list[Project]:
    """Projects that count for the user: active with an accepted membership, his own included. One query."""
    return list(Project.objects.filter(state=ProjectState.ACTIVE, memberships__user__uuid=user_id, memberships__state__in=ACTIVE_MEMBERSHIPS)
                .order_by("pk"))


def get_project(uuid: str) -> Project:
    """Raises `NotFound`."""
    found = Project.objects.filter(uuid=uuid.lower()).first()
    if found is None:
        raise NotFound(f"Project {uuid} does not exist.")
    return found


@transactional()
def set_default_project(user_id: UserID, uuid: str) -> None:
    """As `choose_default`, in a transaction of its own."""
    choose_default(user_id, uuid)


def choose_default(user_id: UserID, uuid: str) -> None:
    """Make a project the one that pays when the user names none. Needs the caller's transaction.

    Raises `NotFound` for a project that does not exist or that he never belonged to, `Forbidden` while he is no accepted
    member, `StateConflict` while the project is not active.
    """
    membership = ProjectMembership.objects.select_related("project").filter(project__uuid=uuid.lower()[:36], user__uuid=user_id).first()
    if membership is None:
        raise NotFound(f"Project {uuid[:36]} does not exist, or you are not a member of it.")
    if membership.project.state in {ProjectState.TERMINATED, ProjectState.DELETED}:
        raise StateConflict("The project has ended.")
    if membership.project.state != ProjectState.ACTIVE or membership.state not in ACTIVE_MEMBERSHIPS:
        raise Forbidden("The project is not active, or you are not an accepted member of it.")
    User.objects.filter(uuid=user_id).update(default_project=membership.project.uuid)
    log.info("project.default.set", project=membership.project.uuid)


def set_base_quota(user: User, resource: Resource, capacity: int) -> None:
    """Both capacities of one resource in the user's system project. Needs the caller's transaction."""
    project = get_project(user.uuid)
    ProjectResourceQuota.objects.update_or_create(
        project=project, resource=resource, defaults={"project_capacity": capacity, "member_capacity": capacity})
    limits.apply([project], [resource])
