from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import PARTIAL, BaseCommand, CommandError, resolve_user
from synnefo.cyclades.reconcilers import quotas


class Command(BaseCommand):
    help = "Compare what servers, volumes, networks and addresses count for with what the quota ledger says is in use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--userid", "--user", dest="user", help="Only this user (uuid or e-mail).")
        parser.add_argument("--project", help="Only this project.")
        parser.add_argument("--fix", action="store_true", help="Correct the ledger, except where a commission is under way.")
        parser.add_argument("--force", action="store_true", help="With --fix: also beyond limits.")
        parser.add_argument("--atomic", action="store_true", help="With --fix: everything or nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = resolve_user(options["user"]) if options["user"] else None
        project = options["project"]
        found = [item for item in quotas.differences()
                 if (user is None or item.user_id == user) and (project is None or item.project_id == project)]
        if not found:
            self.note("Everything in sync.")
            return
        headers = ("User", "Project", "Resource", "Database", "Ledger", "Pending")
        self.table(headers, [(item.user_id, item.project_id, item.resource, item.used, item.recorded, item.is_pending) for item in found], options)
        if any(item.is_pending for item in found):
            self.note("Commissions are under way. If they stay: snf-manage reconcile-commissions-cyclades --fix")
        if not options["fix"]:
            self.problems_found()
        refused = quotas.repair(found, force=options["force"], atomic=options["atomic"])
        for item, why in refused:
            self.note(f"{item.resource} of {item.user_id} in {item.project_id} is left as it was: {why}")
        if refused:
            raise CommandError(f"{len(refused)} differences were refused. Use --force to pass limits.", code=PARTIAL)
        if any(item.is_pending for item in found):
            self.problems_found()
