"""Pools against a simple model: any sequence of operations, on the database, gives what a set would give."""

from __future__ import annotations

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from synnefo.common.errors import InvalidInput, StateConflict
from synnefo.cyclades import bitmaps
from synnefo.cyclades.models.networks import IPAddress, Network, Port, Subnet
from synnefo.cyclades.models.pools import AddressPool, ValuePool
from synnefo.cyclades.services import addresses, networks, pools, ports, subnets

pytestmark = pytest.mark.django_db(transaction=True)
QUICK = settings(max_examples=25, stateful_step_count=30, deadline=None,
                 suppress_health_check=list(HealthCheck))


class ValuePoolMachine(RuleBasedStateMachine):
    """A bridge pool whose model is two sets of numbers."""

    def __init__(self) -> None:
        super().__init__()
        ValuePool.objects.all().delete()
        pools.create_value_pool(ValuePool.BRIDGE, base="prv", size=9)
        self.size, self.taken, self.reserved = 9, set[int](), set[int]()

    @property
    def pool(self) -> ValuePool:
        return ValuePool.objects.get(kind=ValuePool.BRIDGE)

    @rule()
    def take_lowest(self) -> None:
        free = sorted(set(range(self.size)) - self.taken - self.reserved)
        if not free:
            with pytest.raises(pools.PoolEmpty):
                pools.take_lowest(self.pool)
            return
        assert pools.take_lowest(self.pool) == f"prv{free[0] + 1}"
        self.taken.add(free[0])

    @rule(index=st.integers(0, 20))
    def take(self, index: int) -> None:
        value = f"prv{index + 1}"
        if index >= self.size:
            with pytest.raises(pools.ValueNotInPool):
                pools.take(self.pool, value)
        elif index in self.taken | self.reserved:
            with pytest.raises(pools.ValueTaken):
                pools.take(self.pool, value)
        else:
            assert pools.take(self.pool, value) == value
            self.taken.add(index)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def put(self, data: st.DataObject) -> None:
        index = data.draw(st.sampled_from(sorted(self.taken)))
        pools.put(self.pool, f"prv{index + 1}")
        pools.put(self.pool, f"prv{index + 1}")
        self.taken.discard(index)

    @rule(indexes=st.sets(st.integers(0, 5)), is_reserved=st.booleans())
    def reserve(self, indexes: set[int], is_reserved: bool) -> None:
        wanted = {index for index in indexes if index < self.size}
        change = pools.reserve if is_reserved else pools.unreserve
        change(self.pool, [f"prv{index + 1}" for index in wanted])
        self.reserved = self.reserved | wanted if is_reserved else self.reserved - wanted

    @rule(size=st.sampled_from([0, 5, 7, 8, 9, 15, 16, 17]))
    def resize(self, size: int) -> None:
        if any(index >= size for index in self.taken):
            with pytest.raises(StateConflict):
                pools.resize(self.pool, size)
            return
        pools.resize(self.pool, size)
        self.size, self.reserved = size, {index for index in self.reserved if index < size}

    @invariant()
    def maps_agree(self) -> None:
        pool = self.pool
        assert set(bitmaps.members_of(pool.taken_bits)) == self.taken
        assert set(bitmaps.members_of(pool.reserved_bits)) == self.reserved
        assert pool.count_free == self.size - len(self.taken | self.reserved)
        assert pool.count_reserved == len(self.reserved)
        assert len(bitmaps.picture(pool.taken_bits, pool.size)) == self.size


def test_value_pool_behaves_like_sets() -> None:
    run_state_machine_as_test(ValuePoolMachine, settings=QUICK)


class AddressMachine(RuleBasedStateMachine):
    """Ports and floating IPs on a public /28; the model knows who holds which address."""

    def __init__(self) -> None:
        super().__init__()
        for model in (IPAddress, AddressPool, Port, Subnet, Network):
            model.objects.all().delete()
        with transaction.atomic():
            spec = networks.NetworkSpec(flavor="CUSTOM", public=True, floating_ip_pool=True)
            pools_ = (("192.0.2.2", "192.0.2.6"), ("192.0.2.9", "192.0.2.14"))
            self.network = networks.store_network(spec, [subnets.SubnetSpec(cidr="192.0.2.0/28", pools=pools_)])
        self.all = [f"192.0.2.{number}" for number in (*range(2, 7), *range(9, 15))]
        self.reserved: set[str] = set()
        self.ports: dict[int, str] = {}
        self.floating: dict[str, int | None] = {}

    @property
    def used(self) -> set[str]:
        return {*self.ports.values(), *self.floating}

    def _free(self) -> list[str]:
        return [address for address in self.all if address not in self.used | self.reserved]

    @rule(is_floating=st.booleans())
    def allocate(self, is_floating: bool) -> None:
        free = self._free()
        with transaction.atomic():
            if not free:
                with pytest.raises(addresses.AddressesExhausted):
                    addresses.allocate_public_ipv4(user_id="u", floating_ip=is_floating)
                return
            row = addresses.allocate_public_ipv4(user_id="u", floating_ip=is_floating)
            assert row.address == free[0]
            if is_floating:
                self.floating[row.address] = None
            else:
                self.ports[ports.new_port(self.network, user_id="u", address=row).pk] = row.address

    @rule(address=st.sampled_from([f"192.0.2.{number}" for number in range(16)]))
    def allocate_exactly(self, address: str) -> None:
        with transaction.atomic():
            if address not in self.all or address in self.used | self.reserved:
                with pytest.raises((pools.ValueTaken, InvalidInput)):
                    addresses.allocate_ipv4(self.network, user_id="u", address=address, floating_ip=True)
                return
            addresses.allocate_ipv4(self.network, user_id="u", address=address, floating_ip=True)
        self.floating[address] = None

    @precondition(lambda self: any(port is None for port in self.floating.values()))
    @rule(data=st.data(), attach=st.booleans())
    def use_or_release_floating_ip(self, data: st.DataObject, attach: bool) -> None:
        free = sorted(address for address, port in self.floating.items() if port is None)
        address = data.draw(st.sampled_from(free))
        with transaction.atomic():
            row = IPAddress.objects.select_related("network").get(address=address, deleted=False)
            if attach:
                port = ports.new_port(self.network, user_id="u", address=row)
                self.floating[address] = port.pk
                self.ports[port.pk] = address
            else:
                addresses.release_address(row, keep_row=True)
                del self.floating[address]

    @precondition(lambda self: self.ports)
    @rule(data=st.data())
    def remove_port(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.ports)))
        with transaction.atomic():
            ports.remove_port(Port.objects.select_related("network").get(pk=key))
        address = self.ports.pop(key)
        if address in self.floating:
            self.floating[address] = None

    @rule(address=st.sampled_from([f"192.0.2.{number}" for number in (2, 3, 9)]), is_reserved=st.booleans())
    def reserve_outside(self, address: str, is_reserved: bool) -> None:
        pool = next(pool for pool in AddressPool.objects.all() if pool.index_of(address) is not None)
        (pools.reserve if is_reserved else pools.unreserve)(pool, [address])
        (self.reserved.add if is_reserved else self.reserved.discard)(address)

    @invariant()
    def no_address_twice_and_none_lost(self) -> None:
        live = list(IPAddress.objects.filter(deleted=False).values_list("address", flat=True))
        assert sorted(live) == sorted(self.used)
        taken = {pool.value_of(index) for pool in AddressPool.objects.select_related("subnet")
                 for index in bitmaps.members_of(pool.taken_bits)}
        assert taken == self.used
        attached = dict(IPAddress.objects.filter(deleted=False, port__isnull=False).values_list("port_id", "address"))
        assert attached == self.ports


def test_addresses_are_given_once_and_come_back() -> None:
    run_state_machine_as_test(AddressMachine, settings=QUICK)
