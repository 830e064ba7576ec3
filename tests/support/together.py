"""Several threads that do something at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from synnefo.common.errors import DomainError


def at_once(count: int, work: Callable[[int], object]) -> list[object]:
    """What `work(0)` to `work(count - 1)` returned, or the domain errors that they raised; anything else is raised here."""
    barrier = threading.Barrier(count)

    def run(number: int) -> object:
        barrier.wait(30)
        try:
            return work(number)
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count), timeout=60))
