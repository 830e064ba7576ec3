"""Limits in the forms of old installations: the setting ASTAKOS_SERVICES, and files of `user resource capacity` lines."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from synnefo.astakos.models import Resource
from synnefo.astakos.services import base_quota, resources, users
from synnefo.common.commands import amount
from synnefo.common.errors import DomainError, InvalidInput
from synnefo.common.settings import conf


def load_defaults() -> list[str]:
    """Set the defaults of ASTAKOS_SERVICES; returns a line for each. Raises `InvalidInput`, `NotFound`. Repeatable."""
    known = set(Resource.objects.values_list("name", flat=True))
    done = []
    for service, definition in conf.ASTAKOS_SERVICES.items():
        for item in _definitions(service, definition):
            if "uplimit" not in item:
                continue
            name = str(item.get("name"))
            full = name if name in known else f"{service}.{name}"
            resources.modify_resource(full, system_default=_amount(full, item["uplimit"]))
            done.append(f"Default limit of {full} set to {item['uplimit']}.")
    return done


def _definitions(service: str, definition: object) -> Iterable[Mapping[str, Any]]:
    found = definition.get("resources", []) if isinstance(definition, Mapping) else None
    items = list(found.values()) if isinstance(found, Mapping) else found
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise InvalidInput(f"ASTAKOS_SERVICES: the resources of {service} are no list of objects.")
    return items


def import_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Set base quota from `user resource capacity` lines, each on its own. Yields (line number, what is wrong) of those it cannot use."""
    known = set(Resource.objects.values_list("name", flat=True))
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            who, resource, capacity = line.rstrip("\r\n").split(" ")
        except ValueError:
            yield number, "it does not have the form: user resource capacity"
            continue
        try:
            if resource not in known:
                raise InvalidInput(f"resource {resource} does not exist")
            base_quota.set_for_users([users.get_user(who)], {resource: _amount(resource, capacity)})
        except DomainError as error:
            yield number, error.public


def _amount(name: str, value: object) -> int:
    try:
        return amount(str(value))
    except argparse.ArgumentTypeError as error:
        raise InvalidInput(f"{name}: {error}") from error
