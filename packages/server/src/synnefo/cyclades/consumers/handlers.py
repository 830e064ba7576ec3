"""Which service a queue's messages go to."""

from __future__ import annotations

from typing import Any

import structlog

from synnefo.cyclades.consumers import topology
from synnefo.cyclades.ports import type_handle

log = structlog.get_logger(__name__)


def by_queue(*, debug: bool = False) -> dict[str, type_handle]:
    """{queue name: handler}. `debug` adds the queue that only logs what passes."""
    from synnefo.cyclades.services import events

    found: dict[str, type_handle] = {spec.name: events.handle for spec in topology.queues()}
    return {**found, topology.debug_queue().name: _log_only} if debug else found


def _log_only(message: dict[str, Any]) -> None:
    log.debug("event.seen", event_type=message.get("type"), status=message.get("status"))
