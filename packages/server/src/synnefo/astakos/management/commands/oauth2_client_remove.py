from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo.astakos.services.oauth2 import clients
from synnefo.common.commands import RemoveCommand


class Command(RemoveCommand):
    help = "Remove clients of the OAuth2 server with everything that users granted them."
    kind = "client"
    argument = "id|identifier"

    def remove(self, key: str, options: Mapping[str, Any]) -> None:
        clients.remove(key)
