"""A private RabbitMQ for tests: own node name, data directory, ports on loopback and port mapper; killed at the end."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_S = 90.0


def is_installed() -> bool:
    return SERVER.exists() and shutil.which("epmd") is not None


class RabbitMQ:
    """`start`, `kill` and `start` again: the data stay. `url` is valid while it runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self._distribution, self._mapper = _free_port(), _free_port(), _free_port()
        self._name = f"synnefo-test-{secrets.token_hex(4)}@localhost"
        self._process: subprocess.Popen[bytes] | None = None
        self._mapper_process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nloopback_users.guest = true\n"
            "disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 400MB\n")
        (directory / "enabled_plugins").write_text("[].\n")

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        log = (self.directory / "stdout.log").open("ab")
        if self._mapper_process is None:
            self._mapper_process = subprocess.Popen(
                ["epmd", "-port", str(self._mapper), "-address", "127.0.0.1"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._process = subprocess.Popen([str(SERVER)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         env=self._environment(), start_new_session=True)
        log.close()
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("RabbitMQ did not start:\n" + (self.directory / "stdout.log").read_text()[-3000:])
            time.sleep(0.1)

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "RABBITMQ_NODENAME": self._name, "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"), "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(self._distribution), "ERL_EPMD_PORT": str(self._mapper),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            "HOME": str(self.directory), "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "+S 1:1 +sbwt none -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}", "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _answers(self) -> bool:
        """The protocol header of the broker, not merely an open port."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
            probe.settimeout(2)
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(probe.recv(1))
        return False

    def kill(self) -> None:
        """As by a power cut: no chance to say goodbye."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def stop(self) -> None:
        """Politely: everything is on disk afterwards."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(60)
            self._process = None

    def settle(self) -> None:
        """Stop and start once. A quorum queue that was declared a moment before the broker is killed may never get a
        leader again; one that has been through an orderly stop is safe."""
        self.stop()
        self.start()

    def close(self) -> None:
        self.kill()
        if self._mapper_process is not None:
            self._mapper_process.kill()
            self._mapper_process.wait(10)
            self._mapper_process = None


@contextlib.contextmanager
def rabbitmq() -> Iterator[RabbitMQ]:
    """A running broker in a directory of its own. Sockets and data live in /tmp: their paths must be short."""
    directory = Path(tempfile.mkdtemp(prefix="snf-mq-"))
    broker = RabbitMQ(directory)
    try:
        broker.start()
        yield broker
    finally:
        broker.close()
        shutil.rmtree(directory, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
