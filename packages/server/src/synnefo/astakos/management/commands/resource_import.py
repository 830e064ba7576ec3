from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import resources
from synnefo.common.commands import BaseCommand, CommandError

MAX_BYTES = 4 * 1024 * 1024


class Command(BaseCommand):
    help = "Register the resources of a JSON list, as resource-export-* prints it; all or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", required=True, metavar="FILE|-", help="File to read; - is standard input.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["json"]
        try:
            text = sys.stdin.read(MAX_BYTES) if name == "-" else Path(name).read_text("utf-8")
            raw = json.loads(text)
        except (OSError, ValueError, RecursionError) as error:
            raise CommandError(f"{name} cannot be used: {error}") from error
        for line in resources.import_resources(raw):
            self.note(line)
