"""Getting events out of the node without losing one: a durable outbox on disk, drained into a spool directory or RabbitMQ."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import structlog
from kombu.connection import Connection
from kombu.entity import Exchange
from kombu.exceptions import OperationalError
from kombu.messaging import Producer

log = structlog.get_logger(__name__)
RETRY_S = 1.0
IDLE_S = 0.5
CONFIRM_TIMEOUT_S = 10
_sequence = 0


class Transport(Protocol):
    """Takes a message over for good. Raises `DeliveryFailed` when it cannot say that it did."""

    def send(self, routing_key: str, message: dict[str, Any]) -> None: ...


class DeliveryFailed(Exception):
    """Try again later; the message may or may not have arrived."""


def write_message(directory: Path, routing_key: str, message: dict[str, Any]) -> None:
    """One file a message, under a name that sorts by time, complete or absent."""
    global _sequence  # noqa: PLW0603 - keeps the names of one process in order within a nanosecond
    _sequence += 1
    directory.mkdir(parents=True, exist_ok=True)
    name = f"{time.time_ns():020d}-{os.getpid()}-{_sequence}.json"
    temporary = directory / f".tmp-{name}"
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump({"routing_key": routing_key, "message": message}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(directory / name)


def read_messages(directory: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Messages in order. A file that is no message is set aside, not lost."""
    for path in sorted(directory.glob("[0-9]*.json")):
        try:
            yield path, json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            continue
        except ValueError:
            path.replace(path.with_suffix(".bad"))
            log.exception("outbox.unreadable", file=path.name)


class SpoolTransport:
    """The dispatcher's own spool directory, where there is no broker."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def send(self, routing_key: str, message: dict[str, Any]) -> None:
        try:
            write_message(self.directory, routing_key, message)
        except OSError as error:
            raise DeliveryFailed(str(error)) from error


class AmqpTransport:
    """RabbitMQ with publisher confirms: `send` returns when a broker has the message on disk."""

    def __init__(self, urls: list[str], exchange: str) -> None:
        self.urls = random.sample(urls, len(urls))
        self.exchange = Exchange(exchange, type="topic", durable=True)
        self._producer: Producer | None = None

    def send(self, routing_key: str, message: dict[str, Any]) -> None:
        try:
            producer = self._producer or self._connect()
            producer.publish(message, routing_key=routing_key, serializer="json", delivery_mode=2, exchange=self.exchange,
                             declare=[self.exchange], timeout=CONFIRM_TIMEOUT_S, confirm_timeout=CONFIRM_TIMEOUT_S)
        except (OperationalError, OSError, TimeoutError, *Connection(self.urls[0]).connection_errors) as error:
            self._producer = None
            self.urls.append(self.urls.pop(0))  # the next broker next time
            raise DeliveryFailed(str(error)) from error

    def _connect(self) -> Producer:
        connection = Connection(self.urls[0], connect_timeout=5, heartbeat=0, transport_options={"confirm_publish": True})
        connection.connect()
        self._producer = Producer(connection)
        return self._producer


def transport_for(urls: list[str], exchange: str) -> Transport:
    """The transport that the URLs name. Raises ValueError for a kind nobody knows."""
    if urls and urls[0].startswith("spool://"):
        return SpoolTransport(Path(urls[0].removeprefix("spool://")))
    if urls and all(url.startswith(("amqp://", "amqps://")) for url in urls):
        return AmqpTransport(urls, exchange)
    raise ValueError("EVENTS_URL: use spool:///DIRECTORY or amqp://...")


class Outbox:
    """Messages on disk until a transport has taken them. A dead broker never blocks who adds one."""

    def __init__(self, directory: Path, transport: Transport) -> None:
        self.directory, self.transport = directory, transport
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._drain_for_ever, name="outbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, routing_key: str, message: dict[str, Any]) -> None:
        write_message(self.directory, routing_key, message)
        self._wake.set()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Deliver what can be delivered quickly; the rest stays on disk for the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout_s)

    def waiting(self) -> int:
        return sum(1 for _ in self.directory.glob("[0-9]*.json"))

    def _drain_for_ever(self) -> None:
        while True:
            self._wake.wait(IDLE_S)
            self._wake.clear()
            try:
                self.drain()
            except DeliveryFailed as error:
                log.warning("outbox.delivery_failed", error=str(error), waiting=self.waiting())
                if self._stopping.wait(RETRY_S):
                    return
            if self._stopping.is_set():
                return

    def drain(self) -> None:
        """Deliver in order; stops at the first failure. Raises `DeliveryFailed`."""
        for path, item in read_messages(self.directory):
            self.transport.send(item["routing_key"], item["message"])
            path.unlink(missing_ok=True)
