"""Whole clouds for tests, made by the command that users run: `./synnefo up` in a directory and on ports of their own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kamaki import Cloud as Client

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = ROOT / ".venv" / "bin"
CACHE = Path(os.environ.get("SYNNEFO_TEST_CACHE", "/var/tmp/synnefo-test-cache"))


def clean_environment() -> dict[str, str]:
    """The environment without the settings that the tests of this process run under."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("SYNNEFO_", "DJANGO_"))}


def free_port_pair() -> int:
    """A port whose successor is free too: the web service's and the console proxy's."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError("no two free ports in a row")


@dataclass
class Cloud:
    """A running one-box cloud and the clients of its demo user."""

    directory: Path
    port: int
    backend: str
    _status: dict[str, Any] = field(default_factory=dict)

    def synnefo(self, *arguments: str, check: bool = True, timeout_s: float = 1800) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "synnefo"), "--state-dir", str(self.directory), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, env=clean_environment())
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}")
        return done

    def up(self, *options: str) -> str:
        output = self.synnefo("up", "--backend", self.backend, "--port", str(self.port), *options).stdout
        self._status = {}
        return output

    @property
    def status(self) -> dict[str, Any]:
        if not self._status:
            self._status = self.fresh_status()
        return self._status

    def fresh_status(self) -> dict[str, Any]:
        return dict(json.loads(self.synnefo("status", "--json", check=False).stdout))

    @cached_property
    def client(self) -> Client:
        return Client(self.status["urls"]["identity_v2"], self.status["users"]["demo"]["token"])

    def run(self, *command: str, check: bool = True, timeout_s: float = 600, **environment: str) -> str:
        """Run a program of the environment (kamaki, openstack, swift, snf-manage ...) and return what it printed."""
        done = subprocess.run([str(BIN / command[0]), *command[1:]], capture_output=True, text=True, timeout=timeout_s,
                              check=False, env=clean_environment() | self.environment | environment)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} left with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        return {"SYNNEFO_SETTINGS_DIR": str(self.directory / "etc"), "KAMAKI_CONFIG": str(self.directory / "kamakirc"),
                "OS_CLIENT_CONFIG_FILE": str(self.directory / "clouds.yaml"), "OS_CLOUD": "synnefo"}

    def manage_json(self, *arguments: str) -> Any:
        return json.loads(self.run("snf-manage", *arguments, "--output-format", "json") or "[]")

    def in_cluster(self, *command: str) -> str:
        """Run a command inside the real cluster's node."""
        import sys

        sys.path.insert(0, str(ROOT / "deploy"))
        from onebox import cluster

        done = cluster.exec_in(self.directory / "ganeti", list(command), capture_output=True, text=True, check=True)
        return str(done.stdout)

    def kill(self, process: str) -> None:
        """SIGKILL one supervised process (and its workers), as a crash would."""
        pid = self.fresh_status()["processes"][process]["pid"]
        if pid:
            subprocess.run(["pkill", "-KILL", "-P", str(pid)], check=False)
            subprocess.run(["kill", "-KILL", str(pid)], check=False)

    def remove(self) -> None:
        self.synnefo("reset", "--yes", check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def cloud(directory: Path, backend: str, *options: str) -> Iterator[Cloud]:
    """A cloud that is gone afterwards. Built images are kept from run to run in one cache."""
    directory.mkdir(parents=True, exist_ok=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (directory / "cache").exists():
        (directory / "cache").symlink_to(CACHE)
    made = Cloud(directory, free_port_pair(), backend)
    try:
        made.up(*options)
        yield made
    finally:
        made.remove()


def wait_for(condition: Callable[[], Any], what: str, *, timeout_s: float = 120, every_s: float = 0.5) -> Any:
    """The condition's first true value. Fails naming what was waited for and the last value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not after {timeout_s:.0f} s; last: {value!r}")
        time.sleep(every_s)
