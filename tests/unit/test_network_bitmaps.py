"""Bit sets of pools: lowest absent member, pictures, round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synnefo.cyclades import bitmaps


@given(st.sets(st.integers(0, 300)))
def test_members_survive_storage(members: set[int]) -> None:
    bits = bitmaps.of_members(members)
    assert list(bitmaps.members_of(bitmaps.to_int(bitmaps.to_bytes(bits)))) == sorted(members)


@given(st.sets(st.integers(0, 40)), st.integers(0, 42))
def test_lowest_absent_is_the_first_gap(members: set[int], size: int) -> None:
    expected = next((index for index in range(size) if index not in members), None)
    assert bitmaps.lowest_absent(bitmaps.of_members(members), size) == expected


@pytest.mark.parametrize("size", [0, 7, 8, 9, 16, 42])
def test_a_fresh_pool_is_all_free_and_shows_no_padding(size: int) -> None:
    assert bitmaps.to_bytes(0) == b""
    assert bitmaps.picture(0, size) == "." * size


def test_picture_counts_from_the_left() -> None:
    assert bitmaps.picture(bitmaps.of_members([0, 3]), 5) == "X..X."
