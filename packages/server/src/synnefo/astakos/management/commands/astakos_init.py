from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import legacy_quota, registry
from synnefo.common.commands import USAGE, BaseCommand, CommandError


class Command(BaseCommand):
    help = "Register the services of this host and the default limits of ASTAKOS_SERVICES, as old installations did. Repeatable."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--load-service-resources", action="store_true", help="Do it.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["load_service_resources"]:
            raise CommandError("Nothing to do. Use --load-service-resources.", code=USAGE)
        for line in [*registry.register_local_services(), *legacy_quota.load_defaults()]:
            self.note(line)
        self.note("Existing users keep their limits. To change them: snf-manage user-modify --all --base-quota RESOURCE AMOUNT")
