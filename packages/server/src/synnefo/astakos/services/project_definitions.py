"""What a project is: the fields that applications ask to change and operators change in place."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from synnefo.astakos.models import Project, ProjectResourceQuota, Resource, User
from synnefo.common.errors import InvalidInput
from synnefo.common.ports import INFINITE

MAIN = ("name", "owner", "homepage", "description")
"""What a system project has for good."""
PLAIN = ("owner", "homepage", "description", "end_date", "join_policy", "leave_policy", "max_members", "private")


@dataclass(frozen=True, slots=True)
class Definition:
    """Wanted values; None is no change. `resources`: name -> (member capacity, project capacity)."""

    name: str | None = None
    owner: User | None = None
    homepage: str | None = None
    description: str | None = None
    end_date: datetime.datetime | None = None
    join_policy: str | None = None
    leave_policy: str | None = None
    max_members: int | None = None
    private: bool | None = None
    resources: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def changes_main(self) -> bool:
        return any(getattr(self, key) is not None for key in MAIN)

    def names(self) -> list[str]:
        """The fields that change."""
        return [item.name for item in fields(self) if getattr(self, item.name) not in (None, {})]


def resources_of(definition: Definition, *, visible_only: bool) -> dict[Resource, tuple[int, int]]:
    """The resources by row, capacities checked. Raises `InvalidInput`."""
    known = {item.name: item for item in Resource.objects.filter(name__in=definition.resources)}
    for name, (member, project) in definition.resources.items():
        if name not in known or (visible_only and not known[name].api_visible):
            raise InvalidInput(f"Resource {name[:255]} does not exist.", field="resources")
        if not 0 <= member <= project <= INFINITE:
            raise InvalidInput(f"Resource {name}: 0 <= member_capacity <= project_capacity <= {INFINITE} must hold.", field="resources")
    return {known[name]: amounts for name, amounts in definition.resources.items()}


def assign(project: Project, definition: Definition) -> None:
    """Set the plain fields; name and capacities are extra."""
    for key in PLAIN:
        value = getattr(definition, key)
        if value is not None:
            setattr(project, key, value)
    if definition.end_date is not None:
        project.warned_days = None


def set_capacities(project: Project, wanted: Mapping[Resource, tuple[int, int]]) -> None:
    """Only those listed; none is removed."""
    for resource, (member, total) in sorted(wanted.items(), key=lambda item: item[0].pk):
        ProjectResourceQuota.objects.update_or_create(
            project=project, resource=resource, defaults={"member_capacity": member, "project_capacity": total})


def fill_capacities(project: Project) -> None:
    """What nobody asked for gets the resource's default for projects. The set of resources must be locked."""
    known = set(project.quotas.values_list("resource_id", flat=True))
    ProjectResourceQuota.objects.bulk_create([
        ProjectResourceQuota(project=project, resource=resource, project_capacity=resource.project_default,
                             member_capacity=resource.project_default)
        for resource in Resource.objects.exclude(pk__in=known)])
