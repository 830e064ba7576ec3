from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import components
from synnefo.common.commands import BaseCommand


class Command(BaseCommand):
    help = "Record a component of the cloud; prints its service token."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--base-url", default="", help="Public root of its APIs.")
        parser.add_argument("--ui-url", default="", help="Address of its pages.")

    def handle(self, *args: Any, **options: Any) -> None:
        component, token = components.add_component(options["name"], base_url=options["base_url"],
                                                    ui_url=options["ui_url"])
        if options["output_format"] == "pretty":
            self.line(f"Token: {self.secret(token)}")
            return
        self.detail({"id": component.pk, "name": component.name, "token": self.secret(token)}, options)
