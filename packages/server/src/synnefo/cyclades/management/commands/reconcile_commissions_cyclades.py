from __future__ import annotations

import datetime
from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import USAGE, BaseCommand, CommandError
from synnefo.cyclades.models import CommissionRecord
from synnefo.cyclades.services import commissions


class Command(BaseCommand):
    help = "Find commissions of this service that are decided but not told to the ledger, or that belong to requests that died."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Tell the ledger what was decided, and give back what nobody uses.")
        parser.add_argument("--older-than", type=int, default=None, metavar="SECONDS",
                            help="Leave younger ones alone: a request may be at work on them. 15 minutes by default.")
        parser.add_argument("--include-undecided", action="store_true", help="Reject those too that a server's job has yet to decide.")

    def handle(self, *args: Any, **options: Any) -> None:
        age = commissions.LONGEST_REQUEST if options["older_than"] is None else datetime.timedelta(seconds=options["older_than"])
        if options["older_than"] is not None and options["older_than"] < 0:
            raise CommandError("--older-than is negative.", code=USAGE)
        decided = list(CommissionRecord.objects.filter(pending=False).order_by("serial"))
        abandoned = commissions.abandoned(older_than=age)
        waiting, unused = commissions.undecided(older_than=age)
        if options["include_undecided"]:
            waiting, unused = [], sorted([*waiting, *unused])
        lines = [f"D: {record}" for record in decided] + [f"D: {serial}: abandoned" for serial in abandoned]
        for line in [*lines, *(f"D: {serial}: undecided" for serial in unused)]:
            self.line(line)
        if waiting:
            self.note(f"Waiting for jobs of servers: {', '.join(str(serial) for serial in waiting)}. Reject them with --include-undecided.")
        count = len(decided) + len(abandoned) + len(unused)
        if not count:
            self.note("No unresolved commissions were found.")
        elif not options["fix"]:
            self.problems_found()
        else:
            self._fix([record.serial for record in decided] + [int(serial) for serial in unused], unused, age)
            self.line(f"F: {len(decided)} told, {len(abandoned) + len(unused)} given back")

    def _fix(self, serials: list[int], unused: list[Any], age: datetime.timedelta) -> None:
        commissions.reject_undecided(unused)
        while commissions.settle():
            pass
        commissions.reject_abandoned(older_than=age)
        if commissions.abandoned(older_than=age) or CommissionRecord.objects.filter(serial__in=serials, pending=False).exists():
            self.problems_found("The ledger did not take everything. Try again when it answers.")
