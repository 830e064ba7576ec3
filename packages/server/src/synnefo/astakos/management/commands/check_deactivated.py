from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import deactivated, users
from synnefo.common.commands import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Look for users that are inactive but whose projects are not suspended, and with --fix suspend them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", nargs="?", help="Id, uuid or e-mail.")
        parser.add_argument("--all-users", action="store_true", help="Look at all inactive users.")
        parser.add_argument("--fix", action="store_true", help="Suspend what should be.")
        parser.add_argument("--noemail", action="store_true", help="Show uuids in place of e-mails.")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["user"]) == options["all_users"]:
            raise CommandError("Name a user, or say --all-users.", code=2)
        chosen = deactivated.inactive_users() if options["all_users"] else [users.get_user(options["user"])]
        wrong = 0
        for user in chosen:
            found = deactivated.unsuspended(user)
            if not found:
                continue
            wrong += 1
            shown = user.uuid if options["noemail"] else user.email
            self.line(f"{shown}: not suspended: {', '.join(found)}")
            if options["fix"]:
                deactivated.suspend(user.user_id)
                self.note(f"{shown}: suspended")
        if wrong and not options["fix"]:
            raise CommandError(f"{wrong} inactive users have projects that are not suspended. Suspend them with --fix.")
        self.note("Nothing is left to do." if wrong else "Everything is as it should be.")
