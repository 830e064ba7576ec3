from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo.common.commands import RemoveCommand, object_id
from synnefo.cyclades.services.port_verbs import remove_port


class Command(RemoveCommand):
    help = "Remove ports; those on servers by a job."
    kind = "port"
    argument_type = staticmethod(object_id("nic"))

    def remove(self, key: Any, options: Mapping[str, Any]) -> None:
        remove_port(key)
