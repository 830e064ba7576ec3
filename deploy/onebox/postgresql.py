"""A private PostgreSQL server for tests: its own directory and port on loopback, gone afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onebox.machine import Problem

# Nothing of a test database must survive a crash, so it need not wait for the disk.
OPTIONS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c timezone=UTC"


def binaries() -> Path | None:
    """Directory of the server's programs (Debian keeps them off the PATH), or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(log: Path) -> Iterator[str]:
    """Yield the URL of an empty database. Runs as user postgres when we are root, who may not run it."""
    programs = binaries()
    if programs is None:
        raise Problem("PostgreSQL is not installed.", hint="apt-get install postgresql")
    directory = Path(tempfile.mkdtemp(prefix="synnefo-postgresql-"))
    prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    if prefix:
        shutil.chown(directory, "postgres", "postgres")
    port = free_port()

    def run(*command: str) -> None:
        with log.open("ab") as stream:
            if subprocess.run([*prefix, *command], stdout=stream, stderr=stream, cwd="/", check=False).returncode:
                raise Problem(f"`{Path(command[0]).name}` failed.", log=log)

    run(str(programs / "initdb"), "-D", f"{directory}/data", "-U", "synnefo", "-A", "trust", "-E", "UTF8",
        "--locale=C.UTF-8")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {directory} {OPTIONS}"
    run(str(programs / "pg_ctl"), "-D", f"{directory}/data", "-w", "-l", f"{directory}/log", "-o", options, "start")
    try:
        run(str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "synnefo", "synnefo")
        yield f"postgresql://synnefo@127.0.0.1:{port}/synnefo"
    finally:
        run(str(programs / "pg_ctl"), "-D", f"{directory}/data", "-w", "-m", "immediate", "stop")
        shutil.rmtree(directory, ignore_errors=True)
