from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.models import Resource
from synnefo.astakos.services import resources
from synnefo.common.commands import USAGE, Amount, BaseCommand, CommandError, amount, boolean, format_amount

MAX_BYTES = 1024 * 1024


class Command(BaseCommand):
    help = "Change the default limits or the visibility of a resource. Existing projects keep their limits."
    uses_amounts = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", metavar="NAME")
        parser.add_argument("--system-default", "--default-quota", "--limit", type=amount, default=None, metavar="AMOUNT",
                            help="Limit of new users' own projects: a number with a unit, or inf.")
        parser.add_argument("--project-default", type=amount, default=None, metavar="AMOUNT", help="Limits in new projects.")
        parser.add_argument("--api-visible", type=boolean, default=None, metavar="True|False", help="Show it in the API.")
        parser.add_argument("--ui-visible", "--allow-in-projects", type=boolean, default=None, metavar="True|False",
                            help="Show it on pages and in project applications.")
        parser.add_argument("--apply-to-existing", action="store_true",
                            help="Also change the projects whose limits are the old default.")
        parser.add_argument("--default-quota-interactive", "--limit-interactive", dest="interactive", action="store_true",
                            help="Ask for the default of this resource, or of all.")
        parser.add_argument("--default-quota-from-file", "--limit-from-file", dest="file", default=None, metavar="FILE",
                            help='Read defaults from a JSON object {"name": "amount"}.')

    def handle(self, *args: Any, **options: Any) -> None:
        changes = {key: options[key] for key in ("system_default", "project_default", "api_visible", "ui_visible")
                   if options[key] is not None}
        if options["interactive"] or options["file"] is not None:
            self._bulk(options, changes)
            return
        if options["name"] is None or not changes:
            raise CommandError("Name a resource and what to change.", code=USAGE)
        self._modify(options["name"], options, **changes)

    def _bulk(self, options: dict[str, Any], changes: dict[str, Any]) -> None:
        if changes:
            raise CommandError("--default-quota-interactive and --default-quota-from-file go with no other change.", code=USAGE)
        names = [resources.get_resource(options["name"]).name] if options["name"] else list(Resource.objects.values_list("name", flat=True))
        wanted = self._read(options["file"]) if options["file"] is not None else {name: self._question(name) for name in names}
        unknown = set(wanted) - set(Resource.objects.values_list("name", flat=True))
        if unknown:
            raise CommandError(f"Resource {min(unknown)} does not exist. Try: snf-manage resource-list")
        for name in names:
            if wanted.get(name) is not None:
                self._modify(name, options, system_default=wanted[name])

    def _question(self, name: str) -> int | None:
        """An amount typed by the operator; nothing keeps what there is."""
        while True:
            self.stderr.write(f"Default limit of {name} (empty keeps it): ", ending="")
            self.stderr.flush()
            text = sys.stdin.readline()
            if not text.strip():
                return None
            try:
                return amount(text)
            except argparse.ArgumentTypeError as error:
                self.note(str(error))

    def _read(self, path: str) -> dict[str, int | None]:
        try:
            with Path(path).open(encoding="utf-8") as stream:
                raw = json.loads(stream.read(MAX_BYTES))
            if not isinstance(raw, dict):
                raise CommandError(f"{path} does not hold a JSON object.")
            return {name: amount(str(value)) for name, value in raw.items()}
        except (OSError, ValueError, argparse.ArgumentTypeError) as error:
            raise CommandError(f"{path} cannot be used: {error}") from error

    def _modify(self, name: str, options: dict[str, Any], **changes: Any) -> None:
        before = resources.get_resource(name)
        after = resources.modify_resource(name, apply_to_existing=options["apply_to_existing"], **changes)
        style = options["unit_style"] or "mb"
        for key in ("system_default", "project_default"):
            old, new = getattr(before, key), getattr(after, key)
            if old != new:
                self.note(f"{name}: {key} changed from {format_amount(Amount(old, after.unit), style)} "
                          f"to {format_amount(Amount(new, after.unit), style)}.")
        for key in ("api_visible", "ui_visible"):
            if getattr(before, key) != getattr(after, key):
                self.note(f"{name}: {key} is now {getattr(after, key)}.")
