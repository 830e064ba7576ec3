"""`snf-ganeti-eventd`: follows Ganeti's job queue and publishes what changed.

The queue on disk is the durable source: each job is one file, replaced by rename at every change. inotify only says where to look; what was
already published is remembered in a cursor file, and at start, after an overflow and once a minute every job file is looked at, so that
nothing that happened meanwhile is lost. Messages go through an outbox on disk, so a dead broker blocks nothing here.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import structlog
from inotify_simple import INotify, flags

from synnefo_node import config as configuration
from synnefo_node import jobs, luxi
from synnefo_node.config import NodeConfig
from synnefo_node.delivery import Outbox, transport_for

log = structlog.get_logger(__name__)
JOB_FILE = re.compile(r"^job-(\d+)$")
RESCAN_S = 60.0
READ_TIMEOUT_MS = 1000


class Cursor:
    """Which state of which job was handed to the outbox last. Survives a crash; finished jobs that left the queue are forgotten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.states: dict[str, Any] = {}
        try:
            found = json.loads(path.read_text("utf-8"))
        except (FileNotFoundError, ValueError, RecursionError):
            return
        if isinstance(found, dict):  # a damaged file means: publish everything again
            self.states = found

    def is_new(self, job_id: str, state: Any) -> bool:
        return bool(self.states.get(job_id) != state)

    def record(self, job_id: str, state: Any) -> None:
        self.states[job_id] = state

    def keep_only(self, job_ids: set[str]) -> None:
        self.states = {job_id: state for job_id, state in self.states.items() if job_id in job_ids}

    def save(self) -> None:
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.states), "utf-8")
        temporary.replace(self.path)


class EventDaemon:
    """One pass is `handle` for each changed job; `run` repeats it for ever."""

    def __init__(self, config: NodeConfig, outbox: Outbox) -> None:
        self.config, self.outbox = config, outbox
        config.STATE_DIR.mkdir(parents=True, exist_ok=True)
        self.cursor = Cursor(config.STATE_DIR / "eventd-cursor.json")
        self.stopping = False
        self.was_master: bool | None = None
        self.last_scan = 0.0

    def run(self) -> None:
        with INotify() as watch:
            watch.add_watch(str(self.config.QUEUE_DIR), flags.MOVED_TO)
            self.scan()
            while not self.stopping:
                events = watch.read(timeout=READ_TIMEOUT_MS)
                if any(event.mask & flags.Q_OVERFLOW for event in events) or time.monotonic() - self.last_scan > RESCAN_S:
                    self.scan()
                else:
                    self.handle_all(sorted({event.name for event in events if JOB_FILE.match(event.name)}, key=_number))

    def scan(self) -> None:
        """Look at every job file: what inotify did not tell is published now."""
        self.last_scan = time.monotonic()
        names = sorted((name for name in os.listdir(self.config.QUEUE_DIR) if JOB_FILE.match(name)), key=_number)
        self.cursor.keep_only({str(_number(name)) for name in names})
        self.handle_all(names)
        (self.config.STATE_DIR / "eventd-health.json").write_text(
            json.dumps({"scanned_at": time.time(), "waiting": self.outbox.waiting(), "master": self.was_master}), "utf-8")

    def handle_all(self, names: list[str]) -> None:
        if not names or not self.is_master():
            return
        changed = [self.handle(name) for name in names]
        if any(changed):
            self.cursor.save()

    def handle(self, name: str) -> bool:
        """Publish a job's state unless it was published. Returns whether it was new."""
        try:
            job = json.loads((self.config.QUEUE_DIR / name).read_text("utf-8"))
        except FileNotFoundError:
            return False  # archived meanwhile
        except ValueError:
            log.exception("eventd.unreadable_job", file=name)
            return False
        state = jobs.state_of(job)
        job_id = str(_number(name))
        if not self.cursor.is_new(job_id, state):
            return False
        known = self.cursor.states.get(job_id)
        for event in jobs.events(job, cluster=self._ssconf("cluster_name"), prefix=self.config.key_prefix):
            if known is not None and event.message["type"] == "eventd-heartbeat":
                continue  # answered once a job, whatever its status
            self.outbox.add(event.routing_key, event.message | self._configuration(event))
        self.cursor.record(job_id, state)
        return True

    def _configuration(self, event: jobs.Event) -> dict[str, Any]:
        if event.instance is None:
            return {}
        try:
            return luxi.instance_configuration(self.config.LUXI_SOCKET, event.instance) or {}
        except luxi.LuxiError as error:
            # The event still tells the status; the reconciler brings the configuration.
            log.warning("eventd.no_configuration", instance=event.instance, error=str(error))
            return {}

    def is_master(self) -> bool:
        """Only the master publishes. Duplicates around a failover are harmless: consumers drop them."""
        master = self._ssconf("master_node")
        is_master = master == (self.config.NODE_NAME or socket.getfqdn())
        if is_master != self.was_master:
            log.info("eventd.role", master=master, publishing=is_master)
            self.was_master = is_master
        return is_master

    def _ssconf(self, key: str) -> str:
        try:
            return (self.config.SSCONF_DIR / f"ssconf_{key}").read_text("utf-8").strip()
        except FileNotFoundError:
            return ""

    def stop(self, *_: object) -> None:
        self.stopping = True


def _number(name: str) -> int:
    match = JOB_FILE.match(name)
    assert match is not None
    return int(match[1])


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="snf-ganeti-eventd", description="Publish what Ganeti's jobs do.")
    parser.add_argument("-d", "--debug", "--foreground", action="store_true", dest="foreground", help="stay in the foreground, log to the terminal")
    parser.add_argument("-l", "--log", type=Path, default=Path("/var/log/snf-ganeti-eventd.log"), help="log file (default %(default)s)")
    parser.add_argument("--pid-file", type=Path, default=Path("/var/run/snf-ganeti-eventd.pid"), help="default %(default)s")
    parser.add_argument("-c", "--config", type=Path, help="configuration file (default /etc/synnefo/node.json)")
    return parser.parse_args(argv)


def main() -> None:
    args = arguments()
    config = configuration.load(args.config)
    if not args.foreground:
        _to_background(args.log, args.pid_file)
    outbox = Outbox(config.STATE_DIR / "outbox", transport_for(config.EVENTS_URL, config.EXCHANGE_GANETI))
    daemon = EventDaemon(config, outbox)
    signal.signal(signal.SIGTERM, daemon.stop)
    signal.signal(signal.SIGINT, daemon.stop)
    outbox.start()
    log.info("eventd.started", queue=str(config.QUEUE_DIR))
    daemon.run()
    outbox.stop()
    log.info("eventd.stopped")


def _to_background(log_file: Path, pid_file: Path) -> None:
    """Leave the terminal: detach, send output to the log, leave the process id."""
    if os.fork():
        os._exit(0)
    os.setsid()
    descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())
    pid_file.write_text(f"{os.getpid()}\n")


if __name__ == "__main__":
    main()
