"""`snf-dispatcher`: brings the events of Ganeti nodes into the database."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)
DEFAULT_PID_FILE = "/var/run/synnefo/snf-dispatcher.pid"
REFUSED, USAGE, DOWN = 1, 2, 3


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM, or do the one thing an option asks for. Returns the exit status."""
    options = _parser().parse_args(arguments)
    _set_up()
    from synnefo.common.errors import DependencyUnavailable, DomainError

    try:
        return _run(options)
    except DependencyUnavailable as error:
        sys.stderr.write(f"{error.public} {error.context.get('reason', '')}\n")
        return DOWN
    except DomainError as error:
        sys.stderr.write(f"{error.public}\n")
        return REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="snf-dispatcher", description="Bring the events of Ganeti into the database.")
    parser.add_argument("-d", "--debug", action="store_true", help="log to the terminal, in the foreground")
    parser.add_argument("-p", "--pid-file", default="", help=f"default {DEFAULT_PID_FILE}; none with --debug")
    parser.add_argument("--purge-queues", action="store_true", help="delete our queues that are empty and unused")
    parser.add_argument("--purge-exchanges", action="store_true", help="delete our exchanges; purge the queues first")
    parser.add_argument("--drain-queue", metavar="QUEUE", help="throw away every message of a queue")
    parser.add_argument("--status-check", action="store_true", help="tell whether each cluster's daemons answer")
    parser.add_argument("--yes", action="store_true", help="do not ask before something is thrown away")
    return parser


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synnefo.project.settings")
    import django

    django.setup()


def _run(options: argparse.Namespace) -> int:
    if options.purge_queues:
        return _purge_queues(options)
    if options.purge_exchanges:
        return _purge_exchanges(options)
    if options.drain_queue:
        return _drain(options)
    if options.status_check:
        from synnefo.cyclades.consumers import status

        return status.report(sys.stdout)
    pid_file = options.pid_file or ("" if options.debug else DEFAULT_PID_FILE)
    with _pid_file(Path(pid_file)) if pid_file else contextlib.nullcontext():
        return _serve(debug=options.debug)


def _serve(*, debug: bool) -> int:
    from synnefo.cyclades.adapters import event_bus
    from synnefo.cyclades.consumers import handlers

    stop = _StopFlag()
    bus = event_bus()
    log.info("dispatcher.started", pid=os.getpid())
    bus.consume(handlers.by_queue(debug=debug), stop)
    bus.close()
    log.info("dispatcher.stopped")
    return 0


class _StopFlag:
    """True once SIGTERM or SIGINT came: the message in hand is finished first."""

    def __init__(self) -> None:
        self._is_set = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._set)

    def _set(self, _number: int, _frame: Any) -> None:
        self._is_set = True

    def __call__(self) -> bool:
        return self._is_set


@contextlib.contextmanager
def _pid_file(path: Path) -> Iterator[None]:
    """Held while we run. A stale file is replaced; a second instance is refused."""
    from synnefo.common.errors import StateConflict

    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as file:
                file.write(f"{os.getpid()}\n")
            break
        except FileExistsError:
            if _is_alive(path):
                raise StateConflict(f"A dispatcher runs already ({path}).") from None
            path.unlink(missing_ok=True)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _is_alive(path: Path) -> bool:
    try:
        os.kill(int(path.read_text("utf-8")), 0)
    except (ValueError, ProcessLookupError, FileNotFoundError):
        return False
    except PermissionError:
        return True
    return True


# What operators do by hand


def _amqp() -> Any:
    from synnefo.common.errors import NotSupported
    from synnefo.cyclades.adapters import event_bus
    from synnefo.cyclades.adapters.events_amqp import AmqpBus

    bus = event_bus()
    if not isinstance(bus, AmqpBus):
        raise NotSupported("The events travel without a broker here: there are no queues or exchanges to delete.")
    return bus


def _agreed(question: str, options: argparse.Namespace) -> bool:
    if options.yes:
        return True
    if not sys.stdin.isatty():
        sys.stderr.write(f"{question} Not a terminal: add --yes to confirm.\n")
        return False
    sys.stderr.write(f"{question} N/y: ")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _purge_queues(options: argparse.Namespace) -> int:
    bus = _amqp()
    if not _agreed("Delete all empty queues of this deployment?", options):
        return REFUSED
    kept = bus.purge_queues()
    for name in kept:
        sys.stderr.write(f"Kept {name}: it holds messages or has a reader.\n")
    return REFUSED if kept else 0


def _purge_exchanges(options: argparse.Namespace) -> int:
    bus = _amqp()
    if not _agreed("Delete the exchanges of this deployment?", options):
        return REFUSED
    bus.purge_exchanges()
    return 0


def _drain(options: argparse.Namespace) -> int:
    from synnefo.cyclades.adapters import event_bus
    from synnefo.cyclades.consumers import topology

    if topology.find_queue(options.drain_queue) is None:
        sys.stderr.write(f"Unknown queue {options.drain_queue}.\n")
        return USAGE
    if not _agreed(f"Throw away every message of {options.drain_queue}?", options):
        return REFUSED
    count = event_bus().remove(options.drain_queue, lambda _: True)
    sys.stdout.write(f"{count} messages thrown away at {time.strftime('%H:%M:%S')}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
