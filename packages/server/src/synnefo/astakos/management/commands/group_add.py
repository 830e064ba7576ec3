from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import users
from synnefo.common.commands import BaseCommand


class Command(BaseCommand):
    help = "Create a group of users."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        self.note("Group created" if users.add_group(options["name"]) else "The group exists already")
