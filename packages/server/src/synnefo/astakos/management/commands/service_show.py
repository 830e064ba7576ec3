from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from synnefo.astakos.models import Service
from synnefo.astakos.services import catalog
from synnefo.common.commands import Field, ShowCommand, unknown
from synnefo.common.errors import NotFound


class Command(ShowCommand):
    help = "Show a service with its endpoints."
    kind = "service"
    argument = "id|name"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", ""), "name": Field("name", ""), "component": Field("component__name", ""),
        "type": Field("type", ""),
    }

    def find(self, key: str, options: Mapping[str, Any]) -> Service:
        found = catalog.find_service(key)
        if found is None:
            raise NotFound(unknown("service", key, "service-list"))
        return found

    def sections(self, found: Service, options: Mapping[str, Any]
                 ) -> list[tuple[str, Sequence[str], Iterable[Sequence[Any]]]]:
        rows = [(item.position, key, value) for item in found.endpoints.all() for key, value in sorted(item.data.items())]
        return [("endpoints", ("endpoint", "key", "value"), rows)]
