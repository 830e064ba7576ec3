from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import terms
from synnefo.common.commands import BaseCommand


class Command(BaseCommand):
    help = "Add a new version of the terms of use. All users have to agree to it before they can do anything else, also by API."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="The text, in HTML. Scripts and styles in it are left out.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.line(f"Created term id {terms.add(options['file']).pk}")
