from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import pending_app_checks
from synnefo.astakos.services.pending_apps import RESOURCE
from synnefo.common.commands import PARTIAL, BaseCommand, CommandError, resolve_user


class Command(BaseCommand):
    help = "Compare the pending project applications with those that the quota ledger counts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", default=None, metavar="UUID|EMAIL", help="Only this user.")
        parser.add_argument("--project", default=None, metavar="UUID", help="Only this system project.")
        parser.add_argument("--fix", action="store_true", help="Correct the ledger, except where a commission is pending.")
        parser.add_argument("--force", action="store_true", help="With --fix: also beyond limits.")
        parser.add_argument("--atomic", action="store_true", help="With --fix: everything or nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = None if options["user"] is None else resolve_user(options["user"])
        found = pending_app_checks.differences(user_id=user, project_id=options["project"])
        if not found:
            self.note("Everything in sync.")
            return
        self.table(("type", "holder", "source", "resource", "astakos", "quotaholder"),
                   [("user" if item.source else "project", item.holder, item.source or "-", RESOURCE, item.counted,
                     "no holding" if item.recorded is None else item.recorded) for item in found], options)
        if any(item.is_pending for item in found):
            self.note("Commissions are pending; those counters are skipped. Try: snf-manage commission-list")
        if not options["fix"]:
            self.problems_found()
        refused = pending_app_checks.repair(found, force=options["force"], atomic=options["atomic"])
        for item, why in refused:
            self.note(f"The counter of {item.holder} is left as it was: {why}")
        left = len(refused) + sum(item.is_pending or item.recorded is None for item in found)
        if left:
            raise CommandError(f"{left} counters are left as they were. Use --force to pass limits.", code=PARTIAL)
        self.note(f"{len(found)} counters are set right.")
