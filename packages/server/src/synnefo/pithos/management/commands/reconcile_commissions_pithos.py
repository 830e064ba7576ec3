from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand
from synnefo.pithos.reconcilers import quotas


class Command(BaseCommand):
    help = "Find commissions of the object store that were never settled, because a request died, and settle them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Accept those whose change was committed, reject the others.")
        parser.add_argument("--now", action="store_true", help="Also look at those of the last minutes, which a request may still settle.")

    def handle(self, *args: Any, **options: Any) -> None:
        found = quotas.open_commissions(now=options["now"])
        if not found.to_accept and not found.to_reject:
            self.note("No unresolved commissions were found.")
            return
        self.line(f"Unresolved commissions: {sorted([*found.to_accept, *found.to_reject])}")
        if not options["fix"]:
            self.problems_found()
        failed = set(quotas.settle(found))
        self.line(f"Accepted: {[serial for serial in found.to_accept if serial not in failed]}")
        self.line(f"Rejected: {[serial for serial in found.to_reject if serial not in failed]}")
        for serial in sorted(failed):
            self.note(f"Commission {serial} had been settled already.")
