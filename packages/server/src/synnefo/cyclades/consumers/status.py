"""`snf-dispatcher --status-check`: does each cluster's remote API answer, and does its event daemon?

A dry-run tag on the cluster makes a job that changes nothing; a living event daemon answers the job with a heartbeat. The
wait is bounded, and clusters that are offline are left out.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable
from typing import IO

from synnefo.common.errors import DomainError
from synnefo.cyclades.adapters import BackendRecord, cluster_for, event_bus

PREFIX = "snf:eventd:heartbeat"
WAIT_S = 5.0
REFUSED = 1


def report(stream: IO[str]) -> int:
    """Print {"status": {cluster: {"RAPI": "ok"|"fail", "eventd": "ok"|"fail"}}}; 1 when anything failed."""
    from synnefo.cyclades.models import Backend

    status = check(list(Backend.objects.filter(offline=False)))
    stream.write(json.dumps({"status": status}, indent=2) + "\n")
    return REFUSED if any("fail" in answers.values() for answers in status.values()) else 0


def check(backends: Iterable[BackendRecord], *, seconds: float = WAIT_S) -> dict[str, dict[str, str]]:
    """Ask every cluster at once, then listen. Raises `DependencyUnavailable` when the event transport is down."""
    asked: set[str] = set()

    def ask() -> set[str]:
        asked.update(backend.clustername for backend in backends if _asked(backend))
        return asked

    heard = event_bus().heartbeats(ask, seconds=seconds)
    return {backend.clustername: {"RAPI": _word(backend.clustername in asked), "eventd": _word(backend.clustername in heard)}
            for backend in backends}


def _asked(backend: BackendRecord) -> bool:
    """Whether the cluster took the job."""
    tag = f"{PREFIX}:{socket.gethostname()}:{os.getpid()}"
    try:
        cluster_for(backend).add_cluster_tags([tag], reason=tag, dry_run=True)
    except DomainError:
        return False
    return True


def _word(is_good: bool) -> str:
    return "ok" if is_good else "fail"
