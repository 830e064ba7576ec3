"""A simulated cluster as a process of its own, on a free port, with everything a test needs to reach and torment it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from synnefo_node.simulator import credentials

START_S = 20.0


@dataclass
class SimulatedCluster:
    """Attributes are those of a backend record, so that `cluster_for(simulated)` works."""

    directory: Path
    queue_s: float = 0.01
    work_s: float = 0.01
    instances: int = 0
    clustername: str = "simulated.test"
    rapi_host: str = "127.0.0.1"
    port: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    rapi_ca: str = ""
    offline: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        login = credentials.prepare(self.directory)
        self.username, self.password, self.rapi_ca = login["user"], login["password"], login["fingerprint"]
        port_file = self.directory / "rapi" / "port"
        port_file.unlink(missing_ok=True)
        command = [sys.executable, "-c", "import sys; from synnefo_node.simulator.cli import main; sys.exit(main())",
                   "--state-dir", str(self.directory), "--port", str(self.port), "--name", self.clustername,
                   "--instances", str(self.instances), "--queue-seconds", str(self.queue_s),
                   "--work-seconds", str(self.work_s)]
        self._log = (self.directory / "log").open("ab")
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=environment)
        deadline = time.monotonic() + START_S
        while not port_file.exists() or not port_file.read_text().strip():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the simulated cluster did not start:\n" + (self.directory / "log").read_text())
            time.sleep(0.01)
        self.port = int(port_file.read_text())

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(10)
            self._log.close()
            self.process = None

    def restart(self, number: int = signal.SIGKILL) -> None:
        """As after a crash: same state, same port."""
        self.stop(number)
        self.start()

    def control(self, **order: Any) -> dict[str, Any]:
        """Change speed and faults: see `synnefo_node.simulator.faults`. Without arguments: back to normal."""
        url = f"https://{self.rapi_host}:{self.port}/control"
        with httpx.Client(verify=False, auth=(self.username, self.password), trust_env=False) as client:
            answer = client.post(url, json=order) if order else client.delete(url)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def calm(self) -> None:
        """No faults, the speed the cluster was started with."""
        self.control(calls=[], jobs=[], queue_s=self.queue_s, work_s=self.work_s)

    @property
    def queue_directory(self) -> Path:
        return self.directory / "ganeti" / "queue"

    @property
    def luxi_socket(self) -> Path:
        return self.directory / "ganeti" / "socket" / "ganeti-query"

    @property
    def ssconf_directory(self) -> Path:
        return self.directory / "ganeti"


@contextmanager
def simulated_cluster(directory: Path, **options: Any) -> Iterator[SimulatedCluster]:
    """A running cluster, killed at the end."""
    cluster = SimulatedCluster(directory, **options)
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop(signal.SIGKILL)
