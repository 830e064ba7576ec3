"""Which servers, disks and addresses to stop or remove so that usage falls below limits. Pure: values in, values out.

Handlers run in one fixed order, first over projects, then over members. Each goes through the holder's objects in a fixed order and takes
what they count for off the excess, until nothing of it is left. What an earlier handler planned counts too, so nothing is planned twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

VM, CPU, RAM, TOTAL_CPU, TOTAL_RAM, DISK, FLOATING_IP, NETWORK = (
    f"cyclades.{name}" for name in ("vm", "cpu", "ram", "total_cpu", "total_ram", "disk", "floating_ip", "network.private"))
DEFAULT_RESOURCES = (CPU, RAM, FLOATING_IP)
DESCRIPTIONS: Mapping[str, tuple[str, str]] = {
    CPU: ("shut down servers (remove those in ERROR)", ""), RAM: ("shut down servers (remove those in ERROR)", ""),
    TOTAL_CPU: ("delete servers", "shut down servers"), TOTAL_RAM: ("delete servers", "shut down servers"), VM: ("delete servers", "shut down servers"),
    DISK: ("delete volumes (servers too with --remove-system-volumes)", ""),
    FLOATING_IP: ("detach and delete addresses", "detach addresses"), NETWORK: ("", ""),
}
"""Resource: (hard action, soft action); nothing where it can only be reported."""

_SERVER_LEVELS = {"ERROR": 0, "BUILD": 1, "STOPPED": 2, "STARTED": 3, "RESIZE": 3, "DESTROYED": 4}
_ACTIVE = {"STARTED", "BUILD", "ERROR"}
_VOLUME_LEVELS = {
    "ERROR": 1, "ERROR_DELETING": 2, "CREATING": 3, "AVAILABLE": 4, "ATTACHING": 5, "DETACHING": 5, "DELETING": 6, "DELETED": 6,
    "BACKING_UP": 7, "RESTORING_BACKUP": 7, "ERROR_RESTORING": 7, "IN_USE": 8,
}


class Kind(StrEnum):
    SERVER = "vm"
    VOLUME = "volume"
    ADDRESS = "floating_ip"


class Do(StrEnum):
    SHUTDOWN = "SHUTDOWN"
    DETACH = "DETACH"
    REMOVE = "REMOVE"


@dataclass(frozen=True, slots=True)
class Item:
    """Something that counts for its owner and its project. `server_id` is where a volume or address is."""

    kind: Kind
    id: int
    user_id: str
    project_id: str
    state: str
    backend: str | None = None
    shares: Mapping[str, int] = field(default_factory=dict)
    """What it counts for, by resource, in base units."""
    server_id: int | None = None
    index: int | None = None

    @property
    def key(self) -> tuple[Kind, int]:
        return self.kind, self.id

    @property
    def is_system_volume(self) -> bool:
        return self.kind == Kind.VOLUME and self.server_id is not None and self.index == 0


@dataclass(frozen=True, slots=True)
class Holding:
    """A counter to look at: of a project (`source` empty) or of a user in the project `source`."""

    holder: str
    source: str
    resource: str
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
    """What no planned action takes away."""


@dataclass(slots=True)
class Action:
    item: Item
    do: Do
    violation: int


@dataclass(frozen=True, slots=True)
class Rules:
    resources: tuple[str, ...] = DEFAULT_RESOURCES
    soft_resources: tuple[str, ...] = ()
    remove_system_volumes: bool = False
    cascade_remove: bool = False


@dataclass(slots=True)
class Plan:
    violations: list[Violation] = field(default_factory=list)
    actions: dict[tuple[Kind, int], Action] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def unresolved(self) -> list[Violation]:
        return [item for item in self.violations if item.remaining > 0]

    @property
    def removes_something(self) -> bool:
        return any(action.do == Do.REMOVE for action in self.actions.values())

    def in_order(self) -> list[Action]:
        """As they are carried out: addresses before the servers they are on, volumes after."""
        order = [Kind.ADDRESS, Kind.SERVER, Kind.VOLUME]
        return sorted(self.actions.values(), key=lambda action: order.index(action.item.kind))

    def capped(self, per_backend: int | None) -> list[Action]:
        """`in_order`, at most so many on each backend; what is on none is not limited."""
        counts: dict[str, int] = {}
        chosen = []
        for action in self.in_order():
            backend = action.item.backend
            if backend is not None and per_backend is not None:
                counts[backend] = counts.get(backend, 0) + 1
                if counts[backend] > per_backend:
                    continue
            chosen.append(action)
        return chosen


def make_plan(holdings: Iterable[Holding], items: Iterable[Item], rules: Rules, *, with_projects: bool = True,
              excluded_users: frozenset[str] = frozenset()) -> Plan:
    """Plan for the given counters and objects. `with_projects` also looks at projects as a whole, sparing the objects of `excluded_users`."""
    planner = _Planner(items, rules)
    counters: dict[tuple[str, str], dict[str, Holding]] = {}
    for holding in holdings:
        counters.setdefault((holding.holder, holding.source), {})[holding.resource] = holding
    for is_project in (True, False) if with_projects else (False,):
        level = sorted(key for key in counters if bool(key[1]) is not is_project)
        for resource, handler in planner.handlers():
            for key in level:
                planner.look_at(key, resource, counters[key].get(resource), handler, excluded_users if is_project else frozenset())
    return planner.plan


type_handler = Callable[[Violation, list[Item]], None]


class _Planner:
    def __init__(self, items: Iterable[Item], rules: Rules) -> None:
        self.rules = rules
        self.plan = Plan()
        self.items = list(items)
        self.servers = {item.id: item for item in self.items if item.kind == Kind.SERVER}
        self.volumes_of: dict[int, list[Item]] = {}
        self.by_project: dict[str, list[Item]] = {}
        for item in self.items:
            self.by_project.setdefault(item.project_id, []).append(item)
            if item.kind == Kind.VOLUME and item.server_id is not None:
                self.volumes_of.setdefault(item.server_id, []).append(item)

    def handlers(self) -> list[tuple[str, type_handler]]:
        """(resource, handler) in the one order, whatever the order of the options."""
        hard, soft = set(self.rules.resources), set(self.rules.soft_resources)
        found: list[tuple[str, type_handler]] = [(name, self._stop) for name in (CPU, RAM) if name in hard]
        found += [(name, self._soft_stop) for name in (TOTAL_CPU, TOTAL_RAM, VM) if name in soft]
        found += [(name, self._destroy) for name in (TOTAL_CPU, TOTAL_RAM, VM) if name in hard]
        found += [(DISK, self._remove_volumes)] if DISK in hard else []
        found += [(FLOATING_IP, self._detach)] if FLOATING_IP in soft else []
        found += [(FLOATING_IP, self._remove_addresses)] if FLOATING_IP in hard else []
        found += [(NETWORK, self._report)] if NETWORK in hard else []
        return found

    def look_at(self, key: tuple[str, str], resource: str, holding: Holding | None, handler: type_handler, excluded: frozenset[str]) -> None:
        if holding is None or holding.pending:
            where = f"user {key[0]} in project {key[1]}" if key[1] else f"project {key[0]}"
            why = "there is no holding" if holding is None else "a commission is pending"
            self.plan.warnings.append(f"{resource} of {where} is skipped: {why}.")
            return
        excess = holding.usage - holding.limit
        if excess <= 0:
            return
        violation = Violation(len(self.plan.violations) + 1, holding, excess)
        self.plan.violations.append(violation)
        mine = [item for item in self.by_project.get(holding.source or holding.holder, []) if item.user_id not in excluded]
        handler(violation, [item for item in mine if item.user_id == holding.holder] if holding.source else mine)

    # Servers

    def _stop(self, violation: Violation, items: list[Item], *, soft: bool = False) -> None:
        for server in _newest_by_level(items, Kind.SERVER, lambda item: _SERVER_LEVELS.get(item.state, 4)):
            if violation.remaining < 1:
                return
            is_active = server.state in _ACTIVE
            if not is_active and not soft:
                continue
            violation.remaining -= _share(server, violation)
            if is_active and server.key not in self.plan.actions:
                if server.state == "ERROR":
                    self._remove_server(server, violation)
                else:
                    self._act(server, Do.SHUTDOWN, violation)

    def _soft_stop(self, violation: Violation, items: list[Item]) -> None:
        self._stop(violation, items, soft=True)

    def _destroy(self, violation: Violation, items: list[Item]) -> None:
        for server in _newest_by_level(items, Kind.SERVER, lambda item: _SERVER_LEVELS.get(item.state, 4)):
            if violation.remaining < 1:
                return
            if not self._goes(server) and self._has_more_volumes(server) and not self.rules.cascade_remove:
                continue
            violation.remaining -= _share(server, violation)
            self._remove_server(server, violation)

    def _has_more_volumes(self, server: Item) -> bool:
        return any(volume.index != 0 for volume in self.volumes_of.get(server.id, []))

    def _remove_server(self, server: Item, violation: Violation) -> None:
        """With all its volumes, which do not outlive it."""
        self._act(server, Do.REMOVE, violation)
        for volume in self.volumes_of.get(server.id, []):
            self._act(volume, Do.REMOVE, violation)

    # Volumes

    def _remove_volumes(self, violation: Violation, items: list[Item]) -> None:
        own = {item.key for item in items}
        counted: set[tuple[Kind, int]] = set()
        for volume in _newest_by_level(items, Kind.VOLUME, lambda item: 0 if self._goes(item) else _VOLUME_LEVELS.get(item.state, 8)):
            if violation.remaining < 1:
                return
            if volume.key in counted:
                continue
            gone = [volume]
            if self._goes(volume):
                pass
            elif volume.is_system_volume:
                server = self.servers.get(volume.server_id or 0)
                if server is None or not self.rules.remove_system_volumes or (self._has_more_volumes(server) and not self.rules.cascade_remove):
                    continue
                gone = self.volumes_of[server.id]
                self._remove_server(server, violation)
            else:
                self._act(volume, Do.REMOVE, violation)
            for item in gone:
                if item.key in own and item.key not in counted:
                    counted.add(item.key)
                    violation.remaining -= _share(item, violation)

    # Addresses

    def _remove_addresses(self, violation: Violation, items: list[Item], *, soft: bool = False) -> None:
        for address in _newest_by_level(items, Kind.ADDRESS, self._address_level):
            if violation.remaining < 1:
                return
            violation.remaining -= _share(address, violation)
            if not soft:
                self._act(address, Do.REMOVE, violation)
            elif address.server_id is not None:
                self._act(address, Do.DETACH, violation)

    def _detach(self, violation: Violation, items: list[Item]) -> None:
        self._remove_addresses(violation, items, soft=True)

    def _address_level(self, address: Item) -> int:
        """Free ones first, then by the state their server will be in."""
        server = self.servers.get(address.server_id) if address.server_id is not None else None
        if address.server_id is None:
            return -1
        planned = self.plan.actions.get((Kind.SERVER, address.server_id))
        state = {Do.REMOVE: "ERROR", Do.SHUTDOWN: "STOPPED"}.get(planned.do, "") if planned else server.state if server else ""
        return _SERVER_LEVELS.get(state, 4)

    def _report(self, violation: Violation, items: list[Item]) -> None:
        """Nothing is done to networks: their users would lose more than what is over."""

    def _goes(self, item: Item) -> bool:
        planned = self.plan.actions.get(item.key)
        return planned is not None and planned.do == Do.REMOVE

    def _act(self, item: Item, do: Do, violation: Violation) -> None:
        """Plan it, unless as much is planned already; removing overrides the rest."""
        known = self.plan.actions.get(item.key)
        if known is None:
            self.plan.actions[item.key] = Action(item, do, violation.number)
        elif do == Do.REMOVE and known.do != Do.REMOVE:
            known.do, known.violation = do, violation.number


def _share(item: Item, violation: Violation) -> int:
    return item.shares.get(violation.holding.resource, 0)


def _newest_by_level(items: Iterable[Item], kind: Kind, level: Callable[[Item], int]) -> list[Item]:
    return sorted((item for item in items if item.kind == kind), key=lambda item: (level(item), -item.id))
