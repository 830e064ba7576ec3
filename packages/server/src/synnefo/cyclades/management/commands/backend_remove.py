from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo.common.commands import RemoveCommand
from synnefo.cyclades.services import backends


class Command(RemoveCommand):
    help = "Forget clusters that hold no servers of ours; our networks are removed from them first."
    kind = "backend"

    def add_remove_arguments(self, parser: Any) -> None:
        parser.add_argument("--ignore-unreachable", action="store_true", help="Leave our networks in a cluster that does not answer.")

    def remove(self, key: Any, options: Mapping[str, Any]) -> None:
        left = backends.remove_backend(backends.get_backend(key).pk, ignore_unreachable=options["ignore_unreachable"])
        for text in left:
            self.note(text)
