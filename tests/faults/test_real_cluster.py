"""Creates and deletes on real Ganeti while everything of ours is killed at random; then heal, and look for what is wrong.

The nemesis kills eventd, dispatcher, worker and web with SIGKILL and restarts RabbitMQ. Afterwards nothing may be orphaned on either
side, quota must equal reality, no address may be held twice, and no server may be stuck.
"""

from __future__ import annotations

import collections
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kamaki import errors
from tests.support.clouds import Cloud, cloud, wait_for
from tests.support.rabbitmq import RabbitMQ, rabbitmq

pytestmark = [pytest.mark.ganeti, pytest.mark.rabbitmq, pytest.mark.slow, pytest.mark.timeout(2400)]
SEED = 20261123
CREATES = 10
VICTIMS = ("eventd", "dispatcher", "worker", "web")
IN_FLIGHT = 2


@pytest.fixture
def broken_cloud(tmp_path: Path) -> Iterator[tuple[Cloud, RabbitMQ]]:
    with rabbitmq() as broker, cloud(tmp_path / "cloud", "ganeti", "--no-vm", "--broker", broker.url) as made:
        broker.settle()
        yield made, broker


class Nemesis(threading.Thread):
    """Breaks one thing at a time until told to stop. Records what it did, so that a failure can be understood."""

    def __init__(self, target: Cloud, broker: RabbitMQ) -> None:
        super().__init__(daemon=True)
        self.target, self.broker, self.random = target, broker, random.Random(SEED)
        self.stop, self.deeds = threading.Event(), collections.Counter[str]()

    def run(self) -> None:
        while not self.stop.wait(self.random.uniform(1.0, 5.0)):
            victim = self.random.choice([*VICTIMS, "rabbitmq"] if self.deeds["rabbitmq"] < 3 else VICTIMS)
            if victim == "rabbitmq":
                self.broker.kill()
                self.broker.start()
            else:
                self.target.kill(victim)
            self.deeds[victim] += 1


def insist(action: object, *arguments: object) -> object:
    """Call through the API until it answers; a refusal that the caller can act on passes on."""
    def attempt() -> object:
        try:
            return action(*arguments) or True  # type: ignore[operator]
        except errors.CloudUnreachable:
            return None
        except errors.RequestFailed as error:
            if error.status in {500, 502, 503, 504}:
                return None
            raise

    return wait_for(attempt, f"an answer to {action}", timeout_s=180)


def test_nothing_is_lost_when_everything_is_killed(broken_cloud: tuple[Cloud, RabbitMQ]) -> None:
    target, broker = broken_cloud
    flavor = min(target.client.compute.list_flavors(), key=lambda item: (item["ram"], item["vcpus"], item["disk"]))["id"]
    image = target.status["image"]["id"]
    nemesis = Nemesis(target, broker)
    nemesis.start()
    try:
        for number in range(CREATES):
            insist(target.client.compute.create_server, f"victim-{number}", flavor, image)
            wait_for(lambda: len(busy(target)) < IN_FLIGHT, "room for the next machine", timeout_s=300, every_s=2)
            for server in settled(target)[IN_FLIGHT:]:
                insist(target.client.compute.delete_server, server["id"])
    finally:
        nemesis.stop.set()
        nemesis.join(60)
    assert sum(nemesis.deeds.values()) >= 5, nemesis.deeds

    heal(target)
    for server in servers(target):
        insist(target.client.compute.delete_server, server["id"])
    wait_for(lambda: not servers(target), "every server deleted", timeout_s=300, every_s=2)
    target.run("snf-manage", "reconcile-servers", "--fix-all")
    nothing_is_left(target)


def servers(target: Cloud) -> list[dict[str, object]]:
    found = insist(target.client.compute.list_servers)
    return found if isinstance(found, list) else []


def busy(target: Cloud) -> list[dict[str, object]]:
    return [server for server in servers(target) if server["SNF:task_state"] or server["status"] == "BUILD"]


def settled(target: Cloud) -> list[dict[str, object]]:
    return [server for server in servers(target) if not server["SNF:task_state"] and server["status"] in {"ACTIVE", "ERROR", "STOPPED"}]


def heal(target: Cloud) -> None:
    """Everything runs again; every server must come to rest by itself, or by one reconciliation."""
    wait_for(lambda: all(item["running"] for item in target.fresh_status()["processes"].values()), "all processes running")
    try:
        wait_for(lambda: not busy(target), "no server busy", timeout_s=120, every_s=2)
    except AssertionError:
        target.run("snf-manage", "reconcile-servers", "--fix-all", check=False)
        wait_for(lambda: not busy(target), "no server busy after reconciliation", timeout_s=120, every_s=2)
    addresses = [nic["ipv4"] for server in servers(target) for nic in server["attachments"] if nic["ipv4"]]  # type: ignore[attr-defined]
    assert len(addresses) == len(set(addresses)), "an address is held twice"


def nothing_is_left(target: Cloud) -> None:
    """Both sides empty, the ledger at zero, no commission pending, no reconciler with anything to say."""
    assert target.in_cluster("gnt-instance", "list", "--no-headers", "-o", "name").split() == []
    assert target.in_cluster("find", "/srv/ganeti/file-storage", "-type", "f").split() == []
    wait_for(lambda: target.manage_json("commission-list") == [], "no pending commission", timeout_s=120)
    for numbers in target.client.identity.quotas().values():
        for resource in ("cyclades.vm", "cyclades.cpu", "cyclades.ram", "cyclades.disk"):
            assert numbers[resource]["usage"] == 0, (resource, numbers[resource])
            assert numbers[resource]["pending"] == 0, (resource, numbers[resource])
    for reconciler in ("reconcile-servers", "reconcile-resources-cyclades", "reconcile-commissions-cyclades"):
        target.run("snf-manage", reconciler)
