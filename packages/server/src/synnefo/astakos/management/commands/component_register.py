from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import components, registry
from synnefo.common import registration
from synnefo.common.commands import BaseCommand, CommandError

STANDARD = ("astakos", "cyclades", "pithos")


@dataclass(frozen=True)
class Plan:
    """What is to be recorded of one component."""

    name: str
    base_url: str
    ui_url: str


class Command(BaseCommand):
    help = ("Record standard components with their addresses and services, or bring them up to date. Asks for what the options "
            "leave open; with --yes it asks nothing, and may be repeated.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="COMPONENT", help=f"{', '.join(STANDARD)}; all of them by default.")
        parser.add_argument("--base-url", default=None, help="Public root of the component's APIs.")
        parser.add_argument("--ui-url", default=None, help="Address of its pages.")
        parser.add_argument("--yes", action=argparse.BooleanOptionalAction, default=False, help="Ask nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        names = list(dict.fromkeys(options["names"])) or list(STANDARD)
        unknown = [name for name in names if name not in STANDARD]
        if unknown:
            raise CommandError(f"Unknown component {', '.join(unknown)}: there are {', '.join(STANDARD)}. Nothing was changed.")
        if len(names) > 1 and (options["base_url"] or options["ui_url"]):
            raise CommandError("Addresses are of one component: name it.", code=2)
        if not options["yes"] and not sys.stdin.isatty():
            raise CommandError("Not a terminal: add --yes, and the addresses where they are not known yet.")
        plans = [self._known(name, options) for name in names]
        done = [self._register(plan) if options["yes"] else self._ask_and_register(plan) for plan in plans]
        if any(done):
            self.note("New resources have no limit. To set default limits: snf-manage resource-modify RESOURCE --system-default LIMIT")

    def _known(self, name: str, options: dict[str, Any]) -> Plan:
        """From the options, else as registered, else as configured on this host."""
        found = components.find_component(name)
        base_url = options["base_url"] or (found.base_url if found else "") or registration.base_url_of(name)
        ui_url = options["ui_url"] or (found.ui_url if found else "") or base_url.removesuffix(f"/{name}")
        return Plan(name, components.parse_url(base_url, "base-url"), components.parse_url(ui_url, "ui-url"))

    def _ask_and_register(self, plan: Plan) -> bool:
        again = components.find_component(plan.name) is not None
        if not self._agrees(f"{plan.name} is registered. Register it again?" if again else f"Register {plan.name}?"):
            return False
        base_url = self._answer("Base URL", plan.base_url)
        asked = Plan(plan.name, components.parse_url(base_url, "base-url"),
                     components.parse_url(self._answer("UI URL", plan.ui_url), "ui-url"))
        if not self._agrees(f"{asked.name}: base URL {asked.base_url}, UI URL {asked.ui_url}. Right?"):
            return False
        self._register(asked)
        if not again:
            self._answer("Put the token into the settings of its hosts, then press Enter", "")
        return True

    def _register(self, plan: Plan) -> bool:
        token, lines = registry.register_component(plan.name, base_url=plan.base_url, ui_url=plan.ui_url)
        for line in lines:
            self.note(line)
        if token is not None:
            self.line(f"Token of {plan.name}: {self.secret(token)}")
        return True

    def _agrees(self, question: str) -> bool:
        return self._answer(f"{question} [y/N]", "").lower() in {"y", "yes"}

    def _answer(self, question: str, default: str) -> str:
        """What the operator types; the default for an empty line. An end of the input stops the command."""
        self.stderr.write(f"{question}{f' [{default}]' if default else ''}: ", ending="")
        self.stderr.flush()
        answer = sys.stdin.readline()
        if not answer:
            raise CommandError("The answers have ended.")
        return answer.strip() or default
