from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import PARTIAL, BaseCommand, CommandError
from synnefo.cyclades.services import backends


class Command(BaseCommand):
    help = "Read capacity and disk templates of all backends that are online, or of one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--backend-id", metavar="BACKEND", help="Only this one: number or cluster name.")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = None if options["backend_id"] is None else [backends.get_backend(options["backend_id"])]
        failures = backends.refresh_all(wanted)
        for name, reason in failures.items():
            self.note(f"{name}: {reason}")
        if failures:
            raise CommandError(f"{len(failures)} of the backends could not be read.", code=PARTIAL)
