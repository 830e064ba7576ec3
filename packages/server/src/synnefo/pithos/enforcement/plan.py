"""Which versions and objects to delete so that stored bytes fall below limits. Pure: values in, values out."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

TRASH = "trash"


class Kind(StrEnum):
    HISTORY = "version"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Item:
    """A current object, or contents (`mapfile`) that only the history of a container still has. `size` is what its project pays for it."""

    kind: Kind
    account: str
    container: str
    project_id: str
    name: str
    size: int
    changed_at: datetime.datetime
    version: int
    mapfile: str = ""
    is_shared: bool = False
    """Others rely on it: an image, a snapshot, or public."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Bytes of a project (`source` empty) or of a user in the project `source`."""

    holder: str
    source: str
    limit: int
    usage: int
    pending: int

    @property
    def level(self) -> str:
        return "user" if self.source else "project"


@dataclass(slots=True)
class Violation:
    number: int
    holding: Holding
    remaining: int


@dataclass(frozen=True, slots=True)
class Action:
    item: Item
    violation: int


@dataclass(frozen=True, slots=True)
class Rules:
    delete_objects: bool = False
    """Also outside of the trash."""
    include_shared: bool = False


@dataclass(slots=True)
class Plan:
    violations: list[Violation] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def unresolved(self) -> list[Violation]:
        return [item for item in self.violations if item.remaining > 0]


def make_plan(holdings: Iterable[Holding], items: Iterable[Item], rules: Rules, *, with_projects: bool = True,
              excluded_users: frozenset[str] = frozenset()) -> Plan:
    """Projects first, then members: history by age, then the trash by age, then (if allowed) other objects, the largest first."""
    plan = Plan()
    by_project: dict[str, list[Item]] = {}
    for item in sorted((item for item in items if _may_go(item, rules)), key=_order):
        by_project.setdefault(item.project_id, []).append(item)
    planned: set[Item] = set()
    for holding in sorted(holdings, key=lambda one: (one.level == "user", one.holder, one.source)):
        if not holding.source and not with_projects:
            continue
        if holding.pending:
            plan.warnings.append(f"{holding.level} {holding.holder} {holding.source}: a commission is pending; skipped.")
        elif holding.usage > holding.limit:
            spared = frozenset() if holding.source else excluded_users
            mine = [item for item in by_project.get(holding.source or holding.holder, [])
                    if item.account not in spared and (not holding.source or item.account == holding.holder)]
            _resolve(plan, holding, mine, planned)
    return plan


def _resolve(plan: Plan, holding: Holding, items: Iterable[Item], planned: set[Item]) -> None:
    violation = Violation(len(plan.violations) + 1, holding, holding.usage - holding.limit)
    plan.violations.append(violation)
    for item in items:
        if violation.remaining < 1:
            return
        violation.remaining -= item.size
        if item not in planned:
            planned.add(item)
            plan.actions.append(Action(item, violation.number))


def _may_go(item: Item, rules: Rules) -> bool:
    if item.size < 1 or (item.is_shared and not rules.include_shared):
        return False
    return item.kind == Kind.HISTORY or item.container == TRASH or rules.delete_objects


def _order(item: Item) -> tuple[int, int, datetime.datetime, int]:
    if item.kind == Kind.HISTORY:
        return 0, 0, item.changed_at, item.version
    if item.container == TRASH:
        return 1, 0, item.changed_at, item.version
    return 2, -item.size, item.changed_at, item.version
