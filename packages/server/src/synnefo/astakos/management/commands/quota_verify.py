from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import quota_checks
from synnefo.astakos.services.quota_checks import Mismatch
from synnefo.common.commands import INFINITE, USAGE, BaseCommand, CommandError, resolve_user

BATCH = 1000


class Command(BaseCommand):
    help = "Compare the limits of all holdings with what projects and memberships say. Usage is never touched."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", "--sync", action="store_true", help="Set wrong limits right.")
        parser.add_argument("--include-unexpected-holdings", action="store_true",
                            help="Look also for holdings that no project or membership explains; --fix deletes the unused ones.")
        parser.add_argument("--user", default=None, metavar="UUID|EMAIL", help="Only the holdings of this user.")
        parser.add_argument("--prune", action="store_true",
                            help="Instead, delete what ended projects and former members left behind where nothing is used.")
        parser.add_argument("--usage", action="store_true",
                            help="Check instead that counters agree with pending commissions and with each other.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["usage"]:
            self._usage(options)
            return
        if options["prune"]:
            if options["fix"] or options["user"] is not None or options["include_unexpected_holdings"]:
                raise CommandError("--prune goes with no other option.", code=USAGE)
            self.note(f"{quota_checks.prune()} holdings are gone.")
            return
        user_id = None if options["user"] is None else resolve_user(options["user"])
        found = list(quota_checks.verify(user_id=user_id, with_unexpected=options["include_unexpected_holdings"]))
        if not found:
            self.note("All limits are right.")
            return
        self.table(("holder", "source", "resource", "astakos", "quotaholder"), [_row(item) for item in found], options)
        if not options["fix"]:
            self.problems_found(f"{len(found)} limits are wrong. Set them right with --fix.")
        fixed = sum(quota_checks.repair(found[start : start + BATCH]) for start in range(0, len(found), BATCH))
        self.note(f"{fixed} limits are set right.")
        if fixed < len(found):
            raise CommandError(f"{len(found) - fixed} unexpected holdings are in use and were kept.", code=4)

    def _usage(self, options: dict[str, Any]) -> None:
        if options["fix"] or options["prune"] or options["user"] is not None or options["include_unexpected_holdings"]:
            raise CommandError("--usage only looks, and at everything.", code=USAGE)
        found = [(*item.key, item.text) for item in quota_checks.verify_usage()]
        if not found:
            self.note("All counters agree.")
            return
        self.table(("holder", "source", "resource", "problem"), found, options)
        self.problems_found(f"{len(found)} counters disagree. Usage is set right by reconcile-resources-*.")


def _row(item: Mismatch) -> tuple[str, str, str, str, str]:
    holder, source, resource = item.key
    return holder, source, resource, _limit(item.expected, "unexpected"), _limit(item.found, "missing")


def _limit(value: int | None, missing: str) -> str:
    return missing if value is None else "inf" if value == INFINITE else str(value)
