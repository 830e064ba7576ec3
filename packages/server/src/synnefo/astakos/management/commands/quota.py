from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandParser

from synnefo.astakos.management.commands import quota_list, quota_verify
from synnefo.astakos.services import legacy_quota
from synnefo.common.commands import PARTIAL, BaseCommand, CommandError


class Command(BaseCommand):
    help = "Old name of quota-list, quota-verify and quota-verify --fix; imports base quota of users from a file."
    uses_amounts = True

    def add_arguments(self, parser: CommandParser) -> None:
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument("--list", action="store_true", help="As quota-list, which is the default.")
        chosen.add_argument("--verify", action="store_true", help="As quota-verify.")
        chosen.add_argument("--sync", action="store_true", help="As quota-verify --fix.")
        chosen.add_argument("--import-base-quota", default=None, metavar="FILE", help="Lines of: user resource capacity.")
        parser.add_argument("--user", default=None, metavar="UUID|EMAIL", help="Only this user.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["import_base_quota"] is not None:
            self._import(options["import_base_quota"])
            return
        passed = ["--output-format", options["output_format"]]
        passed += ["--user", options["user"]] if options["user"] is not None else []
        if options["verify"] or options["sync"]:
            self._run(quota_verify.Command(), *passed, *(["--fix"] if options["sync"] else []))
            return
        passed += ["--unit-style", options["unit_style"]] if options["unit_style"] else []
        self._run(quota_list.Command(), *passed)

    def _run(self, command: BaseCommand, *arguments: str) -> None:
        name = type(command).__module__.rpartition(".")[2].replace("_", "-")
        self.note(f"Use snf-manage {name}{' --fix' if '--fix' in arguments else ''}.")
        streams = {"stdout": getattr(self.stdout, "_out", self.stdout), "stderr": getattr(self.stderr, "_out", self.stderr)}
        call_command(command, *arguments, **streams)

    def _import(self, name: str) -> None:
        try:
            lines = Path(name).read_text("utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise CommandError(f"{name} cannot be used: {error}") from error
        bad = list(legacy_quota.import_lines(lines))
        for number, why in bad:
            self.note(f"Line {number} is skipped: {why}")
        if bad:
            raise CommandError(f"{len(bad)} of {len(lines)} lines were skipped.", code=PARTIAL)
        self.note(f"{len(lines)} lines were imported.")
