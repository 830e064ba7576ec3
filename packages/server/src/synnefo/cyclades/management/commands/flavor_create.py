from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, boolean
from synnefo.common.errors import InvalidInput
from synnefo.cyclades.services import flavors


def _numbers(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise InvalidInput(f"{text!r}: numbers separated by commas are needed.")
    return [int(part) for part in parts]


class Command(BaseCommand):
    help = "Create flavors: every combination of the CPUs, memory, disk and volume types given."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("cpu", help="CPUs, separated by commas")
        parser.add_argument("ram", help="MiB of memory, separated by commas")
        parser.add_argument("disk", help="GiB of disk, separated by commas")
        parser.add_argument("volume_type", help="Disk templates or numbers of volume types, separated by commas")
        parser.add_argument("--public", type=boolean, default=True, help="Whether everybody may use them (default True)")

    def handle(self, *_args: Any, **options: Any) -> None:
        made = flavors.create_flavors(_numbers(options["cpu"]), _numbers(options["ram"]), _numbers(options["disk"]),
                                      options["volume_type"].split(","), public=options["public"])
        self.table(["id", "name"], [[flavor.pk, flavor.name] for flavor in made], options)
