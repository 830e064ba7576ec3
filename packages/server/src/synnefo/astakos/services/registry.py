"""Registration of services: definitions are checked as a whole, then stored in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from synnefo.astakos.models import Component, Endpoint, Resource, Service
from synnefo.astakos.services import audit, components, resources, users
from synnefo.common import registration
from synnefo.common.db import transactional
from synnefo.common.errors import InvalidInput, NotFound, StateConflict
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
Text = Annotated[str, Field(min_length=1, max_length=255)]
EndpointData = dict[Annotated[str, Field(min_length=1, max_length=100)], bool | Annotated[str, Field(max_length=1024)]]


class ServiceDefinition(BaseModel):
    """One service of an import; keys we do not know are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)
    component: Text
    type: Text
    endpoints: Annotated[list[EndpointData], Field(max_length=50)]
    resources: Annotated[dict[str, dict[str, Any]], Field(max_length=200)] = {}


_definitions = TypeAdapter(Annotated[dict[Text, ServiceDefinition], Field(min_length=1, max_length=200)])


def parse_definitions(raw: object) -> dict[str, ServiceDefinition]:
    """Check the shape of an import. Raises `InvalidInput` naming every wrong place."""
    try:
        parsed = _definitions.validate_python(raw)
    except ValidationError as error:
        problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
                    for item in error.errors(include_url=False, include_input=False)[:20]]
        raise InvalidInput("Malformed service definition: " + "; ".join(problems)) from error
    for name, definition in parsed.items():
        for endpoint in definition.endpoints:
            if not isinstance(endpoint.get("publicURL"), str) or "versionId" not in endpoint:
                raise InvalidInput(f"Service {name}: each endpoint needs versionId and publicURL.")
    return parsed


def import_services(raw: object) -> list[str]:
    """Store definitions, all or nothing; returns a line for each thing done.

    Raises `InvalidInput` (malformed), `NotFound` (unknown component), `StateConflict` (another component's service or
    resource). Repeatable. One transaction of its own.
    """
    return _store(parse_definitions(raw))


@transactional()
def _store(definitions: dict[str, ServiceDefinition]) -> list[str]:
    return _store_all(definitions)


def _store_all(definitions: dict[str, ServiceDefinition]) -> list[str]:
    done: list[str] = []
    for name, definition in definitions.items():
        done += _store_service(name, definition)
        audit.record("service.imported", actor=audit.OPERATOR, target=name, component=definition.component,
                     urls=[str(endpoint["publicURL"]) for endpoint in definition.endpoints])
    return done


def _store_service(name: str, definition: ServiceDefinition) -> Iterator[str]:
    component = Component.objects.filter(name=definition.component).first()
    if component is None:
        raise NotFound(f"Component {definition.component} does not exist. Make it with: "
                       f"snf-manage component-add {definition.component}")
    service = Service.objects.select_for_update(of=("self",)).filter(name=name).first()
    if service is not None and service.component_id != component.pk:
        raise StateConflict(f"Service {name} belongs to another component.")
    yield f"{'Added' if service is None else 'Updated'} service {name}"
    service = service or Service(name=name, component=component)
    service.type = definition.type
    service.save()
    _replace_endpoints(service, definition.endpoints)
    yield from _url_warnings(component, definition)
    for resource in definition.resources.values():
        if resource.get("service_origin") != name:
            raise InvalidInput(f"Service {name}: the service_origin of its resources must be {name}.")
        yield from _register_resource(resource, component)


def _register_resource(definition: dict[str, Any], component: Component) -> Iterator[str]:
    is_known = Resource.objects.filter(name=definition.get("name")).exists()
    resource = resources.register_resource(definition, component.name)
    yield f"Resource '{resource.name}' " + ("updated" if is_known else "created with unlimited quota")


def _replace_endpoints(service: Service, endpoints: list[EndpointData]) -> None:
    service.endpoints.all().delete()
    Endpoint.objects.bulk_create(
        Endpoint(service=service, position=position, data={key: str(value) if isinstance(value, bool) else value
                                                           for key, value in data.items()})
        for position, data in enumerate(endpoints))


def _url_warnings(component: Component, definition: ServiceDefinition) -> Iterator[str]:
    for endpoint in definition.endpoints:
        url = str(endpoint["publicURL"])
        if not component.base_url or not url.startswith(component.base_url):
            yield f"Warning: {url} is not below the base URL of component {component.name}"


def register_component(name: str, *, base_url: str, ui_url: str) -> tuple[str | None, list[str]]:
    """Record a standard component, or change its addresses, and bring its services to those this version has. Returns the
    token of a new component, and a line for each thing done. Repeatable. Transactions of its own.
    """
    definitions = parse_definitions(registration.definitions_of(name, base_url))
    found, token = components.find_component(name), None
    if found is None:
        found, token = components.add_component(name, base_url=base_url, ui_url=ui_url)
    else:
        components.modify_component(found.pk, base_url=base_url, ui_url=ui_url)
    return token, [f"{'Updated' if token is None else 'Added'} component {name}", *_replace_services(found, definitions)]


@transactional()
def _replace_services(component: Component, definitions: dict[str, ServiceDefinition]) -> list[str]:
    """Readers see the old services or the new ones, never none."""
    done = _store_all(definitions)
    gone = Service.objects.filter(component=component).exclude(name__in=definitions)
    done += [f"Removed service {service.name}" for service in gone]
    gone.delete()
    return done


def register_local_services() -> list[str]:
    """Register every service this host runs, with its component, from the configured base URLs. Repeatable."""
    done: list[str] = []
    users.ensure_groups()
    for name in registration.local_components():
        done += _register_component(name)
    for name in registration.local_components():
        done += import_services(registration.definitions_of(name))
    return done


def _register_component(name: str) -> list[str]:
    base_url = registration.base_url_of(name)
    ui_url = registration.join_url(base_url.removesuffix(f"/{name}"), "")
    found = components.find_component(name)
    if found is None:
        found, _ = components.add_component(name, base_url=base_url, ui_url=ui_url)
        return _keep_configured_token(found, [f"Added component {name}"])
    if found.base_url != base_url:
        components.modify_component(found.pk, base_url=base_url, ui_url=ui_url)
        return _keep_configured_token(found, [f"Updated component {name}"])
    return _keep_configured_token(found, [])


def _keep_configured_token(component: Component, done: list[str]) -> list[str]:
    """A service token in the settings is the one that services will send."""
    token = str(getattr(conf, f"{component.name.upper()}_SERVICE_TOKEN", ""))
    if token and components.token_of(component) != token:
        components.modify_component(component.pk, token=token, grace_hours=0)
        return [*done, f"Set the token of component {component.name}"]
    return done
