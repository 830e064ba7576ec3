from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import components
from synnefo.common.commands import RemoveCommand


class Command(RemoveCommand):
    help = "Remove components with their services; refused while resources of theirs are counted, unless --force is given."
    kind = "component"
    argument = "id|name"

    def add_arguments(self, parser: CommandParser) -> None:
        """Not the usual options: to answer the question is not to overrule the refusal."""
        parser.add_argument("objects", metavar=self.argument.upper(), nargs="+")
        parser.add_argument("-f", "--yes", dest="yes", action="store_true", help="Do not ask.")
        parser.add_argument("--force", action="store_true",
                            help="Do not ask, and remove them even if resources of theirs are counted; the resources stay.")

    def remove(self, key: str, options: Mapping[str, Any]) -> None:
        components.remove_component(components.get_component(key), force=options["force"])
