from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand
from synnefo.cyclades.models.pools import ValuePool
from synnefo.cyclades.services.pools import create_value_pool


class Command(BaseCommand):
    help = "Create the pool of bridges or of MAC prefixes; there is one of each at most."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--type", required=True, choices=[kind for kind, _ in ValuePool.KINDS], help="Kind of values.")
        parser.add_argument("--size", required=True, type=int, help="Number of values.")
        parser.add_argument("--base", help="What names start with: prv, or aa:00:0 (the default for MAC prefixes).")
        parser.add_argument("--offset", type=int, default=0, help="Added to a bridge's number to give its VLAN id.")

    def handle(self, *args: Any, **options: Any) -> None:
        pool = create_value_pool(options["type"], size=options["size"], base=options["base"], offset=options["offset"])
        self.note(f"Created {options['type']} pool {pool.pk}: {pool.count_free} of {pool.size} values can be used.")
