"""Events without a broker: each message is one file in a directory that nodes and dispatcher share.

Writers make `.tmp-*` and rename it to `<time in ns, 20 digits>-<process>-<number>.json`, so that names sort by time and no
half-written file is ever read. A file is removed after its message was handled: a crash in between delivers it again.
Messages nobody can handle move to `dead/`. One dispatcher at a time reads a directory; others stand by.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import structlog

from synnefo.common.errors import DependencyUnavailable
from synnefo.cyclades.consumers import topology
from synnefo.cyclades.consumers.delivery import Outcome, Verdict, deliver
from synnefo.cyclades.ports import DeadLetter, type_handle, type_json

log = structlog.get_logger(__name__)
POLL_S = 0.05
MAX_MESSAGE = 16 * 1024 * 1024
UNROUTED = "unrouted"


class SpoolBus:
    """Implements `ports.EventBus`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._dead = directory / "dead"
        self._heartbeats = directory / "heartbeats"
        self._count = 0

    def consume(self, handlers: Mapping[str, type_handle], should_stop: Callable[[], bool]) -> None:
        self._dead.mkdir(parents=True, exist_ok=True)
        with (self._directory / "dispatcher.lock").open("a") as lock:
            while not should_stop() and not _locked(lock.fileno()):
                time.sleep(POLL_S)
            while not should_stop():
                if not self._pass(handlers, should_stop):
                    time.sleep(POLL_S)

    def _pass(self, handlers: Mapping[str, type_handle], should_stop: Callable[[], bool]) -> bool:
        """Handle what lies there now, in order. Returns whether anything did."""
        names = self._waiting()
        for name in names:
            if should_stop():
                break
            self._settle(self._directory / name, handlers, should_stop)
        return bool(names)

    def _waiting(self) -> list[str]:
        with os.scandir(self._directory) as entries:
            return sorted(entry.name for entry in entries if entry.name.endswith(".json") and entry.name[0] != ".")

    def _settle(self, path: Path, handlers: Mapping[str, type_handle], should_stop: Callable[[], bool]) -> None:
        envelope = _read(path)
        if envelope is not None and envelope["routing_key"] == topology.HEARTBEAT_KEY:
            self._heartbeats.mkdir(exist_ok=True)
            path.rename(self._heartbeats / path.name)
            return
        queue = topology.queue_of(envelope["routing_key"]) if envelope else None
        if envelope is None:
            verdict = Verdict(Outcome.DEAD, error="not an event file")
        elif queue is None or queue.name not in handlers:
            verdict = Verdict(Outcome.DROPPED, error="nobody reads this routing key")
            log.info("event.unrouted", routing_key=envelope["routing_key"])
        else:
            body = json.dumps(envelope["message"]).encode()
            verdict = deliver(queue.name, body, handlers[queue.name], lambda seconds: _wait(seconds, should_stop))
        if verdict.outcome is Outcome.DEAD:
            self._bury(path, envelope, verdict)
        elif verdict.outcome is not Outcome.STOPPED:
            path.unlink(missing_ok=True)

    def _bury(self, path: Path, envelope: dict[str, Any] | None, verdict: Verdict) -> None:
        """The dead letter is complete before the original goes."""
        if envelope is None:
            path.rename(self._dead / path.name)
            return
        buried = {**envelope, "error": verdict.error, "attempts": verdict.attempts}
        temporary = self._dead / f".tmp-{path.name}"
        temporary.write_text(json.dumps(buried), "utf-8")
        temporary.rename(self._dead / path.name)
        path.unlink(missing_ok=True)

    def publish(self, routing_key: str, message: type_json) -> None:
        self._put(routing_key, message, {})

    def _put(self, routing_key: str, message: Any, more: type_json) -> None:
        self._count += 1
        name = f"{time.time_ns():020d}-{os.getpid()}-{self._count}.json"
        temporary = self._directory / f".tmp-{name}"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps({"routing_key": routing_key, "message": message, **more}), "utf-8")
            temporary.rename(self._directory / name)
        except OSError as error:
            raise DependencyUnavailable("The event directory cannot be written.", reason=str(error)) from error

    def heartbeats(self, ask: Callable[[], set[str]], *, seconds: float) -> set[str]:
        """Heartbeats lie in the directory itself until a dispatcher sets them aside; we tidy up what we have seen."""
        wanted, heard = ask(), set[str]()
        end = time.monotonic() + seconds
        while wanted - heard and time.monotonic() < end:
            for folder in (self._directory, self._heartbeats):
                heard |= _clusters_heard(folder)
            time.sleep(POLL_S)
        return wanted & heard

    def depths(self) -> dict[str, int]:
        counts = {spec.name: 0 for main in topology.queues() for spec in (main, main.dead)}
        for letter in self._letters(self._directory, ""):
            counts[letter.queue] = counts.get(letter.queue, 0) + 1
        for letter in self._letters(self._dead, topology.DEAD_SUFFIX):
            counts[letter.queue] = counts.get(letter.queue, 0) + 1
        return counts

    def read(self, queue: str) -> Iterator[DeadLetter]:
        for folder, suffix in ((self._directory, ""), (self._dead, topology.DEAD_SUFFIX)):
            yield from (letter for letter in self._letters(folder, suffix) if letter.queue == queue)

    def _letters(self, folder: Path, suffix: str) -> Iterator[DeadLetter]:
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
            envelope = _read(path) or {"routing_key": UNROUTED, "message": None}
            spec = topology.queue_of(envelope["routing_key"])
            yield DeadLetter(
                id=path.name, queue=(spec.name if spec else UNROUTED) + suffix, routing_key=envelope["routing_key"],
                body=json.dumps(envelope["message"]).encode(), error=str(envelope.get("error", "")),
                attempts=int(envelope.get("attempts", 0)), was_retried=bool(envelope.get("from_dead_letter")))

    def remove(self, queue: str, decide: Callable[[DeadLetter], bool]) -> int:
        removed = 0
        for letter in list(self.read(queue)):
            if decide(letter):
                folder = self._dead if queue.endswith(topology.DEAD_SUFFIX) else self._directory
                (folder / letter.id).unlink(missing_ok=True)
                removed += 1
        return removed

    def revive(self, letter: DeadLetter) -> None:
        self._put(letter.routing_key, json.loads(letter.body), {"from_dead_letter": True})
        (self._dead / letter.id).unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is held."""


def _read(path: Path) -> dict[str, Any] | None:
    """The envelope, or None for a file that is none."""
    try:
        if path.stat().st_size > MAX_MESSAGE:
            return None
        envelope = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    is_envelope = isinstance(envelope, dict) and isinstance(envelope.get("routing_key"), str) and "message" in envelope
    return envelope if is_envelope else None


def _clusters_heard(folder: Path) -> set[str]:
    heard = set()
    for path in folder.glob("[0-9]*.json"):
        envelope = _read(path)
        if envelope is not None and envelope["routing_key"] == topology.HEARTBEAT_KEY:
            heard.add(str(envelope["message"].get("cluster")))
            path.unlink(missing_ok=True)
    return heard


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(seconds: float, should_stop: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if should_stop():
            return True
        time.sleep(min(POLL_S, seconds))
    return should_stop()
