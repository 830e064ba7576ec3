"""The real web server in processes, on a database and a block directory of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.support.clouds import wait_for

PROGRAMS = Path(sys.executable).parent
PASSWORD = "a long password"


@dataclass
class Site:
    """A running site and its one user."""

    url: str
    environment: dict[str, str]
    pid: int
    email: str = "demo@example.org"
    uuid: str = ""
    token: str = ""

    def manage(self, *arguments: str) -> str:
        done = subprocess.run([str(PROGRAMS / "snf-manage"), *arguments], env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stderr[-3000:]}"
        return done.stdout

    def swift(self, *arguments: str, input_dir: Path | None = None) -> str:
        """Run the stock client, signed in by password; what it prints."""
        login = ("--auth-version", "3", "--os-auth-url", f"{self.url}/astakos/identity/v3", "--os-username", self.email, "--os-password", PASSWORD,
                 "--os-project-id", self.uuid, "--os-user-domain-id", "default")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "ST_"))}
        done = subprocess.run([str(PROGRAMS / "swift"), *login, *arguments], capture_output=True, text=True, timeout=120, check=False, env=clean,
                              cwd=input_dir)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def workers(self) -> list[int]:
        """Process ids of the web server and its workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]


@contextmanager
def running(directory: Path, *, workers: int = 1, **more: str) -> Iterator[Site]:
    """Start a site, register the services and a user, stop it in the end. `more`: variables of its environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "SYNNEFO_DATABASE_URL": f"sqlite:///{directory}/db.sqlite3", "SYNNEFO_STATE_DIR": str(directory), "SYNNEFO_LOG_DIR": f"{directory}/log",
        "SYNNEFO_EVENTS_URL": json.dumps([f"spool://{directory}/events"]), "SYNNEFO_PITHOS_BACKEND_BLOCK_PATH": f"{directory}/blocks",
        **{f"SYNNEFO_{name.upper()}_BASE_URL": f"{url}/{name}" for name in ("astakos", "cyclades", "pithos")}} | more
    site = Site(url, environment, 0)
    site.manage("migrate")
    site.manage("service-register-local")
    site.manage("user-add", site.email, "--first-name", "D", "--last-name", "E", "--password", PASSWORD, "--accept")
    token = json.loads(site.manage("token-add", site.email, "--name", "test", "--expires-in-days", "1", "--output-format", "json"))
    site.uuid, site.token = token["user"], token["token"]
    command = [str(PROGRAMS / "gunicorn"), "synnefo.project.wsgi", "--workers", str(workers), "--threads", "4", "--worker-class", "gthread",
               "--bind", f"127.0.0.1:{port}"]
    with (directory / "web.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=directory)
        try:
            site.pid = server.pid
            wait_for(lambda: _answers(f"{url}/pithos/swift/info"), "the web server", timeout_s=60, every_s=0.2)
            yield site
        finally:
            server.terminate()
            server.wait(30)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
