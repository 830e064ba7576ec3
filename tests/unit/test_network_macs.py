"""MAC prefixes and the IPv6 addresses that follow from MACs."""

from __future__ import annotations

import re

import pytest

from synnefo.common.errors import InvalidInput
from synnefo.cyclades import macs


def test_backend_digit_completes_the_prefix() -> None:
    assert macs.backend_prefix("aa:00:1", 3) == "aa:00:13"
    assert macs.backend_prefix("aa:00:1", 15) == "aa:00:1f"


@pytest.mark.parametrize("index", [-1, 16])
def test_backend_index_is_one_digit(index: int) -> None:
    with pytest.raises(InvalidInput):
        macs.backend_prefix("aa:00:1", index)


@pytest.mark.parametrize("text", ["", "aa:00", "bb:00:44", "aa:00:g", "aa-00-1", "aa:00:1 2", "ab:00:1", "ac:00:1"])
def test_bad_prefixes_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        macs.checked_prefix(text)


def test_prefixes_are_lower_case() -> None:
    assert macs.checked_prefix(" AA:0F:1 ") == "aa:0f:1"


def test_random_mac_lies_under_its_prefix() -> None:
    found = {macs.random_mac("aa:00:13") for _ in range(20)}
    assert len(found) > 1
    assert all(re.fullmatch(r"aa:00:13:[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}", mac) for mac in found)


def test_eui64_flips_the_local_bit() -> None:
    assert macs.eui64_address("2001:db8:1::/64", "aa:00:13:00:00:07") == "2001:db8:1:0:a800:13ff:fe00:7"


def test_foreign_mac_text_is_not_a_mac() -> None:
    assert macs.normalised_mac("AA:00:13:00:00:07") == "aa:00:13:00:00:07"
    assert macs.normalised_mac("not a mac") is None
