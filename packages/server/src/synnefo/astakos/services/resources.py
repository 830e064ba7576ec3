"""Definitions of resources: registration by services, defaults and visibility by operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from synnefo.astakos.models import Project, ProjectResourceQuota, ProjectState, Resource
from synnefo.astakos.services import limits
from synnefo.common.db import transactional
from synnefo.common.errors import InvalidInput, NotFound, StateConflict
from synnefo.common.ports import INFINITE

log = structlog.get_logger(__name__)


def register_resource(definition: Mapping[str, Any], component: str) -> Resource:
    """Record a resource, or update its description; the operator's defaults and visibility survive. Needs the caller's transaction.

    A new one at once gets capacities and holdings in all initialized projects. Raises `InvalidInput`, `StateConflict`.
    """
    name = _text(definition, "name")
    given = {"desc": str(definition.get("desc") or ""), "unit": str(definition.get("unit") or ""),
             "service_type": _text(definition, "service_type"), "service_origin": _text(definition, "service_origin")}
    ui_visible = bool(definition.get("ui_visible", definition.get("allow_in_projects", True)))
    api_visible = bool(definition.get("api_visible", True))
    if ui_visible and not api_visible:
        raise InvalidInput(f"Resource {name}: what is visible in the web interface must be visible in the API.", field="ui_visible")
    known = Resource.objects.select_for_update().filter(name=name).first()
    if known is not None:
        if known.component != component:
            raise StateConflict(f"Resource {name} belongs to the component {known.component}.")
        for key, value in given.items():
            setattr(known, key, value)
        known.save(update_fields=list(given))
        return known
    resource = Resource.objects.create(name=name, component=component, ui_visible=ui_visible, api_visible=api_visible,
                                       system_default=INFINITE, project_default=0 if api_visible else INFINITE, **given)
    _add_to_projects(resource)
    log.info("resource.registered", resource=name, component=component)
    return resource


def _text(definition: Mapping[str, Any], key: str) -> str:
    value = definition.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise InvalidInput(f"A resource needs a {key} of at most 255 characters.", field=key)
    return value


def _add_to_projects(resource: Resource) -> None:
    projects = list(Project.objects.filter(state__in=(ProjectState.NORMAL, ProjectState.SUSPENDED, ProjectState.TERMINATED)))
    defaults = {project.pk: resource.system_default if project.is_base else resource.project_default for project in projects}
    ProjectResourceQuota.objects.bulk_create([
        ProjectResourceQuota(project=project, resource=resource, project_capacity=defaults[project.pk], member_capacity=defaults[project.pk])
        for project in projects], batch_size=200)
    limits.apply(projects, [resource])


def get_resource(name: str) -> Resource:
    """Raises `NotFound`."""
    found = Resource.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"Resource {name} does not exist. Try: snf-manage resource-list")
    return found


@transactional()
def modify_resource(name: str, *, system_default: int | None = None, project_default: int | None = None, ui_visible: bool | None = None,
                    api_visible: bool | None = None, apply_to_existing: bool = False) -> Resource:
    """Change defaults and visibility. Existing projects keep their limits, unless `apply_to_existing` sets those of all system projects."""
    resource = Resource.objects.select_for_update().filter(pk=get_resource(name).pk).get()
    changes = {"system_default": system_default, "project_default": project_default, "ui_visible": ui_visible, "api_visible": api_visible}
    for key, value in changes.items():
        if value is not None:
            setattr(resource, key, value)
    if resource.ui_visible and not resource.api_visible:
        raise InvalidInput("What is visible in the web interface must be visible in the API.", field="ui_visible")
    resource.save()
    if apply_to_existing and system_default is not None:
        projects = list(Project.objects.filter(is_base=True))
        ProjectResourceQuota.objects.filter(project__in=projects, resource=resource).update(
            project_capacity=system_default, member_capacity=system_default)
        limits.apply(projects, [resource])
    log.info("resource.modified", resource=name, **{key: value for key, value in changes.items() if value is not None})
    return resource


def describe_visible() -> dict[str, dict[str, Any]]:
    """The API's list of resources, by name."""
    return {
        item.name: {"unit": item.unit or None, "description": item.desc, "service": item.service_origin, "ui_visible": item.ui_visible,
                    "api_visible": item.api_visible, "allow_in_projects": item.ui_visible}
        for item in Resource.objects.filter(api_visible=True)
    }
