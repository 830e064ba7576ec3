"""What becomes of one message: handled, dropped, tried again with growing waits, or declared dead."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection
from prometheus_client import Counter, Histogram

from synnefo.common.db import is_conflict
from synnefo.common.errors import DomainError, InvalidInput, OutcomeUnknown
from synnefo.common.settings import conf
from synnefo.cyclades.consumers import messages
from synnefo.cyclades.ports import type_handle

log = structlog.get_logger(__name__)
MESSAGES = Counter("synnefo_dispatcher_messages", "Events by queue and what became of them", ["queue", "outcome"])
SECONDS = Histogram("synnefo_dispatcher_seconds", "Time to handle an event, waits included", ["queue"])
AGE = Histogram("synnefo_dispatcher_event_age_seconds", "Age of events when they are handled", ["cluster"],
                buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600))

MAX_WAIT_S = 30.0
type_wait = Callable[[float], bool]
"""Waits that many seconds; True when the process must stop meanwhile."""


class Outcome(Enum):
    DONE = "done"
    DROPPED = "dropped"
    DEAD = "dead"
    STOPPED = "stopped"
    """The process must end before the message was settled: it goes back to where it came from."""


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    attempts: int = 0
    error: str = ""


def deliver(queue: str, body: bytes, handle: type_handle, wait: type_wait) -> Verdict:
    """Hand one message to `handle`. Never raises for anything the message or its handler does.

    While the database cannot be reached at all no attempt is counted: the message waits with us.
    """
    started = time.monotonic()
    verdict = _deliver(queue, body, handle, wait)
    MESSAGES.labels(queue, verdict.outcome.value).inc()
    SECONDS.labels(queue).observe(time.monotonic() - started)
    return verdict


def _deliver(queue: str, body: bytes, handle: type_handle, wait: type_wait) -> Verdict:
    try:
        message = messages.parse(body)
    except InvalidInput as error:
        log.warning("event.dropped", queue=queue, reason=error.public)
        return Verdict(Outcome.DROPPED, error=error.public)
    _observe_age(message)
    with structlog.contextvars.bound_contextvars(
        queue=queue, job=message.get("jobId"), operation=message.get("operation"), event_status=message.get("status"),
        target=message.get("instance") or message.get("network"),
    ):
        return _tried(message, handle, wait)


def _tried(message: dict[str, Any], handle: type_handle, wait: type_wait) -> Verdict:
    attempts, pause = 0, float(conf.EVENT_RETRY_SECONDS)
    while True:
        try:
            close_old_connections()
            handle(message)
            return Verdict(Outcome.DONE, attempts + 1)
        except InvalidInput as error:
            log.warning("event.dropped", reason=error.public)
            return Verdict(Outcome.DROPPED, attempts + 1, error.public)
        except Exception as error:
            is_down = isinstance(error, DatabaseError | InterfaceError) and not _database_answers()
            attempts += 0 if is_down else 1
            if not is_down and (not is_passing(error) or attempts > conf.EVENT_RETRY_LIMIT):
                log.exception("event.dead", attempts=attempts)
                return Verdict(Outcome.DEAD, attempts, f"{type(error).__name__}: {error}"[:2000])
            log.warning("event.retry", attempts=attempts, error=repr(error), wait_s=pause)
            if wait(pause):
                return Verdict(Outcome.STOPPED, attempts, repr(error))
            pause = min(pause * 2, MAX_WAIT_S)


def is_passing(error: BaseException) -> bool:
    """Whether the same message may succeed later: the world was at fault, not the message."""
    if isinstance(error, DomainError):
        return error.retryable or isinstance(error, OutcomeUnknown)
    return isinstance(error, OperationalError | InterfaceError) or (isinstance(error, DatabaseError) and is_conflict(error))


def _database_answers() -> bool:
    try:
        connection.close()
        connection.ensure_connection()
    except (DatabaseError, InterfaceError):
        return False
    return True


def _observe_age(message: dict[str, Any]) -> None:
    moment = message.get("event_time")
    if moment and message.get("cluster"):
        AGE.labels(message["cluster"]).observe(max(0.0, time.time() - moment[0] - moment[1] / 1e6))
