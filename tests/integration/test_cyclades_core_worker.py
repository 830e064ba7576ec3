"""`snf-worker` as a process: it finishes what a request began, shows that it lives, and leaves when told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from synnefo.cyclades.models import Operation, Server
from synnefo.cyclades.services import operations
from tests.support.cloud_rows import backend_of, build, empty, until, used, user_with_quota
from tests.support.simulator import SimulatedCluster, simulated_cluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
COMMAND = [sys.executable, "-c", "from synnefo.cyclades.worker import main; main()"]


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[SimulatedCluster]:
    with simulated_cluster(tmp_path, queue_s=0, work_s=0) as cluster:
        yield cluster


def _start(log: Path) -> subprocess.Popen[bytes]:
    """A worker on the tests' database; its log and heartbeat lie side by side."""
    database = connection.settings_dict
    url = os.environ["SYNNEFO_DATABASE_URL"]
    url = f"sqlite:///{database['NAME']}" if connection.vendor == "sqlite" else f"{url.rsplit('/', 1)[0]}/{database['NAME']}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "SYNNEFO_DATABASE_URL": url, "SYNNEFO_STATE_DIR": str(log.parent)}
    with log.open("ab") as stream:
        return subprocess.Popen(COMMAND, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)


def _is_on_disk() -> bool:
    return connection.vendor != "sqlite" or Path(str(connection.settings_dict["NAME"])).is_file()


def test_workers_finish_what_requests_began(simulated: SimulatedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them side by side, one killed in the middle."""
    if not _is_on_disk():
        pytest.skip("the tests' database is in memory: no other process can see it")
    backend_of(simulated)
    ann = user_with_quota()
    heartbeat = tmp_path / "worker-heartbeat.json"
    with monkeypatch.context() as patched:
        patched.setattr(operations, "perform", lambda operation, **_: operation)  # every request dies right after its commit
        for _ in range(5):
            build(ann)
    assert Operation.objects.filter(state="pending", attempts=0).count() == 5
    workers = [_start(tmp_path / "worker.log"), _start(tmp_path / "worker.log")]
    try:
        until(heartbeat.exists)
        workers.pop().kill()
        until(lambda: not Server.objects.exclude(operstate="STARTED", task="").exists())
        assert json.loads(heartbeat.read_text())["pid"]
        assert len([job for operation in Operation.objects.filter(kind="server.create") for job in operation.jobs]) == 5
        workers[0].send_signal(signal.SIGTERM)
        assert workers[0].wait(20) == 0
    finally:
        for worker in workers:
            worker.kill()
            worker.wait(10)
    assert used(ann, "vm") == 5
    empty(simulated)
