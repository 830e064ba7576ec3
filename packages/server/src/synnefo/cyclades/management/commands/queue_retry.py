"""snf-manage queue-retry"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from synnefo.common.commands import USAGE, BaseCommand, CommandError
from synnefo.cyclades.adapters import event_bus
from synnefo.cyclades.consumers import topology
from synnefo.cyclades.ports import DeadLetter, EventBus


class Command(BaseCommand):
    help = "Send dead letters round again. One that dies a second time is deleted at the next run."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--queue", help="Only the dead letters of this queue (default: of all).")
        parser.add_argument("--limit", type=int, default=0, help="At most this many messages.")
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")
        parser.add_argument("--keep-zombies", action="store_true", help="Leave messages that have been retried before.")

    def handle(self, *args: Any, **options: Any) -> None:
        bus = event_bus()
        counts: Counter[str] = Counter()
        letters = islice(self._dead(bus, options["queue"]), options["limit"] or None)
        for letter in list(letters):
            action = _action(letter, keep_zombies=options["keep_zombies"])
            counts[action] += 1
            if not options["dry_run"]:
                _act(bus, letter, action)
        would = "would be " if options["dry_run"] else ""
        for action in ("retried", "removed", "kept"):
            self.line(f"{counts[action]} messages {would}{action}.")

    def _dead(self, bus: EventBus, queue: str | None) -> Iterator[DeadLetter]:
        specs = topology.queues()
        if queue is not None:
            specs = [spec for spec in specs if queue in {spec.name, spec.dead.name}]
            if not specs:
                raise CommandError(f"Unknown queue {queue}.", code=USAGE)
        for spec in specs:
            yield from bus.read(spec.dead.name)


def _action(letter: DeadLetter, *, keep_zombies: bool) -> str:
    if letter.was_retried:
        return "kept" if keep_zombies else "removed"
    try:
        json.loads(letter.body)
    except ValueError:
        return "removed"
    return "retried" if topology.queue_of(letter.routing_key) else "removed"


def _act(bus: EventBus, letter: DeadLetter, action: str) -> None:
    if action == "retried":
        bus.revive(letter)
    elif action == "removed":
        bus.remove(letter.queue, lambda other: other.body == letter.body)
