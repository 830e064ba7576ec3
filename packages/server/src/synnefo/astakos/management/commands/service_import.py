from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import registry
from synnefo.common.commands import BaseCommand, CommandError

MAX_BYTES = 4 * 1024 * 1024


class Command(BaseCommand):
    help = "Register services, their endpoints and resources from the output of service-export-*; all or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", required=True, metavar="FILE|-", help="File to read; - is standard input.")

    def handle(self, *args: Any, **options: Any) -> None:
        for line in registry.import_services(self._read(options["json"])):
            self.note(line)

    def _read(self, name: str) -> object:
        try:
            text = sys.stdin.read(MAX_BYTES + 1) if name == "-" else Path(name).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{name} cannot be read: {error}") from error
        if len(text) > MAX_BYTES:
            raise CommandError(f"{name} is larger than {MAX_BYTES} bytes.")
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CommandError(f"{name} is not JSON: {error}") from error
