from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from synnefo.astakos.models import Component
from synnefo.astakos.services import components
from synnefo.common.commands import Field, ShowCommand


class Command(ShowCommand):
    help = "Show a component with its service token and its services."
    kind = "component"
    argument = "id|name"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", ""), "name": Field("name", ""), "base url": Field("base_url", ""),
        "ui url": Field("ui_url", ""), "token": Field(components.token_of, ""),
        "token created": Field("token_created_at", ""), "token expires": Field("token_expires_at", ""),
    }

    def find(self, key: str, options: Mapping[str, Any]) -> Component:
        return components.get_component(key)

    def sections(self, found: Component, options: Mapping[str, Any]
                 ) -> list[tuple[str, Sequence[str], Iterable[Sequence[Any]]]]:
        rows = found.services.order_by("pk").values_list("id", "name", "type")
        return [("services", ("id", "name", "type"), list(rows))]
