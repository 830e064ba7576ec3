from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import users, verification
from synnefo.common.commands import BaseCommand, CommandError
from synnefo.common.errors import DomainError


class Command(BaseCommand):
    help = "Send users the mail that asks to confirm their e-mail. Links of older mails stop working."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("users", nargs="+", metavar="USER", help="Id, uuid or e-mail.")

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        for text in options["users"]:
            try:
                user = users.get_user(text)
                verification.send_again(user.user_id)
            except DomainError as error:
                failed += 1
                self.note(error.public)
            else:
                self.note(f"Activation sent to '{user.email}'")
        if failed:
            raise CommandError(f"{failed} of {len(options['users'])} mails were not sent.")
