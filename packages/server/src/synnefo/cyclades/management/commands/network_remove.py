from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo.common.commands import RemoveCommand, object_id
from synnefo.cyclades.services.network_verbs import destroy_network


class Command(RemoveCommand):
    help = "Delete networks that no port and no floating IP uses."
    kind = "network"
    argument_type = staticmethod(object_id("network"))

    def remove(self, key: Any, options: Mapping[str, Any]) -> None:
        destroy_network(key)
