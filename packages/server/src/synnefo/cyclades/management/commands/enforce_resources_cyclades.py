from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import PARTIAL, USAGE, Amount, BaseCommand, CommandError, add_confirmation, comma_list
from synnefo.cyclades.enforcement import execution, inventory
from synnefo.cyclades.enforcement import plan as planning
from synnefo.cyclades.enforcement.inventory import Scope
from synnefo.cyclades.enforcement.plan import DESCRIPTIONS, Action, Plan, Rules, Violation

OVER = 2
_BYTES = {planning.RAM, planning.TOTAL_RAM, planning.DISK}


class Command(BaseCommand):
    help = ("Find users and projects that use more than their limits allow, and suggest what to stop or remove; --fix does it. "
            "Exit status: 0 nothing is over or all was done, 2 something is over, 3 something failed or needs further options.")
    uses_amounts = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--resources", type=comma_list, default=None, metavar="R1,R2",
                            help=f"Resources to enforce; by default {','.join(planning.DEFAULT_RESOURCES)}.")
        parser.add_argument("--soft-resources", type=comma_list, default=None, metavar="R1,R2", help="Resources to enforce without removing anything.")
        parser.add_argument("--list-resources", action="store_true", help="Print what can be enforced, and how, and stop.")
        for name, what in (("users", "users"), ("projects", "projects")):
            parser.add_argument(f"--{name}", type=comma_list, default=None, metavar="UUIDS", help=f"Only these {what}.")
            parser.add_argument(f"--exclude-{name}", type=comma_list, default=[], metavar="UUIDS", help=f"Not these {what}.")
        parser.add_argument("--max-operations", type=int, default=None, metavar="N", help="At most N actions on each backend.")
        parser.add_argument("--shutdown-timeout", type=int, default=None, metavar="SECONDS", help="How long guests may take to shut down.")
        parser.add_argument("--remove-system-volumes", action="store_true", help="For cyclades.disk: remove servers with the disks they boot from.")
        parser.add_argument("--cascade-remove", action="store_true", help="Remove servers that have further volumes, with these.")
        parser.add_argument("--fix", action="store_true", help="Do what is suggested.")
        add_confirmation(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list_resources"]:
            self.table(("name", "enforce action", "soft enforce action"),
                       [(name, hard or "report only", soft or "-") for name, (hard, soft) in sorted(DESCRIPTIONS.items())], options)
            return
        plan = self._plan(options, _rules(options))
        for text in plan.warnings:
            self.note(text)
        if not plan.violations:
            self.note("No resource violations were found.")
            return
        actions = plan.capped(options["max_operations"])
        if not options["fix"]:
            self._show(plan, "suggested actions", _HEADERS, [_row(action) for action in actions], options)
            self._explain(plan, options)
            raise CommandError(f"{len(plan.violations)} limits are exceeded. Carry out the actions with --fix.", code=OVER)
        self._fix(plan, actions, options)

    def _plan(self, options: dict[str, Any], rules: Rules) -> Plan:
        for name in ("max_operations", "shutdown_timeout"):
            if options[name] is not None and options[name] < 0:
                raise CommandError(f"--{name.replace('_', '-')} is negative.", code=USAGE)
        users, projects = (None if options[name] is None else frozenset(options[name]) for name in ("users", "projects"))
        scope = Scope(users, frozenset(options["exclude_users"]), projects, frozenset(options["exclude_projects"]))
        counters = inventory.holdings(scope)
        return planning.make_plan(counters, inventory.items(counters), rules, with_projects=users is None, excluded_users=scope.excluded_users)

    def _show(self, plan: Plan, title: str, headers: Sequence[str], rows: list[tuple[Any, ...]], options: dict[str, Any]) -> None:
        """What is over and what comes of it: two tables, or one object in the formats that can hold both."""
        found = [_violation_row(item) for item in plan.violations]
        if options["output_format"] in {"json", "json-strings", "yaml"}:
            self.detail({"violations": [dict(zip(_VIOLATION_HEADERS, row, strict=True)) for row in found],
                         title: [dict(zip(headers, row, strict=True)) for row in rows]}, options)
            return
        self.table(_VIOLATION_HEADERS, found, options)
        if rows:
            self.stdout.write(f"\n{title.capitalize()}\n")
            self.table(headers, rows, options)

    def _fix(self, plan: Plan, actions: list[Action], options: dict[str, Any]) -> None:
        if any(action.do == planning.Do.REMOVE for action in actions):
            self.ask(f"{len(actions)} actions, some of which remove things for good. Carry them out?", options)
        results = list(execution.carry_out(actions, shutdown_timeout_s=options["shutdown_timeout"]))
        self._show(plan, "applied actions", (*_HEADERS, "result"),
                   [(*_row(action), "DONE" if is_done else "FAILED") for action, is_done in results], options)
        self._explain(plan, options)
        failed = sum(not is_done for _, is_done in results)
        left = len(plan.actions) - len(actions)
        if left:
            self.note(f"{left} actions are left for later, by --max-operations.")
        if failed or left or plan.unresolved:
            raise CommandError(f"{failed} actions failed; {len(plan.unresolved)} violations need more than what is allowed.", code=PARTIAL)

    def _explain(self, plan: Plan, options: dict[str, Any]) -> None:
        by_resource: dict[str, list[Violation]] = {}
        for item in plan.unresolved:
            by_resource.setdefault(item.holding.resource, []).append(item)
        for resource, items in by_resource.items():
            numbers = ", ".join(str(item.number) for item in items)
            self.note(f"{resource}: the actions do not resolve violation {numbers}.{_hint(resource, options)}")


_VIOLATION_HEADERS = ("#", "type", "holder", "source", "resource", "limit", "usage")
_HEADERS = ("type", "id", "state", "backend", "action", "violation")


def _violation_row(item: Violation) -> tuple[Any, ...]:
    holding, unit = item.holding, "bytes" if item.holding.resource in _BYTES else ""
    return (item.number, holding.level, holding.holder, holding.source or "-", holding.resource, Amount(holding.limit, unit),
            Amount(holding.usage, unit))


def _row(action: Action) -> tuple[Any, ...]:
    item = action.item
    return str(item.kind), item.id, item.state, item.backend or "-", str(action.do), action.violation


def _hint(resource: str, options: dict[str, Any]) -> str:
    names = [] if options["cascade_remove"] or resource not in {planning.VM, planning.TOTAL_CPU, planning.TOTAL_RAM, planning.DISK} else ["--cascade-remove"]
    if resource == planning.DISK and not options["remove_system_volumes"]:
        names.insert(0, "--remove-system-volumes")
    return f" More is possible with {' and '.join(names)}." if names else ""


def _rules(options: dict[str, Any]) -> Rules:
    hard, soft = options["resources"], options["soft_resources"]
    if hard is None and soft is None:
        hard = list(planning.DEFAULT_RESOURCES)
    hard, soft = hard or [], soft or []
    for name in hard:
        if name not in DESCRIPTIONS:
            raise CommandError(f"{name} cannot be enforced. Try: --list-resources", code=USAGE)
    for name in soft:
        if not DESCRIPTIONS.get(name, ("", ""))[1]:
            raise CommandError(f"{name} cannot be enforced softly. Try: --list-resources", code=USAGE)
    if set(hard) & set(soft):
        raise CommandError("A resource is either enforced or enforced softly.", code=USAGE)
    return Rules(tuple(hard), tuple(soft), remove_system_volumes=options["remove_system_volumes"], cascade_remove=options["cascade_remove"])
