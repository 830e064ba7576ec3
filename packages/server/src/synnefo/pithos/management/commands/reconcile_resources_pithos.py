from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, CommandError, resolve_user
from synnefo.pithos.reconcilers import quotas
from synnefo.pithos.services.charges import DISKSPACE


class Command(BaseCommand):
    help = "Compare the bytes that are stored with those that the quota service counts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", default=None, metavar="UUID|EMAIL", help="Only this user.")
        parser.add_argument("--project", default=None, metavar="UUID", help="Only this project.")
        parser.add_argument("--fix", action="store_true", help="Tell the quota service what is stored.")
        parser.add_argument("--force", action="store_true", help="With --fix: also beyond limits.")
        parser.add_argument("--atomic", action="store_true", help="With --fix: everything or nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = None if options["user"] is None else resolve_user(options["user"])
        found = quotas.differences(user_id=user, project_id=options["project"])
        if not found:
            self.note("Everything in sync.")
            return
        rows = [("user", item.user_id, item.project_id, DISKSPACE, item.stored, "-" if item.recorded is None else item.recorded) for item in found]
        self.table(("type", "holder", "source", "resource", "database", "quotaholder"), rows, options)
        for item in found:
            if item.recorded is None:
                self.note(f"The quota service has no holding of {item.user_id} in {item.project_id}.")
            elif item.is_pending:
                self.note(f"A commission of {item.user_id} is open; settle it first: snf-manage reconcile-commissions-pithos --fix")
        if not options["fix"]:
            self.problems_found()
        refused = quotas.repair(found, force=options["force"], atomic=options["atomic"])
        for item, why in refused:
            self.note(f"The holding of {item.user_id} in {item.project_id} is left as it was: {why}")
        left = len(refused) + sum(item.is_pending or item.recorded is None for item in found)
        self.note(f"{len(found) - left} holdings are set right.")
        if left:
            hint = " Use --force to pass limits." if refused and not options["force"] else ""
            raise CommandError(f"{left} holdings are left as they were.{hint}", code=4)
