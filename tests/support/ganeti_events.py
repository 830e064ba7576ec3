"""The events that a node's daemon makes of a simulated cluster's job files."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from synnefo_node import jobs, luxi
from tests.support.simulator import SimulatedCluster


def events_of(simulated: SimulatedCluster, *, after: int = 0) -> list[dict[str, Any]]:
    """Messages of all jobs with a greater number, in order: for each opcode that it started running, and how it ended."""
    found = []
    for _, path in sorted(_files(simulated)):
        job = json.loads(path.read_text())
        if int(job["id"]) <= after or not jobs.is_final(job):
            continue
        for state in (_running(job), job):
            found += [_complete(simulated, event) for event in jobs.events(state, cluster=simulated.clustername, prefix="snf")]
    return found


def last_job(simulated: SimulatedCluster) -> int:
    return max((number for number, _ in _files(simulated)), default=0)


def _files(simulated: SimulatedCluster) -> list[tuple[int, Path]]:
    """Jobs that are being written have other names for a moment."""
    paths = [(path.name.removeprefix("job-"), path) for path in simulated.queue_directory.glob("job-*")]
    return [(int(number), path) for number, path in paths if number.isdigit()]


def _running(job: dict[str, Any]) -> dict[str, Any]:
    """The job as it was before it ended."""
    earlier = copy.deepcopy(job)
    for op in earlier["ops"]:
        op["status"], op["result"], op["end_timestamp"] = "running", None, None
    return earlier


def _complete(simulated: SimulatedCluster, event: jobs.Event) -> dict[str, Any]:
    """With the instance as it is now, unless it is gone by now."""
    try:
        now = luxi.instance_configuration(simulated.luxi_socket, event.instance) if event.instance else None
    except luxi.LuxiError:
        now = None
    return {**event.message, **(now or {})}
