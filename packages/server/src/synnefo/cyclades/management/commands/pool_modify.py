from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, comma_list, object_id
from synnefo.cyclades.models.pools import ValuePool
from synnefo.cyclades.services.pools import modify_value_pool


class Command(BaseCommand):
    help = "Change a pool of bridges or MAC prefixes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("pool", type=object_id("pool"), metavar="POOL")
        parser.add_argument("--type", required=True, choices=[kind for kind, _ in ValuePool.KINDS], help="Kind of values.")
        parser.add_argument("--size", type=int, help="New number of values; none in use may be cut off.")
        parser.add_argument("--base", help="New base; refused while values are in use.")
        parser.add_argument("--offset", type=int, help="New offset.")
        parser.add_argument("--add-reserved", type=comma_list, default=[], metavar="VALUES", help="Values to keep out of use.")
        parser.add_argument("--remove-reserved", type=comma_list, default=[], metavar="VALUES",
                            help="Values that may be used again.")

    def handle(self, *args: Any, **options: Any) -> None:
        modify_value_pool(
            options["type"], options["pool"], size=options["size"], base=options["base"], offset=options["offset"],
            add_reserved=options["add_reserved"], remove_reserved=options["remove_reserved"])
        self.note(f"Changed {options['type']} pool {options['pool']}.")
