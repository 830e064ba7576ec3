"""Block names, Merkle roots, range headers, and where the names with a prefix end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synnefo.common.errors import InvalidInput, RangeNotSatisfiable
from synnefo.pithos.api import ranges
from synnefo.pithos.api.updates import parse_content_range
from synnefo.pithos.hashing import EMPTY, block_count, hash_block, root_hash
from synnefo.pithos.services.blocks import cut
from synnefo.pithos.services.names import LAST, successor

NAMES = st.text(max_size=8)


def root(data: bytes, block_size: int = 1024) -> str:
    return root_hash([hash_block(data[start : start + block_size]) for start in range(0, len(data), block_size)])


@pytest.mark.parametrize(("data", "expected"), [
    (b"", EMPTY),
    (b"a", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    (b"a\0\0", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    (b"a" * 1024 + b"b", "b52fb94ef5a3b37762793633b1a353a1beba109b015a201191898da01de5cf6d"),
    (b"a" * 1024 + b"b" * 1024 + b"c", "736d76ea31831fe4db58d53c49d6328e55370cf35e4cd8d9a60a9252935aa88d"),
    (bytes(2048), "2dba5dbc339e7316aea2683faf839c1b7b1ee2313db792112588118df066aa35"),
])
def test_known_roots(data: bytes, expected: str) -> None:
    assert root(data) == expected


def test_known_root_with_blocks_of_four_mebibytes() -> None:
    expected = "565546ad93383e225e7cf808fb4d527a54dec54826a5c34a24c1f19a03c62583"
    assert root(b"a" * 4194304 + b"b", 4194304) == expected


@given(st.integers(0, 2**50), st.integers(1, 2**23))
def test_blocks_cover_the_size_and_no_more(size: int, block_size: int) -> None:
    count = block_count(size, block_size)
    assert (count - 1) * block_size < size <= count * block_size or count == size == 0


class Trickle:
    """A stream that gives less than it is asked for."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = [piece for piece in pieces if piece]

    def read(self, size: int, /) -> bytes:
        if not self.pieces:
            return b""
        head = self.pieces.pop(0)
        if len(head) > size:
            self.pieces.insert(0, head[size:])
        return head[:size]


@given(st.lists(st.binary(max_size=20), max_size=10), st.integers(1, 16))
def test_blocks_are_full_however_the_bytes_trickle_in(pieces: list[bytes], block_size: int) -> None:
    data = b"".join(pieces)
    found = list(cut(Trickle(list(pieces)), block_size))
    assert b"".join(found) == data
    assert all(len(block) == block_size for block in found[:-1])
    assert all(found)


def spans(size: int) -> st.SearchStrategy[list[tuple[int | None, int | None]]]:
    number = st.none() | st.integers(0, size * 2 + 2)
    return st.lists(st.tuples(number, number).filter(lambda span: span != (None, None)), min_size=1, max_size=4)


@given(st.integers(0, 12), st.data())
def test_ranges_give_what_a_plain_reading_of_the_rfc_gives(size: int, data: st.DataObject) -> None:
    asked = data.draw(spans(size))
    header = "bytes=" + ", ".join(f"{'' if first is None else first}-{'' if last is None else last}" for first, last in asked)
    content = bytes(range(size))
    expected = [part for part in (wanted(content, first, last) for first, last in asked) if part]
    if any(first is not None and last is not None and last < first for first, last in asked):
        assert ranges.parse(header, size) is None
    elif not expected:
        with pytest.raises(RangeNotSatisfiable):
            ranges.parse(header, size)
    elif sum(map(len, expected)) > 2 * size:
        assert ranges.parse(header, size) is None
    else:
        assert [content[start:end] for start, end in ranges.parse(header, size) or []] == expected


def wanted(content: bytes, first: int | None, last: int | None) -> bytes:
    if first is None:
        assert last is not None
        return content[-last:] if last else b""
    return content[first:] if last is None else content[first : last + 1]


@given(st.text())
def test_no_range_header_is_too_strange(header: str) -> None:
    try:
        found = ranges.parse(header, 10)
    except RangeNotSatisfiable:
        return
    assert found is None or all(0 <= start < end <= 10 for start, end in found)


@given(st.text())
def test_no_content_range_is_too_strange(header: str) -> None:
    try:
        found = parse_content_range(header)
    except RangeNotSatisfiable:
        return
    assert found.length is None or found.length > 0


def test_a_content_range_is_needed() -> None:
    with pytest.raises(InvalidInput):
        parse_content_range(None)


def _with_borders() -> Iterator[str]:
    yield from ("", "a", "a\U0010ffff", "\U0010ffff", "\U0010ffff\U0010ffff", "\ud7ff", "a\ud7ff\U0010ffff")


@pytest.mark.parametrize("prefix", list(_with_borders()))
@given(NAMES)
def test_the_successor_is_behind_all_with_the_prefix_and_before_the_rest(prefix: str, name: str) -> None:
    end = successor(prefix)
    assert end is None or end > prefix + chr(LAST) * 3
    for other in (name, prefix + name):
        if other.startswith(prefix):
            assert end is None or other < end
        elif other > prefix:
            assert end is not None
            assert other >= end


def test_hashes_ignore_trailing_zeros_only() -> None:
    assert hash_block(b"\0a\0") == hashlib.sha256(b"\0a").hexdigest()
    assert hash_block(bytes(9)) == EMPTY
