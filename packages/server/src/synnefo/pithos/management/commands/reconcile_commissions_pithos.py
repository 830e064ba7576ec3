from __future__ import annotations

import datetime
from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import USAGE, BaseCommand, CommandError
from synnefo.pithos.reconcilers import quotas


class Command(BaseCommand):
    help = "Find commissions of the object store that were never settled, because a request died, and settle them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Accept those whose change was committed, reject the others.")
        age = parser.add_mutually_exclusive_group()
        age.add_argument("--older-than", type=int, default=None, metavar="SECONDS",
                         help="Leave younger ones alone: a request may still settle them.")
        age.add_argument("--now", dest="older_than", action="store_const", const=0, help="As --older-than 0.")

    def handle(self, *args: Any, **options: Any) -> None:
        seconds = options["older_than"]
        if seconds is not None and seconds < 0:
            raise CommandError("--older-than is negative.", code=USAGE)
        found = quotas.open_commissions(older_than=None if seconds is None else datetime.timedelta(seconds=seconds))
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
