from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand
from synnefo.cyclades.reconcilers.pools import reconcile_pools


class Command(BaseCommand):
    help = "Compare the maps of bridges, MAC prefixes and addresses with what is really in use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Rewrite maps that are wrong.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = reconcile_pools(fix=options["fix"])
        for finding in findings:
            self.line(f"D: {finding.text}")
            if options["fix"] and finding.is_fixable:
                self.line(f"F: {finding.text.rsplit(' is ', 1)[0]}")
        if any(not (options["fix"] and finding.is_fixable) for finding in findings):
            self.problems_found()
