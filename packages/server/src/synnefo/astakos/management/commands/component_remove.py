from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo.astakos.services import components
from synnefo.common.commands import RemoveCommand


class Command(RemoveCommand):
    help = "Remove components with their services; refused while resources of theirs are counted."
    kind = "component"
    argument = "id|name"

    def remove(self, key: str, options: Mapping[str, Any]) -> None:
        components.remove_component(components.get_component(key))
