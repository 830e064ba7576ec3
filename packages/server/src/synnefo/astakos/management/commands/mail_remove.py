from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo.astakos.services import mails
from synnefo.common.commands import RemoveCommand


class Command(RemoveCommand):
    help = "Remove mails that have not left."
    kind = "mail"
    argument = "id"
    argument_type = int

    def remove(self, key: int, options: Mapping[str, Any]) -> None:
        mails.remove(key)
