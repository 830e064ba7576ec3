"""Threads racing for addresses, MAC prefixes and floating IPs: nothing is given twice, nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.db import connection

from synnefo.common import ports as common_ports
from synnefo.common.db import transactional
from synnefo.common.errors import DomainError, StateConflict
from synnefo.cyclades import bitmaps
from synnefo.cyclades.models.network_locks import lock_network
from synnefo.cyclades.models.networks import IPAddress, Network, Port
from synnefo.cyclades.models.pools import AddressPool, ValuePool
from synnefo.cyclades.services import addresses, floating_ips, network_verbs, networks, ports
from tests.support import accounts
from tests.support.networks import mac_prefix_pool, public_network

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 6

T = TypeVar("T")


@pytest.fixture
def ledger() -> Iterator[accounts.MemoryLedger]:
    before = dict(common_ports._providers)
    yield accounts.provide(accounts.caller("ann"), limit=1000)
    common_ports._providers.clear()
    common_ports._providers.update(before)


def _race(count: int, work: Callable[[int], T]) -> list[T | DomainError]:
    """Run `work(number)` `count` times on THREADS threads that start together; domain errors are answers."""
    start = threading.Barrier(THREADS)

    def run(number: int) -> T | DomainError:
        if number < THREADS:
            start.wait(10)
        try:
            return work(number)
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(count)))


def _taken() -> set[str]:
    return {pool.value_of(index) for pool in AddressPool.objects.select_related("subnet")
            for index in bitmaps.members_of(pool.taken_bits)}


def test_exactly_the_free_addresses_are_given() -> None:
    network = public_network("192.0.2.0/28")

    @transactional()
    def take(number: int) -> str:
        row = addresses.allocate_public_ipv4(user_id=f"u{number}")
        ports.new_port(row.network, user_id=f"u{number}", address=row)
        return str(row.address)

    answers = _race(20, take)
    given = [answer for answer in answers if isinstance(answer, str)]
    assert sorted(given, key=lambda text: int(text.rsplit(".", 1)[1])) == [f"192.0.2.{number}" for number in range(2, 15)]
    assert sum(isinstance(answer, addresses.AddressesExhausted) for answer in answers) == 7
    assert Port.objects.filter(network=network).count() == 13
    assert _taken() == set(given)


def test_takes_and_releases_mixed_lose_nothing() -> None:
    network = public_network("192.0.2.0/28")

    @transactional()
    def take(number: int) -> int:
        row = addresses.allocate_ipv4(lock_network(network.pk), user_id="u")
        return ports.new_port(row.network, user_id="u", address=row).pk

    @transactional()
    def release(key: int) -> None:
        lock_network(network.pk)
        ports.remove_port(Port.objects.select_related("network").get(pk=key))

    def churn(number: int) -> None:
        key = take(number)
        if number % 3:
            release(key)

    answers = _race(24, churn)
    assert [answer for answer in answers if answer is not None] == []
    live = list(IPAddress.objects.values_list("address", flat=True))
    assert len(live) == len(set(live)) == Port.objects.count() == 8
    assert _taken() == set(live)


def test_one_address_has_one_winner(ledger: accounts.MemoryLedger) -> None:
    network = public_network("192.0.2.0/28")
    spec = floating_ips.FloatingIPSpec(project_id="ann", network_id=network.pk, address="192.0.2.9")
    answers = _race(THREADS, lambda _: floating_ips.create_floating_ips(accounts.caller("ann"), [spec]))
    assert sum(isinstance(answer, StateConflict) for answer in answers) == THREADS - 1
    assert IPAddress.objects.filter(deleted=False).count() == 1
    assert ledger.used("ann", "cyclades.floating_ip") == 1
    assert ledger.open == {}


def test_a_floating_ip_is_released_once(ledger: accounts.MemoryLedger) -> None:
    public_network("192.0.2.0/28")
    ann = accounts.caller("ann")
    row, = floating_ips.create_floating_ips(ann, [floating_ips.FloatingIPSpec(project_id="ann")])
    answers = _race(THREADS, lambda _: floating_ips.delete_floating_ip(ann, row.pk))
    assert sum(answer is None for answer in answers) == 1
    assert ledger.used("ann", "cyclades.floating_ip") == 0
    assert _taken() == set()


def test_mac_prefixes_are_unique(ledger: accounts.MemoryLedger) -> None:
    mac_prefix_pool(16)
    ann = accounts.caller("ann")
    spec = networks.NetworkSpec(flavor="MAC_FILTERED", user_id="ann", project_id="ann")
    answers = _race(20, lambda _: network_verbs.create_networks(ann, [spec])[0].mac_prefix)
    prefixes = [answer for answer in answers if isinstance(answer, str)]
    assert sorted(prefixes) == [f"aa:00:{number:x}" for number in range(1, 16)]
    assert Network.objects.count() == 15
    assert ValuePool.objects.get().count_free == 0
    assert ledger.used("ann", "cyclades.network.private") == 15
