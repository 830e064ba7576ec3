"""Pools of scarce values: bridges, MAC prefixes and IPv4 addresses.

A pool numbers its values from 0. A value is free when it is in neither of two maps: `taken` is what the service itself
has given out, `reserved` is what somebody outside keeps. They are separate so that releasing one never frees the other.
"""

from __future__ import annotations

import ipaddress
from typing import ClassVar

from django.db import models

from synnefo.cyclades import bitmaps


class Pool(models.Model):
    """What all pools share. Change rows only under `locks`' pool queries, in the transaction that uses the value."""

    size = models.PositiveIntegerField()
    taken = models.BinaryField(default=b"")
    reserved = models.BinaryField(default=b"")

    class Meta:
        abstract = True

    @property
    def taken_bits(self) -> int:
        return bitmaps.to_int(self.taken)

    @taken_bits.setter
    def taken_bits(self, bits: int) -> None:
        self.taken = bitmaps.to_bytes(bits)

    @property
    def reserved_bits(self) -> int:
        return bitmaps.to_int(self.reserved)

    @reserved_bits.setter
    def reserved_bits(self, bits: int) -> None:
        self.reserved = bitmaps.to_bytes(bits)

    @property
    def count_free(self) -> int:
        return self.size - (self.taken_bits | self.reserved_bits).bit_count()

    @property
    def count_reserved(self) -> int:
        return self.reserved_bits.bit_count()

    def value_of(self, index: int) -> str:
        raise TypeError(f"{type(self).__name__} names no values")

    def index_of(self, value: str) -> int | None:
        """The value's number, or None when the pool does not hold it."""
        raise TypeError(f"{type(self).__name__} names no values")


class ValuePool(Pool):
    """Bridges (`prv` -> prv1, prv2 ...) or MAC prefixes (`aa:00:0` -> aa:00:0, aa:00:1 ...), one of each at most."""

    BRIDGE = "bridge"
    MAC_PREFIX = "mac-prefix"
    KINDS: ClassVar = [(BRIDGE, "bridge"), (MAC_PREFIX, "MAC prefix")]

    kind = models.CharField(max_length=16, choices=KINDS, unique=True)
    base = models.CharField(max_length=32)
    offset = models.IntegerField(default=0)
    """For bridges only: what is added to a bridge's number to give its VLAN id."""

    class Meta:
        db_table = "cyclades_value_pool"

    def value_of(self, index: int) -> str:
        if self.kind == self.BRIDGE:
            return f"{self.base}{index + 1}"
        digits = f"{self._base_number + index:05x}"
        return f"{digits[0:2]}:{digits[2:4]}:{digits[4]}"

    def index_of(self, value: str) -> int | None:
        index = self._bridge_index(value) if self.kind == self.BRIDGE else self._prefix_index(value)
        return index if index is not None and 0 <= index < self.size and self.value_of(index) == value else None

    def _bridge_index(self, value: str) -> int | None:
        number = value.removeprefix(self.base)
        return int(number) - 1 if value.startswith(self.base) and number.isascii() and number.isdigit() else None

    def _prefix_index(self, value: str) -> int | None:
        try:
            return int(value.replace(":", ""), 16) - self._base_number
        except ValueError:
            return None

    @property
    def _base_number(self) -> int:
        return int(self.base.replace(":", ""), 16)


class AddressPool(Pool):
    """A run of an IPv4 subnet's addresses that may be given out; `offset` counts from the network address."""

    subnet = models.ForeignKey("cyclades.Subnet", on_delete=models.CASCADE, related_name="pools")
    offset = models.PositiveIntegerField()

    class Meta:
        db_table = "cyclades_address_pool"
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["subnet", "offset"], name="cyclades_address_pool_start")]

    @property
    def first(self) -> ipaddress.IPv4Address:
        return ipaddress.IPv4Network(self.subnet.cidr)[self.offset]

    @property
    def last(self) -> ipaddress.IPv4Address:
        return ipaddress.IPv4Network(self.subnet.cidr)[self.offset + self.size - 1]

    def value_of(self, index: int) -> str:
        return str(self.first + index)

    def index_of(self, value: str) -> int | None:
        try:
            index = int(ipaddress.IPv4Address(value)) - int(self.first)
        except ValueError:
            return None
        return index if 0 <= index < self.size else None
