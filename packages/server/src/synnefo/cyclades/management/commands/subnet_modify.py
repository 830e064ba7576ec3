from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, object_id
from synnefo.cyclades.services.subnets import find_subnet, rename_subnet


class Command(BaseCommand):
    help = "Rename a subnet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("subnet", type=object_id("subnet"), metavar="SUBNET")
        parser.add_argument("--name", required=True, help="New name.")

    def handle(self, *args: Any, **options: Any) -> None:
        rename_subnet(find_subnet(options["subnet"]), options["name"])
        self.note(f"Changed subnet {options['subnet']}.")
