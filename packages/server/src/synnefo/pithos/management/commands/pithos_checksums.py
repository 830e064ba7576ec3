from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand
from synnefo.pithos.services import checksums


class Command(BaseCommand):
    help = "Compute the MD5 of large objects that were uploaded as hashes of blocks; until then their ETag is their Merkle root."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=1000, help="Objects at most in this run (default: 1000).")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [(version.pk, version.bytes, version.etag) for version in checksums.compute_missing(limit=max(0, options["limit"]))]
        self.table(("version", "bytes", "md5"), rows, options)
