"""snf-manage queue-inspect"""

from __future__ import annotations

import sys
from typing import Any

from synnefo.common.commands import USAGE, BaseCommand, CommandError
from synnefo.cyclades.adapters import event_bus
from synnefo.cyclades.consumers import topology
from synnefo.cyclades.ports import DeadLetter


class Command(BaseCommand):
    help = "Show the messages of an event queue. They stay there unless you say otherwise."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("queue", nargs="?", metavar="QUEUE", help="Name of the queue; without one all queues are counted.")
        parser.add_argument("--no-requeue", action="store_true", help="Delete each message after it was shown.")
        parser.add_argument("-i", "--interactive", action="store_true", help="Ask for each message whether to delete it.")

    def handle(self, *args: Any, **options: Any) -> None:
        bus = event_bus()
        if not options["queue"]:
            self.table(["queue", "messages"], sorted(bus.depths().items()), options)
            return
        if topology.find_queue(options["queue"]) is None:
            raise CommandError(f"Unknown queue {options['queue']}. Without a name all queues are listed.", code=USAGE)
        if options["interactive"] or options["no_requeue"]:
            removed = bus.remove(options["queue"], self._decision(options))
            self.note(f"{removed} messages deleted.")
            return
        for number, letter in enumerate(bus.read(options["queue"]), 1):
            self._show(number, letter)

    def _decision(self, options: dict[str, Any]) -> Any:
        shown = [0]

        def decide(letter: DeadLetter) -> bool:
            shown[0] += 1
            self._show(shown[0], letter)
            return not options["interactive"] or self._agreed()

        return decide

    def _show(self, number: int, letter: DeadLetter) -> None:
        self.line(f"----- message {number}: {letter.routing_key}")
        if letter.error:
            self.line(f"error after {letter.attempts} attempts: {letter.error}")
        self.line(letter.body.decode("utf-8", "replace"))

    def _agreed(self) -> bool:
        self.stderr.write("Delete this message? N/y: ", ending="")
        self.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}
