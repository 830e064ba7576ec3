"""Events over RabbitMQ: durable topic exchange, quorum queues, publisher confirms, dead letters with their reasons.

A message is acknowledged only after its handler committed, so that a crash delivers it again. Dead letters are published
to the dead-letter exchange by us, with the error's text, before the original is acknowledged; the broker itself moves
there what a dispatcher died of twenty times. Headers of a dead letter: `x-error`, `x-attempts`, `x-origin-key`.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog
from amqp.exceptions import AMQPError
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import KombuError
from kombu.message import Message
from kombu.messaging import Consumer, Producer

from synnefo.common.errors import DependencyUnavailable, InvalidInput, NotFound, OutcomeUnknown, StateConflict
from synnefo.common.settings import conf
from synnefo.cyclades.consumers import messages, topology
from synnefo.cyclades.consumers.delivery import Outcome, deliver
from synnefo.cyclades.consumers.topology import QueueSpec
from synnefo.cyclades.ports import DeadLetter, type_handle, type_json

log = structlog.get_logger(__name__)
CONNECT_S = 5.0
CONFIRM_S = 15.0
DRAIN_S = 0.5
HEARTBEAT_S = 60.0
RECONNECT_S = 10.0
IDLE_S = 600.0
HEARTBEAT_QUEUE_S = 120.0
DELIVERY_LIMIT = 20
PERSISTENT = 2
RETRIED = "from-dead-letter"
PRECONDITION_FAILED = 406


class AmqpBus:
    """Implements `ports.EventBus`. One thread at a time."""

    def __init__(self, urls: list[str], *, reconnect_s: float = RECONNECT_S) -> None:
        self._urls = urls
        self._reconnect_s = reconnect_s
        self._connection: Connection | None = None

    # Reading

    def consume(self, handlers: Mapping[str, type_handle], should_stop: Callable[[], bool]) -> None:
        while not should_stop():
            try:
                with self._connected() as connection:
                    log.info("events.connected", broker=connection.as_uri())
                    self._serve(connection, handlers, should_stop)
            except _failures() as error:
                _explain(error)
                _wait(self._reconnect_s, should_stop)

    def _serve(self, connection: Connection, handlers: Mapping[str, type_handle], should_stop: Callable[[], bool]) -> None:
        channel = connection.channel()
        declare(channel)
        last = [time.monotonic()]

        def listener(spec: QueueSpec) -> Consumer:
            def received(message: Message) -> None:
                last[0] = time.monotonic()
                self._settle(connection, spec.name, message, handlers[spec.name], should_stop)

            return Consumer(channel, [_queue(spec, channel, _exchange())], on_message=received)

        channel.basic_qos(0, conf.DISPATCHER_PREFETCH, False)
        with contextlib.ExitStack() as listening:
            for spec in [*topology.queues(), topology.debug_queue()]:
                if spec.name in handlers:
                    listening.enter_context(listener(spec))
            while not should_stop():
                connection.heartbeat_check()
                with contextlib.suppress(socket.timeout):
                    connection.drain_events(timeout=DRAIN_S)
                if time.monotonic() - last[0] > IDLE_S:
                    log.warning("events.idle", seconds=IDLE_S)
                    return

    def _settle(
        self, connection: Connection, queue: str, message: Message, handle: type_handle, should_stop: Callable[[], bool],
    ) -> None:
        body = _bytes(message)

        def wait(seconds: float) -> bool:
            return _wait(seconds, should_stop, connection.heartbeat_check)

        verdict = deliver(queue, body, handle, wait)
        if verdict.outcome is Outcome.STOPPED:
            message.requeue()
            return
        if verdict.outcome is Outcome.DEAD:
            key = message.delivery_info["routing_key"]
            headers = {**_kept(message), "x-error": verdict.error, "x-attempts": verdict.attempts, "x-origin-key": key}
            self._send(connection, topology.dead_exchange(), key, body, headers)
        message.ack()

    # Writing

    def publish(self, routing_key: str, message: type_json) -> None:
        try:
            connection = self._held()
        except _failures() as error:
            raise DependencyUnavailable("The message broker does not answer.", reason=repr(error)) from error
        try:
            producer = Producer(connection.channel(), _exchange())
            producer.publish(dict(message), routing_key=routing_key, serializer="json", delivery_mode=PERSISTENT,
                             declare=[_exchange()], retry=False, confirm_timeout=CONFIRM_S)
        except _failures() as error:
            self.close()
            raise OutcomeUnknown("The message broker stopped answering.", reason=repr(error)) from error

    def _send(self, connection: Connection, exchange: str, key: str, body: bytes, headers: Mapping[str, Any]) -> None:
        with connection.channel() as channel:
            Producer(channel).publish(
                body, exchange=exchange, routing_key=key, headers=dict(headers), content_type="application/json",
                content_encoding="utf-8", delivery_mode=PERSISTENT, retry=False, confirm_timeout=CONFIRM_S)

    # Looking after queues

    def heartbeats(self, ask: Callable[[], set[str]], *, seconds: float) -> set[str]:
        heard: set[str] = set()

        def received(message: Message) -> None:
            with contextlib.suppress(InvalidInput):
                heard.add(str(messages.parse(_bytes(message)).get("cluster")))
            message.ack()

        with self._asking() as channel:
            _exchange()(channel).declare()
            name = f"{topology.key_prefix()}:dispatcher:heartbeat:{socket.gethostname()}:{os.getpid()}"
            ear = Queue(name, _exchange(), routing_key=topology.HEARTBEAT_KEY, durable=False, auto_delete=True, exclusive=True,
                        expires=HEARTBEAT_QUEUE_S)(channel)
            with Consumer(channel, [ear], on_message=received):
                wanted = ask()
                end = time.monotonic() + seconds
                while wanted - heard and time.monotonic() < end:
                    with contextlib.suppress(socket.timeout):
                        channel.connection.client.drain_events(timeout=DRAIN_S)
        return wanted & heard

    def depths(self) -> dict[str, int]:
        with self._asking() as channel:
            declare(channel)
            specs = [spec for main in topology.queues() for spec in (main, main.dead)]
            return {spec.name: channel.queue_declare(spec.name, passive=True).message_count for spec in specs}

    def read(self, queue: str) -> Iterator[DeadLetter]:
        with self._asking() as channel:
            yield from [_letter(queue, message) for message in _all(channel, queue)]

    def remove(self, queue: str, decide: Callable[[DeadLetter], bool]) -> int:
        removed = 0
        with self._asking() as channel:
            for message in _all(channel, queue):
                if decide(_letter(queue, message)):
                    message.ack()
                    removed += 1
        return removed

    def revive(self, letter: DeadLetter) -> None:
        """Finds the letter again by its body: RabbitMQ's messages have no name that outlives a channel."""
        with self._asking() as channel:
            for message in _all(channel, letter.queue):
                if _bytes(message) == letter.body:
                    self._send(self._held(), topology.exchange(), letter.routing_key, letter.body, {RETRIED: True})
                    message.ack()
                    return

    def purge_queues(self) -> list[str]:
        """Delete our queues that are empty and unused; returns the names of those that are not."""
        specs = [*(each for main in topology.queues() for each in (main, main.dead)), topology.debug_queue()]
        with self._connected() as connection:
            return [spec.name for spec in specs if not _delete_unused(connection, spec.name)]

    def purge_exchanges(self) -> None:
        """Delete our exchanges. Raises `StateConflict` while a queue is bound to one."""
        with self._asking() as channel:
            for name in (topology.exchange(), topology.dead_exchange()):
                try:
                    channel.exchange_delete(name, if_unused=True)
                except channel.connection.channel_errors as error:
                    raise StateConflict(f"Exchange {name} is in use: purge the queues first.") from error

    # Connections

    def _open(self) -> Connection:
        """To any broker of the list, tried in random order."""
        urls = random.sample(self._urls, len(self._urls))
        connection = Connection(urls, connect_timeout=CONNECT_S, heartbeat=HEARTBEAT_S, failover_strategy="round-robin",
                                transport_options={"confirm_publish": True})
        try:
            connection.ensure_connection(max_retries=1, timeout=CONNECT_S * len(urls) + 1)
        except BaseException:
            connection.release()
            raise
        return connection

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        connection = self._open()
        try:
            yield connection
        finally:
            with contextlib.suppress(*_failures()):
                connection.release()

    def _held(self) -> Connection:
        if self._connection is None or not self._connection.connected:
            self.close()
            self._connection = self._open()
        return self._connection

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Any]:
        """A channel for operators' questions. What was read and not acknowledged returns to its queue at the end."""
        try:
            with self._connected() as connection, connection.channel() as channel:
                yield channel
        except _failures() as error:
            if getattr(error, "code", None) == 404:
                raise NotFound("The broker has no such queue.") from error
            raise DependencyUnavailable("The message broker does not answer.", reason=repr(error)) from error

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(*_failures()):
                self._connection.release()
            self._connection = None


def declare(channel: Any) -> None:
    """Make the exchanges, queues and bindings. Repeatable; an existing queue with other arguments is a channel error."""
    _exchange()(channel).declare()
    _dead_exchange()(channel).declare()
    for spec in topology.queues():
        _queue(spec, channel, _exchange()).declare()
        _queue(spec.dead, channel, _dead_exchange()).declare()


def _exchange() -> Exchange:
    return Exchange(topology.exchange(), type="topic", durable=True)


def _dead_exchange() -> Exchange:
    return Exchange(topology.dead_exchange(), type="topic", durable=True)


def _queue(spec: QueueSpec, channel: Any, exchange: Exchange) -> Queue:
    if spec == topology.debug_queue():
        # It hears everything, so that it must not outlive its listener and collect for ever.
        return Queue(spec.name, exchange, routing_key=spec.routing_key, durable=False, auto_delete=True)(channel)
    arguments: dict[str, Any] = {"x-queue-type": "quorum"}
    if not spec.name.endswith(topology.DEAD_SUFFIX):
        arguments |= {"x-dead-letter-exchange": topology.dead_exchange(), "x-delivery-limit": DELIVERY_LIMIT}
    return Queue(spec.name, exchange, routing_key=spec.routing_key, durable=True, queue_arguments=arguments)(channel)


def _failures() -> tuple[type[BaseException], ...]:
    """What kombu raises for a broker that is away, refuses or breaks off."""
    return (AMQPError, KombuError, OSError)


def _explain(error: BaseException) -> None:
    if getattr(error, "code", None) == PRECONDITION_FAILED:
        log.error("events.queue.mismatch", error=str(error),
                  hint="A queue exists with other arguments: stop all dispatchers, empty it, snf-dispatcher --purge-queues.")
    else:
        log.warning("events.broker.lost", error=repr(error))


def _bytes(message: Message) -> bytes:
    body = message.body
    return body.encode() if isinstance(body, str) else bytes(body)


def _kept(message: Message) -> dict[str, Any]:
    return {RETRIED: True} if (message.headers or {}).get(RETRIED) else {}


def _all(channel: Any, queue: str) -> list[Message]:
    """Everything in a queue now, unacknowledged."""
    bound = Queue(queue, no_declare=True)(channel)
    found = []
    while (message := bound.get(no_ack=False)) is not None:
        found.append(message)
    return found


def _letter(queue: str, message: Message) -> DeadLetter:
    headers = message.headers or {}
    deaths = headers.get("x-death") or []
    reason = headers.get("x-error") or (f"rejected by the broker: {deaths[0].get('reason')}" if deaths else "")
    key = headers.get("x-origin-key") or (deaths[0]["routing-keys"][0] if deaths else message.delivery_info["routing_key"])
    return DeadLetter(id=str(message.delivery_tag), queue=queue, routing_key=str(key), body=_bytes(message), error=str(reason),
                      attempts=int(headers.get("x-attempts") or 0), was_retried=bool(headers.get(RETRIED)))


def _delete_unused(connection: Any, name: str) -> bool:
    """Quorum queues cannot be deleted "if unused and empty", so that we look first. True when it is gone."""
    with connection.channel() as channel:
        try:
            state = channel.queue_declare(name, passive=True)
        except channel.connection.channel_errors:
            return True
        if state.message_count or state.consumer_count:
            return False
        channel.queue_delete(name)
        return True


def _wait(seconds: float, should_stop: Callable[[], bool], beat: Callable[[], Any] | None = None) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not should_stop():
        if beat is not None:
            beat()
        time.sleep(min(0.1, seconds))
    return should_stop()
