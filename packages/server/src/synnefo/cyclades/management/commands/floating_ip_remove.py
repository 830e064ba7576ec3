from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo.common.commands import RemoveCommand, object_id
from synnefo.cyclades.services.floating_ips import find_floating_ip, remove_floating_ip


class Command(RemoveCommand):
    help = "Release floating IPs that are on no port."
    kind = "floating IP"
    argument = "floating_ip"
    argument_type = staticmethod(object_id("floating-ip"))

    def remove(self, key: Any, options: Mapping[str, Any]) -> None:
        remove_floating_ip(find_floating_ip(key))
