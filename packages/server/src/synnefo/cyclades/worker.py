"""`snf-worker`: finishes operations, settles commissions, looks at clusters, reconciles. Any number may run side by side.

It does on a clock what events and requests do at once, so that everything gets done even if each of them was lost.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

IDLE_S = 0.5
EVENT_GRACE = datetime.timedelta(seconds=8)
KEEP_OPERATIONS = datetime.timedelta(days=7)


@dataclass
class Duty:
    """Something done every so often. A failure is logged and does not stop the others."""

    name: str
    every_s: float
    run: Callable[[], object]
    due_at: float = field(default_factory=time.monotonic)


def duties() -> list[Duty]:
    from synnefo.common.duties import registered
    from synnefo.common.settings import conf
    from synnefo.cyclades.reconcilers import networks, servers
    from synnefo.cyclades.services import backends, build_parameters, commissions, consoles, operations

    return [
        *(Duty(item.name, item.every_s, item.run) for item in registered()),
        Duty("operations", IDLE_S, operations.perform_due),
        Duty("overdue jobs", 4, lambda: servers.follow_overdue(older_than=EVENT_GRACE)),
        Duty("commissions", 10, commissions.settle),
        Duty("abandoned commissions", 60, commissions.reject_abandoned),
        Duty("build parameters", 60, build_parameters.forget_expired),
        Duty("console tickets", 600, consoles.forget_expired),
        Duty("finished operations", 3600, lambda: operations.forget_finished(older_than=KEEP_OPERATIONS)),
        Duty("backends", 60, backends.refresh_stale),
        Duty("silent backends", 60, backends.find_silent),
        Duty("servers", conf.RECONCILIATION_MIN * 60, _reconcile_servers),
        Duty("networks", conf.RECONCILIATION_MIN * 60, lambda: networks.reconcile_networks(fix=True)),
        Duty("state sync", conf.STATE_SYNC_SECONDS, _sync_states),
    ]


def _sync_states() -> None:
    """Bring what changed without an event, such as a guest that switched itself off."""
    from synnefo.cyclades.models import Backend
    from synnefo.cyclades.reconcilers import servers

    findings, _ = servers.observe_all(Backend.objects.filter(offline=False))
    servers.repair([item for item in findings if item.kind in {"operstate", "task", "nics"}])


def _reconcile_servers() -> None:
    """All differences; orphans only as many as are plausible."""
    from synnefo.cyclades.models import Backend
    from synnefo.cyclades.reconcilers import servers

    findings, _ = servers.observe_all(Backend.objects.filter(offline=False))
    servers.repair(findings)


class Worker:
    def __init__(self, heartbeat: Path) -> None:
        self.stopping = threading.Event()
        self.heartbeat = heartbeat
        self.duties = duties()

    def run(self) -> None:
        while not self.stopping.is_set():
            self.run_due()
            self.stopping.wait(IDLE_S)

    def _show_life(self) -> None:
        """Whole or not at all: workers that run side by side share the file."""
        fresh = self.heartbeat.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps({"pid": os.getpid(), "at": time.time()}), "utf-8")
        fresh.replace(self.heartbeat)

    def run_due(self) -> None:
        import structlog
        from django.db import close_old_connections

        log = structlog.get_logger(__name__)
        now = time.monotonic()
        for duty in self.duties:
            if self.stopping.is_set() or duty.due_at > now:
                continue
            try:
                duty.run()
            except Exception:
                log.exception("worker.duty.failed", duty=duty.name)
                close_old_connections()
            duty.due_at = time.monotonic() + duty.every_s
            self._show_life()

    def stop(self, *_: object) -> None:
        self.stopping.set()


def main() -> None:
    parser = argparse.ArgumentParser(prog="snf-worker", description="Finish what requests began, and keep the database true.")
    parser.add_argument("--once", action="store_true", help="do every duty once and leave")
    args = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synnefo.project.settings")
    import django

    django.setup()
    from synnefo.common.settings import conf

    worker = Worker(Path(conf.STATE_DIR) / "worker-heartbeat.json")
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    if args.once:
        worker.run_due()
    else:
        worker.run()


if __name__ == "__main__":
    main()
