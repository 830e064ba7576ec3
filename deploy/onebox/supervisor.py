"""Keeps the processes of a one-box cloud alive: starts them, restarts what dies, stops them in reverse order.

`run/processes.json` lists what should run; SIGHUP makes the supervisor read it again; `run/supervisor.json` says what
runs. One supervisor a state directory, guarded by a lock on `run/supervisor.lock`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from onebox.state import ROOT, State

STOP_TIMEOUT_S = 20.0
MAX_BACKOFF_S = 30.0
LOG_LIMIT_BYTES = 50 * 2**20


@dataclass(frozen=True)
class Process:
    """One process to keep running. `stop_signal` is what asks it to finish its work and leave."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: int = signal.SIGTERM


class _Child:
    def __init__(self, process: Process, log: Path) -> None:
        self.process, self.log = process, log
        self.popen: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        self.started_at = 0.0
        self.next_start = 0.0

    def start(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as stream:
            self.popen = subprocess.Popen(self.process.command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                                          env=os.environ | self.process.environment, start_new_session=True, cwd=ROOT)
        self.started_at = time.time()

    def poll(self) -> None:
        """Start, or start again with a growing pause, unless it runs."""
        if self.popen is not None and self.popen.poll() is None:
            return
        now = time.monotonic()
        if self.popen is not None:
            lived = time.time() - self.started_at
            self.restarts = 0 if lived > 60 else self.restarts + 1
            self.next_start = now + min(MAX_BACKOFF_S, 0.5 * 2 ** min(self.restarts, 6))
            self.popen = None
        if now >= self.next_start:
            self.start()

    def stop(self) -> None:
        if self.popen is None or self.popen.poll() is not None:
            return
        self.popen.send_signal(self.process.stop_signal)
        try:
            self.popen.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()

    def describe(self) -> dict[str, Any]:
        running = self.popen is not None and self.popen.poll() is None
        return {"running": running, "pid": self.popen.pid if running and self.popen else None, "restarts": self.restarts,
                "started_at": self.started_at if running else None, "log": str(self.log)}


class Supervisor:
    """The loop. Runs in the foreground; `start` below puts it in the background."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.children: dict[str, _Child] = {}
        self.stopping = False
        self.reload = True

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        lock = (self.state.run / "supervisor.lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        while not self.stopping:
            if self.reload:
                self._read_processes()
            for child in self.children.values():
                child.poll()
            self._write_status()
            time.sleep(0.3)
        for name in reversed(list(self.children)):
            self.children.pop(name).stop()
            self._write_status()
        (self.state.run / "supervisor.json").unlink(missing_ok=True)

    def _on_stop(self, *_: object) -> None:
        self.stopping = True

    def _on_reload(self, *_: object) -> None:
        self.reload = True

    def _read_processes(self) -> None:
        self.reload = False
        wanted = {item["name"]: Process(**item) for item in
                  json.loads((self.state.run / "processes.json").read_text("utf-8"))}
        for name in [name for name, child in self.children.items() if wanted.get(name) != child.process]:
            self.children.pop(name).stop()
        for name, process in wanted.items():
            if name not in self.children:
                self.children[name] = _Child(process, self.state.log / f"{name}.log")
        self.children = {name: self.children[name] for name in wanted}

    def _write_status(self) -> None:
        status = {"pid": os.getpid(), "processes": {name: child.describe() for name, child in self.children.items()}}
        temporary = self.state.run / "supervisor.json.tmp"
        temporary.write_text(json.dumps(status), "utf-8")
        temporary.replace(self.state.run / "supervisor.json")


def running_pid(state: State) -> int | None:
    """The supervisor's process id, or None. Believes the lock, not a stale file."""
    lock_path = state.run / "supervisor.lock"
    try:
        with lock_path.open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return int(status(state).get("pid", 0)) or None


def status(state: State) -> dict[str, Any]:
    try:
        return dict(json.loads((state.run / "supervisor.json").read_text("utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def apply(state: State, processes: list[Process]) -> bool:
    """Make exactly these processes run. Returns whether the supervisor had to be started."""
    path = state.run / "processes.json"
    wanted = json.dumps([asdict(process) for process in processes], indent=2)
    changed = not path.exists() or path.read_text("utf-8") != wanted
    if changed:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(wanted)
    pid = running_pid(state)
    if pid is None:
        _start(state)
        return True
    if changed:
        os.kill(pid, signal.SIGHUP)
    return False


def _start(state: State) -> None:
    with (state.log / "supervisor.log").open("ab") as stream:
        subprocess.Popen([sys.executable, str(ROOT / "synnefo"), "--state-dir", str(state.directory), "_supervise"],
                         stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True, cwd="/")
    deadline = time.monotonic() + 10
    while running_pid(state) is None and time.monotonic() < deadline:
        time.sleep(0.05)


def stop(state: State) -> bool:
    """Stop the supervisor and everything it runs. Returns whether anything ran."""
    pid = running_pid(state)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    while running_pid(state) is not None:
        time.sleep(0.1)
    return True
