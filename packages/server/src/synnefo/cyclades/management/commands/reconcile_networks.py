from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand
from synnefo.cyclades.reconcilers.networks import reconcile_networks


class Command(BaseCommand):
    help = "Compare the networks of the database with those in every backend that is online."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix-all", "--fix", dest="fix", action="store_true", help="Make them agree.")

    def handle(self, *args: Any, **options: Any) -> None:
        report = reconcile_networks(fix=options["fix"])
        for text in report.found:
            self.line(f"D: {text}")
        for text in report.fixed:
            self.line(f"F: {text}")
        for text in report.unreachable:
            self.note(f"Not checked: {text}")
        if (report.found and not options["fix"]) or report.unreachable:
            self.problems_found()
