"""Events through a real RabbitMQ: topology, confirms, retries, dead letters, and a broker that is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kombu.connection import Connection

from synnefo.common.errors import DependencyUnavailable, NotFound
from synnefo.cyclades.adapters.events_amqp import AmqpBus
from synnefo.cyclades.consumers import topology
from synnefo_node.delivery import AmqpTransport, DeliveryFailed
from tests.support import commands
from tests.support import rabbitmq as support
from tests.support.events import OP_KEY, Ear, eventually, op_event
from tests.support.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.rabbitmq, pytest.mark.slow,
              pytest.mark.skipif(not support.is_installed(), reason="RabbitMQ is not installed")]


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMQ]:
    with support.rabbitmq() as running:
        yield running


@pytest.fixture
def bus(broker: RabbitMQ, settings_override: Any) -> Iterator[AmqpBus]:
    settings_override(EVENT_RETRY_SECONDS=0.01, EVENT_RETRY_LIMIT=2, EVENTS_URL=[broker.url])
    bus = AmqpBus([broker.url], reconnect_s=0.2)
    yield bus
    for spec in topology.queues():
        for name in (spec.name, spec.dead.name):
            bus.remove(name, lambda _: True)
    bus.close()


def declared(bus: AmqpBus) -> None:
    bus.depths()


def test_topology(bus: AmqpBus, broker: RabbitMQ) -> None:
    declared(bus)
    with Connection(broker.url) as connection, connection.channel() as channel:
        for spec in topology.queues():
            # The same arguments are accepted again, others would be an error of the channel.
            channel.queue_declare(spec.name, durable=True, auto_delete=False, arguments={
                "x-queue-type": "quorum", "x-dead-letter-exchange": "ganeti-dl", "x-delivery-limit": 20})
            channel.queue_declare(spec.dead.name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
        channel.exchange_declare("ganeti", "topic", durable=True, auto_delete=False)
        channel.exchange_declare("ganeti-dl", "topic", durable=True, auto_delete=False)


def test_what_nodes_send_arrives(bus: AmqpBus, broker: RabbitMQ) -> None:
    declared(bus)
    node = AmqpTransport([broker.url], "ganeti")
    with Ear(bus) as ear:
        for number in range(30):
            node.send(OP_KEY, op_event(number))
        eventually(lambda: len(ear.heard) == 30, lambda: ear.heard)
    assert ear.heard == list(range(30))
    assert bus.depths()["snf-events-op"] == 0


def test_unhandled_messages_wait_for_a_dispatcher(bus: AmqpBus) -> None:
    declared(bus)
    bus.publish(OP_KEY, op_event(1))
    eventually(lambda: bus.depths()["snf-events-op"] == 1, bus.depths)
    with Ear(bus) as ear:
        eventually(lambda: ear.heard == [1])


def test_passing_failures_are_tried_again(bus: AmqpBus) -> None:
    declared(bus)
    bus.publish(OP_KEY, op_event(1))
    with Ear(bus, lambda _m, tries: DependencyUnavailable("away") if tries < 3 else None) as ear:
        eventually(lambda: ear.heard == [1], lambda: ear.tries)
    assert ear.tries == {1: 3}


def test_dead_letters_keep_their_reason_and_can_be_retried_once(bus: AmqpBus) -> None:
    declared(bus)
    for number in (1, 2):
        bus.publish(OP_KEY, op_event(number))
    with Ear(bus, lambda message, _n: ValueError("cannot") if message["jobId"] == 1 else None) as ear:
        eventually(lambda: ear.heard == [2])
        eventually(lambda: bus.depths()["snf-events-op-dl"] == 1, bus.depths)
    (letter,) = bus.read("snf-events-op-dl")
    assert (json.loads(letter.body)["jobId"], letter.error, letter.attempts, letter.routing_key) == (
        1, "ValueError: cannot", 1, OP_KEY)
    assert "cannot" in commands.run("queue-inspect", "snf-events-op-dl").out

    assert "1 messages retried." in commands.run("queue-retry").out
    eventually(lambda: bus.depths()["snf-events-op"] == 1, bus.depths)
    assert bus.depths()["snf-events-op-dl"] == 0
    with Ear(bus, lambda _m, _n: ValueError("again")):
        eventually(lambda: bus.depths()["snf-events-op-dl"] == 1, bus.depths)
    assert "1 messages removed." in commands.run("queue-retry").out


def test_malformed_messages_leave_no_trace(bus: AmqpBus, broker: RabbitMQ) -> None:
    declared(bus)
    with Connection(broker.url) as connection, connection.channel() as channel:
        producer = connection.Producer(channel)
        for raw in (b"{", b"\xff", b"[]"):
            producer.publish(raw, exchange="ganeti", routing_key=OP_KEY, content_type="application/json")
    with Ear(bus) as ear:
        bus.publish(OP_KEY, op_event(9))
        eventually(lambda: ear.heard == [9])
    assert {name: count for name, count in bus.depths().items() if count} == {}


def test_debug_mode_hears_everything_and_handles_nothing_twice(bus: AmqpBus) -> None:
    declared(bus)
    with Ear(bus, debug=True) as ear:
        def hears_a_foreign_one() -> bool:
            bus.publish("ganeti.other.event.op", op_event(1))
            return bool(ear.debug_heard)

        eventually(hears_a_foreign_one)  # the queue is there from now on
        bus.publish(OP_KEY, op_event(2))
        eventually(lambda: 2 in ear.debug_heard and ear.heard == [2], lambda: (ear.heard, ear.debug_heard))
    assert ear.tries == {2: 1}


@pytest.fixture
def mortal(settings_override: Any) -> Iterator[RabbitMQ]:
    """A broker to be killed, its queues safely declared."""
    with support.rabbitmq() as running:
        settings_override(EVENTS_URL=[running.url])
        declared(AmqpBus([running.url]))
        running.settle()
        yield running


def test_killed_broker_comes_back(mortal: RabbitMQ) -> None:
    """Everything a publisher was told is safe arrives; the consumer and the publisher reconnect by themselves."""
    bus = AmqpBus([mortal.url], reconnect_s=0.2)
    node = AmqpTransport([mortal.url], "ganeti")
    confirmed: list[int] = []
    with Ear(bus) as ear:
        for number in range(60):
            if number in (20, 40):
                mortal.kill()
                with pytest.raises(DeliveryFailed):
                    node.send(OP_KEY, op_event(number))
                mortal.start()
            _send_until_confirmed(node, number)
            confirmed.append(number)
        eventually(lambda: set(ear.heard) >= set(confirmed), lambda: sorted(set(confirmed) - set(ear.heard)))


def _send_until_confirmed(node: AmqpTransport, number: int) -> None:
    def sent() -> bool:
        try:
            node.send(OP_KEY, op_event(number))
        except DeliveryFailed:
            return False
        return True

    eventually(sent)


def test_publishing_to_a_dead_broker_is_said(broker: RabbitMQ) -> None:
    dead = AmqpBus(["amqp://guest:guest@127.0.0.1:1//"])
    with pytest.raises(DependencyUnavailable):
        dead.publish(OP_KEY, op_event(1))


def test_purge_deletes_only_what_is_empty(bus: AmqpBus) -> None:
    declared(bus)
    bus.publish(OP_KEY, op_event(1))
    eventually(lambda: bus.depths()["snf-events-op"] == 1)
    assert bus.purge_queues() == ["snf-events-op"]
    with pytest.raises(NotFound):
        list(bus.read("snf-events-network"))
    declared(bus)
