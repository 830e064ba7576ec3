from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import components
from synnefo.common.commands import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Change a component's addresses or token, or drop its services."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("component", metavar="ID|NAME")
        parser.add_argument("--base-url", default=None)
        parser.add_argument("--ui-url", default=None)
        parser.add_argument("--auth-token", default=None, metavar="TOKEN", help="Use this token.")
        parser.add_argument("--renew-token", action="store_true", help="Make a new token and print it.")
        parser.add_argument("--grace", type=float, default=None, metavar="HOURS",
                            help="How long the old token still works; by default it ends at once.")
        parser.add_argument("--purge-services", action="store_true", help="Remove its registered services.")

    def handle(self, *args: Any, **options: Any) -> None:
        component = components.get_component(options["component"])
        wanted = ("base_url", "ui_url", "auth_token", "renew_token", "purge_services")
        if all(options[name] in {None, False} for name in wanted):
            raise CommandError("Nothing to change: give at least one option.", code=2)
        token = components.modify_component(
            component.pk, base_url=options["base_url"], ui_url=options["ui_url"], token=options["auth_token"],
            renew_token=options["renew_token"], grace_hours=options["grace"],
            purge_services=options["purge_services"])
        if token is not None:
            self.line(f"Token: {self.secret(token)}")
        self.note(f"Component {component.name} changed")
