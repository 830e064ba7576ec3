from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import PARTIAL, USAGE, Amount, BaseCommand, CommandError, add_confirmation, comma_list
from synnefo.pithos.enforcement import execution, inventory
from synnefo.pithos.enforcement import plan as planning
from synnefo.pithos.enforcement.plan import Action, Plan, Rules
from synnefo.pithos.services.charges import DISKSPACE

OVER = 2
_VIOLATION_HEADERS = ("#", "type", "holder", "source", "resource", "limit", "usage")
_HEADERS = ("type", "account", "container", "object", "size", "action", "violation")


class Command(BaseCommand):
    help = ("Find users and projects that store more than their limits allow, and suggest what to delete; --fix does it. "
            "Exit status: 0 nothing is over or all was done, 2 something is over, 3 something failed or needs further options.")
    uses_amounts = True

    def add_arguments(self, parser: CommandParser) -> None:
        for name in ("users", "projects"):
            parser.add_argument(f"--{name}", type=comma_list, default=None, metavar="UUIDS", help=f"Only these {name}.")
            parser.add_argument(f"--exclude-{name}", type=comma_list, default=[], metavar="UUIDS", help=f"Not these {name}.")
        parser.add_argument("--delete-objects", action="store_true", help="Objects outside of the trash too, the largest first.")
        parser.add_argument("--include-shared", action="store_true", help="Images, snapshots and public objects too.")
        parser.add_argument("--max-operations", type=int, default=None, metavar="N", help="At most N deletions.")
        parser.add_argument("--fix", action="store_true", help="Do what is suggested.")
        add_confirmation(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        limit = options["max_operations"]
        if limit is not None and limit < 0:
            raise CommandError("--max-operations is negative.", code=USAGE)
        plan = _plan(options)
        for text in plan.warnings:
            self.note(text)
        if not plan.violations:
            self.note("No resource violations were found.")
            return
        actions = plan.actions if limit is None else plan.actions[:limit]
        if not options["fix"]:
            self._show(plan, "suggested actions", _HEADERS, [_row(action) for action in actions], options)
            self._explain(plan, options)
            raise CommandError(f"{len(plan.violations)} limits are exceeded. Carry out the actions with --fix.", code=OVER)
        self._fix(plan, actions, options)

    def _fix(self, plan: Plan, actions: list[Action], options: dict[str, Any]) -> None:
        if actions:
            self.ask(f"{len(actions)} things will be deleted for good. Delete them?", options)
        results = list(execution.carry_out(actions))
        self._show(plan, "applied actions", (*_HEADERS, "result"),
                   [(*_row(action), "DONE" if is_done else "FAILED") for action, is_done in results], options)
        self._explain(plan, options)
        failed = sum(not is_done for _, is_done in results)
        left = len(plan.actions) - len(actions)
        if left:
            self.note(f"{left} actions are left for later, by --max-operations.")
        if failed or left or plan.unresolved:
            raise CommandError(f"{failed} actions failed; {len(plan.unresolved)} violations need more than what is allowed.", code=PARTIAL)

    def _show(self, plan: Plan, title: str, headers: Sequence[str], rows: list[tuple[Any, ...]], options: dict[str, Any]) -> None:
        """What is over and what comes of it: two tables, or one object in the formats that can hold both."""
        found = [(item.number, item.holding.level, item.holding.holder, item.holding.source or "-", DISKSPACE, Amount(item.holding.limit),
                  Amount(item.holding.usage)) for item in plan.violations]
        if options["output_format"] in {"json", "json-strings", "yaml"}:
            self.detail({"violations": [dict(zip(_VIOLATION_HEADERS, row, strict=True)) for row in found],
                         title: [dict(zip(headers, row, strict=True)) for row in rows]}, options)
            return
        self.table(_VIOLATION_HEADERS, found, options)
        if rows:
            self.stdout.write(f"\n{title.capitalize()}\n")
            self.table(headers, rows, options)

    def _explain(self, plan: Plan, options: dict[str, Any]) -> None:
        names = [f"--{name}" for name in ("delete-objects", "include-shared") if not options[name.replace("-", "_")]]
        for item in plan.unresolved:
            hint = f" More is possible with {' and '.join(names)}." if names else ""
            self.note(f"The actions do not resolve violation {item.number}: {item.remaining} bytes are left.{hint}")


def _plan(options: dict[str, Any]) -> Plan:
    users, projects = options["users"], options["projects"]
    excluded = frozenset(options["exclude_users"])
    counters = inventory.holdings(
        lambda user: (users is None or user in users) and user not in excluded,
        lambda project: (projects is None or project in projects) and project not in options["exclude_projects"], projects)
    return planning.make_plan(counters, inventory.items(counters), Rules(options["delete_objects"], options["include_shared"]),
                              with_projects=users is None, excluded_users=excluded)


def _row(action: Action) -> tuple[Any, ...]:
    item = action.item
    return str(item.kind), item.account, item.container, item.name, Amount(item.size), "REMOVE", action.violation
