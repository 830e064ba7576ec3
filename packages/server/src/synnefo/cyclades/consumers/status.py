"""`snf-dispatcher --status-check`: does each cluster's remote API answer, and does its event daemon?

A dry-run tag on the cluster makes a job; a living event daemon answers the job with a heartbeat. The wait for it is
bounded, and a cluster that is offline is left out.
"""

from __future__ import annotations

import json
import os
import socket
import time
from typing import IO, Any

from synnefo.common.errors import DomainError
from synnefo.cyclades.adapters import cluster_for

PREFIX = "snf:eventd:heartbeat"
WAIT_S = 5.0
POLL_S = 0.1
REFUSED = 1


def report(stream: IO[str]) -> int:
    """Print {"status": {cluster: {"RAPI": "ok"|"fail", "job": "ok"|"fail"}}}; 1 when anything failed."""
    from synnefo.cyclades.models import Backend

    status = {backend.clustername: _check(backend) for backend in Backend.objects.filter(offline=False)}
    stream.write(json.dumps({"status": status}, indent=2) + "\n")
    return REFUSED if any("fail" in answers.values() for answers in status.values()) else 0


def _check(backend: Any) -> dict[str, str]:
    """RAPI: it took a job. job: the cluster carried it out, so that an event daemon has something to tell."""
    tag = f"{PREFIX}:{socket.gethostname()}:{os.getpid()}"
    try:
        cluster = cluster_for(backend)
        number = cluster.add_cluster_tags([tag], reason=tag, dry_run=True)
    except DomainError:
        return {"RAPI": "fail", "job": "fail"}
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        job = cluster.get_job(number)
        if job is not None and job.is_final:
            return {"RAPI": "ok", "job": "ok" if job.status == "success" else "fail"}
        time.sleep(POLL_S)
    return {"RAPI": "ok", "job": "fail"}
