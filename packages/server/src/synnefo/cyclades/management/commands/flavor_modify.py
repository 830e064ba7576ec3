from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, boolean, object_id
from synnefo.common.errors import NotFound
from synnefo.cyclades.models import Flavor


class Command(BaseCommand):
    help = "Change whether a flavor is offered, and to whom."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("flavor", type=object_id("flavor"), help="The flavor's identifier")
        parser.add_argument("--allow-create", type=boolean, help="Whether new servers may be made from it")
        parser.add_argument("--public", type=boolean, help="Whether everybody may use it")
        parser.add_argument("--deleted", type=boolean, help="Whether it is gone for users; servers keep it")

    def handle(self, *_args: Any, **options: Any) -> None:
        changes = {key: options[key] for key in ("allow_create", "public", "deleted") if options[key] is not None}
        if not changes:
            self.fail("Nothing to change: give --allow-create, --public or --deleted.", code=2)
        if not Flavor.objects.filter(pk=options["flavor"]).update(**changes):
            raise NotFound(f"Flavor with ID {options['flavor']} does not exist. Try: snf-manage flavor-list")
        self.note(f"Changed flavor {options['flavor']}.")
