"""Database helpers that every service shares."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from prometheus_client import Counter

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)
RETRIES = Counter("synnefo_db_transaction_retries", "Transactions run again after a conflict")
_RETRYABLE_SQLSTATES = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available


def is_conflict(error: DatabaseError) -> bool:
    """Whether running the transaction again may succeed."""
    state = getattr(error.__cause__, "sqlstate", None)
    return state in _RETRYABLE_SQLSTATES or (isinstance(error, OperationalError) and "locked" in str(error))


def transactional(*, attempts: int = 4) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Run the function in one outermost transaction, again after a deadlock or serialization failure.

    The function must not call out of the process: it may run several times.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            for attempt in range(attempts):
                try:
                    with transaction.atomic(durable=True):
                        return function(*args, **kwargs)
                except IntegrityError:
                    raise
                except DatabaseError as error:
                    if attempt + 1 == attempts or not is_conflict(error):
                        raise
                    RETRIES.inc()
                    log.info("db.transaction.retry", function=function.__qualname__, attempt=attempt + 1)
                    time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - jitter, not a secret
            raise AssertionError("unreachable")

        return run

    return decorate


def lock_name(name: str) -> None:
    """Hold a lock on a name, for which there need not be a row, until the transaction ends."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def supports_row_locks() -> bool:
    """False on SQLite, where an immediate transaction already holds the only write lock."""
    return connection.features.has_select_for_update
