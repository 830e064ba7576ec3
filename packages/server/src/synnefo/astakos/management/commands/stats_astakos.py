from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import statistics
from synnefo.common.commands import UNIT_STYLES, Amount, BaseCommand, CommandError, format_amount


class Command(BaseCommand):
    help = "Show how many users there are, how they sign in, and what they use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--unit-style", choices=UNIT_STYLES, default="auto", help="Unit of bytes.")

    def handle(self, *args: Any, **options: Any) -> None:
        found = statistics.detailed()
        form = options.get("output_format", "pretty")
        if form == "csv":
            raise CommandError("There are several tables here: use json or pretty.")
        if form == "json":
            for line in json.dumps(found, indent=2).splitlines():
                self.line(line)
            return
        self.line(f"Date: {found['datetime']}")
        for name, counts in found["users"].items():
            self.line(f"\nUsers, {name}: " + ", ".join(f"{count} {word}" for word, count in counts.items()))
            for resource, row in found["resources"][name].items():
                used, allocated = (format_amount(Amount(row[key], row["unit"]), options["unit_style"]) for key in ("used", "allocated"))
                share = f" ({100 * row['used'] / row['allocated']:.1f}%)" if row["allocated"] else ""
                self.line(f"  {resource}: {used} of {allocated} used{share}")
