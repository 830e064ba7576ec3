"""Definitions of resources: registration by services, defaults and visibility by operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.core.cache import cache
from django.db import connection, transaction

from synnefo.astakos.models import Project, ProjectResourceQuota, ProjectState, Resource, Service
from synnefo.astakos.services import limits
from synnefo.common.db import transactional
from synnefo.common.errors import InvalidInput, NotFound, StateConflict
from synnefo.common.ports import INFINITE
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
MAX_DEFINITIONS = 1000
_CACHE_KEY = "astakos.resources.visible"


def lock_definitions(*, exclusive: bool = False) -> None:
    """Keep the set of resources as it is until the transaction ends; `exclusive` also keeps others from relying on it.

    Without it a project and a resource made at the same moment would not see each other, and the project would lack
    a holding. Waits; on SQLite the transaction already holds the only write lock.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            mode = "EXCLUSIVE" if exclusive else "ROW SHARE"
            cursor.execute(f"LOCK TABLE {connection.ops.quote_name(Resource._meta.db_table)} IN {mode} MODE")


def register_resource(definition: Mapping[str, Any], component: str) -> Resource:
    """Record a resource, or update its description; the operator's defaults and visibility survive. Needs the caller's transaction.

    A new one at once gets capacities and holdings in all initialized projects. Raises `InvalidInput`, `StateConflict`.
    """
    name = _text(definition, "name")
    given = {"desc": str(definition.get("desc") or ""), "unit": str(definition.get("unit") or "")[:255],
             "service_type": _text(definition, "service_type"), "service_origin": _text(definition, "service_origin")}
    api_visible = bool(definition.get("api_visible", True))
    ui_visible = bool(definition.get("ui_visible", definition.get("allow_in_projects", api_visible)))
    if ui_visible and not api_visible:
        raise InvalidInput(f"Resource {name}: what is visible in the web interface must be visible in the API.", field="ui_visible")
    lock_definitions(exclusive=True)
    transaction.on_commit(_forget_visible)
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
    projects = list(Project.objects.filter(state__in=(ProjectState.ACTIVE, ProjectState.SUSPENDED, ProjectState.TERMINATED)))
    defaults = {project.pk: resource.system_default if project.is_base else resource.project_default for project in projects}
    ProjectResourceQuota.objects.bulk_create([
        ProjectResourceQuota(project=project, resource=resource, project_capacity=defaults[project.pk], member_capacity=defaults[project.pk])
        for project in projects], batch_size=200)
    limits.apply(projects, [resource])


@transactional()
def import_resources(raw: object) -> list[str]:
    """Register a list of definitions, all or nothing; returns a line for each. Their services must be registered.

    Raises `InvalidInput`, `NotFound`, `StateConflict`. Repeatable.
    """
    if not isinstance(raw, list) or len(raw) > MAX_DEFINITIONS or not all(isinstance(item, dict) for item in raw):
        raise InvalidInput(f"Resources come as a JSON list of at most {MAX_DEFINITIONS} objects.")
    return [_import_resource(item) for item in raw]


def _import_resource(definition: dict[str, Any]) -> str:
    origin = _text(definition, "service_origin")
    service = Service.objects.select_related("component").filter(name=origin).first()
    if service is None:
        raise NotFound(f"Service {origin} does not exist. Register it with: snf-manage service-import")
    is_known = Resource.objects.filter(name=definition.get("name")).exists()
    resource = register_resource(definition, service.component.name)
    return f"Resource {resource.name} " + ("updated." if is_known else "created with unlimited quota.")


def get_resource(name: str) -> Resource:
    """Raises `NotFound`."""
    found = Resource.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"Resource {name} does not exist. Try: snf-manage resource-list")
    return found


@transactional()
def modify_resource(name: str, *, system_default: int | None = None, project_default: int | None = None, ui_visible: bool | None = None,
                    api_visible: bool | None = None, apply_to_existing: bool = False) -> Resource:
    """Change defaults and visibility. What the web interface shows, the API shows: clearing the latter clears the former,
    setting the former sets the latter.

    Existing projects keep their limits. With `apply_to_existing` those follow whose both capacities are the old default.
    Raises `NotFound`, `InvalidInput`.
    """
    if ui_visible and api_visible is False:
        raise InvalidInput("What is visible in the web interface must be visible in the API.", field="ui_visible")
    resource = Resource.objects.select_for_update().filter(pk=get_resource(name).pk).get()
    old = {True: resource.system_default, False: resource.project_default}
    changes = {"system_default": system_default, "project_default": project_default,
               "ui_visible": False if api_visible is False else ui_visible, "api_visible": True if ui_visible else api_visible}
    for key, value in changes.items():
        if value is not None:
            setattr(resource, key, value)
    resource.save()
    if apply_to_existing:
        for is_base, default in ((True, system_default), (False, project_default)):
            if default is not None:
                _follow_default(resource, is_base, old[is_base], default)
    transaction.on_commit(_forget_visible)
    log.info("resource.modified", resource=name, **{key: value for key, value in changes.items() if value is not None})
    return resource


def _follow_default(resource: Resource, is_base: bool, old: int, new: int) -> None:
    """Give the new default to the projects that have the old one."""
    rows = ProjectResourceQuota.objects.filter(
        resource=resource, project__is_base=is_base, project_capacity=old, member_capacity=old)
    projects = list(Project.objects.filter(quotas__in=rows).order_by("pk").select_for_update(of=("self",)))
    for start in range(0, len(projects), 200):
        batch = projects[start : start + 200]
        ProjectResourceQuota.objects.filter(project__in=batch, resource=resource).update(project_capacity=new, member_capacity=new)
    limits.apply(projects, [resource])


def _forget_visible() -> None:
    cache.delete(_CACHE_KEY)


def describe_visible() -> dict[str, dict[str, Any]]:
    """The API's list of resources, by name. Kept in the cache for ASTAKOS_RESOURCE_CACHE_TIMEOUT."""
    known: dict[str, dict[str, Any]] | None = cache.get(_CACHE_KEY)
    if known is None:
        known = {item.name: _describe(item) for item in Resource.objects.filter(api_visible=True)}
        cache.set(_CACHE_KEY, known, conf.ASTAKOS_RESOURCE_CACHE_TIMEOUT)
    return known


def _describe(item: Resource) -> dict[str, Any]:
    return {"unit": item.unit or None, "description": item.desc, "service": item.service_origin, "ui_visible": item.ui_visible,
            "api_visible": item.api_visible, "allow_in_projects": item.ui_visible}
