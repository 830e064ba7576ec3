"""The one rule that turns capacities and states into limits of holdings.

Project holding: the project's capacity while it is active, else 0. Member holding: the member's capacity while the project is active and
the membership accepted, else 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from synnefo.astakos.models import (
    ACTIVE_MEMBERSHIPS,
    Project,
    ProjectMembership,
    ProjectResourceQuota,
    ProjectState,
    Resource,
)
from synnefo.astakos.quotaholder import services as ledger

CHUNK = 100


def project_holder(uuid: str) -> str:
    return f"project:{uuid}"


def user_holder(uuid: str) -> str:
    return f"user:{uuid}"


def expected(projects: Sequence[Project], resources: Sequence[Resource] | None = None) -> Iterator[tuple[ledger.type_key, int]]:
    """What the limits must be: ((holder, source, resource), limit). Three queries for each hundred projects."""
    for start in range(0, len(projects), CHUNK):
        chunk = [project for project in projects[start : start + CHUNK] if project.is_initialized]
        quotas = ProjectResourceQuota.objects.filter(project__in=chunk).select_related("resource")
        if resources is not None:
            quotas = quotas.filter(resource__in=resources)
        members: dict[int, list[ProjectMembership]] = {}
        for membership in ProjectMembership.objects.filter(project__in=chunk, was_accepted=True).select_related("user"):
            members.setdefault(membership.project_id, []).append(membership)
        by_id = {project.pk: project for project in chunk}
        for quota in quotas:
            yield from _limits_of(by_id[quota.project_id], quota, members.get(quota.project_id, []))


def inactive(projects: Sequence[Project]) -> Iterator[ledger.type_key]:
    """Holdings whose project or membership is not active, so that nothing can be charged to them. Queries as `expected`."""
    names = list(Resource.objects.values_list("name", flat=True))
    for start in range(0, len(projects), CHUNK):
        chunk = {project.pk: project for project in projects[start : start + CHUNK] if project.is_initialized}
        for project in chunk.values():
            if project.state != ProjectState.ACTIVE:
                yield from ((project_holder(project.uuid), "", name) for name in names)
        for membership in ProjectMembership.objects.filter(project__in=chunk, was_accepted=True).select_related("user"):
            project = chunk[membership.project_id]
            if project.state != ProjectState.ACTIVE or membership.state not in ACTIVE_MEMBERSHIPS:
                yield from ((user_holder(membership.user.uuid), project_holder(project.uuid), name) for name in names)


def _limits_of(project: Project, quota: ProjectResourceQuota, members: Iterable[ProjectMembership]) -> Iterator[tuple[ledger.type_key, int]]:
    is_active = project.state == ProjectState.ACTIVE
    holder = project_holder(project.uuid)
    yield (holder, "", quota.resource.name), quota.project_capacity if is_active else 0
    for membership in members:
        counts = is_active and membership.state in ACTIVE_MEMBERSHIPS
        yield (user_holder(membership.user.uuid), holder, quota.resource.name), quota.member_capacity if counts else 0


def apply(projects: Sequence[Project], resources: Sequence[Resource] | None = None) -> None:
    """Write the limits of these projects into the ledger. Needs the caller's transaction; repeatable."""
    batch: dict[ledger.type_key, int] = {}
    for key, limit in expected(projects, resources):
        batch[key] = limit
        if len(batch) >= 1000:
            ledger.set_limits_in_transaction(batch)
            batch = {}
    ledger.set_limits_in_transaction(batch)
