"""Exchanges, queues and routing keys, listed once for both transports and all commands."""

from __future__ import annotations

from dataclasses import dataclass

from synnefo.common.settings import conf

DEAD_SUFFIX = "-dl"
HEARTBEAT_KEY = "eventd.heartbeat"
DEBUG_KEY = "#"


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """A queue and the one routing key that feeds it. Its dead letters collect in its twin."""

    name: str
    routing_key: str

    @property
    def dead(self) -> QueueSpec:
        return QueueSpec(self.name + DEAD_SUFFIX, self.routing_key)


def key_prefix() -> str:
    """The part of our names before the first dash: `snf`."""
    return str(conf.BACKEND_PREFIX_ID).split("-", 1)[0]


def queues() -> list[QueueSpec]:
    """The queues that the dispatcher serves."""
    prefix = key_prefix()
    return [
        QueueSpec(f"{prefix}-events-op", f"ganeti.{prefix}.event.op"),
        QueueSpec(f"{prefix}-events-network", f"ganeti.{prefix}.event.network"),
        QueueSpec(f"{prefix}-events-progress", f"ganeti.{prefix}.event.progress"),
        # No prefix: every deployment on the broker hears of every cluster and ignores foreign ones.
        QueueSpec(f"{prefix}-events-cluster", "ganeti.event.cluster"),
    ]


def debug_queue() -> QueueSpec:
    """Everything that passes, for `snf-dispatcher --debug`."""
    return QueueSpec(f"{key_prefix()}-debug", DEBUG_KEY)


def find_queue(name: str) -> QueueSpec | None:
    """One of ours by name, dead-letter twins included."""
    every = [spec for main in queues() for spec in (main, main.dead)] + [debug_queue()]
    return next((spec for spec in every if spec.name == name), None)


def queue_of(routing_key: str) -> QueueSpec | None:
    """Where a message with this key belongs."""
    return next((spec for spec in queues() if spec.routing_key == routing_key), None)


def exchange() -> str:
    return str(conf.EXCHANGE_GANETI)


def dead_exchange() -> str:
    return exchange() + DEAD_SUFFIX
