from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, CommandError, resolve_user
from synnefo.common.errors import QuotaExceeded
from synnefo.pithos.reconcilers import quotas
from synnefo.pithos.services.charges import DISKSPACE


class Command(BaseCommand):
    help = "Compare the bytes that are stored with those that the quota service counts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", default=None, metavar="UUID|EMAIL", help="Only this user.")
        parser.add_argument("--project", default=None, metavar="UUID", help="Only this project.")
        parser.add_argument("--fix", action="store_true", help="Tell the quota service what is stored.")
        parser.add_argument("--force", action="store_true", help="With --fix: also beyond limits.")

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
        try:
            fixed = quotas.repair(found, force=options["force"])
        except QuotaExceeded as error:
            raise CommandError(f"{error.public} Use --force to pass the limit.") from error
        self.note(f"{fixed} holdings are set right.")
        if fixed < len(found):
            raise CommandError(f"{len(found) - fixed} holdings are left as they were.", code=4)
