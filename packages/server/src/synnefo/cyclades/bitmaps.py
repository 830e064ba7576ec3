"""Sets of small integers as bit strings: what a pool keeps in the database. Pure, without a database.

Bit i of the little-endian byte string is member i. A map is stored as short as its highest member allows, so a fresh
pool is the empty string whatever its size, and no padding bit can ever be counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

FREE, TAKEN = ".", "X"


def to_int(stored: bytes | memoryview) -> int:
    return int.from_bytes(bytes(stored), "little")


def to_bytes(bits: int) -> bytes:
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def of_members(members: Iterable[int]) -> int:
    """The set with these members. Linear in the highest member, not in its square."""
    indexes = list(members)
    if not indexes:
        return 0
    array = bytearray(max(indexes) // 8 + 1)
    for index in indexes:
        array[index >> 3] |= 1 << (index & 7)
    return int.from_bytes(array, "little")


def members_of(bits: int) -> Iterator[int]:
    """Members in ascending order."""
    for number, byte in enumerate(to_bytes(bits)):
        for offset in range(8):
            if byte >> offset & 1:
                yield number * 8 + offset


def lowest_absent(bits: int, size: int) -> int | None:
    """The smallest index below `size` that is not a member."""
    index = (~bits & (bits + 1)).bit_length() - 1
    return index if index < size else None


def full(size: int) -> int:
    return (1 << size) - 1


def picture(bits: int, size: int) -> str:
    """`.` for each absent index and `X` for each member, from index 0 on."""
    if size == 0:
        return ""
    return format(bits & full(size), f"0{size}b")[::-1].replace("0", FREE).replace("1", TAKEN)
