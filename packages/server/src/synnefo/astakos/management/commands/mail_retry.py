from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import mails
from synnefo.common.commands import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Have mails tried again at the worker's next round, also those that were given up."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("mails", metavar="ID", nargs="*", type=int, help="Numbers as mail-list shows them.")
        parser.add_argument("--all", action="store_true", help="All that wait or were given up.")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["mails"]) == options["all"]:
            raise CommandError("Name mails, or say --all.")
        count = mails.retry(None if options["all"] else options["mails"])
        self.note(f"{count} mails will be tried again.")
        if not count and options["mails"]:
            raise CommandError("No such mail. Try: snf-manage mail-list")
