"""Which subnets, gateways and allocation pools are accepted, and what the default pools are."""

from __future__ import annotations

import ipaddress

import pytest

from synnefo.common.errors import DomainError, InvalidInput, RequestTooLarge
from synnefo.cyclades.services import subnets
from synnefo.cyclades.services.subnets import AUTO, BadRange, SubnetSpec


def _runs(cidr: str, gateway: str | None) -> list[tuple[str, str]]:
    runs = subnets.default_runs(ipaddress.IPv4Network(cidr), gateway)
    return [(str(ipaddress.IPv4Address(first)), str(ipaddress.IPv4Address(last))) for first, last in runs]


@pytest.mark.parametrize(("gateway", "expected"), [
    (None, [("10.0.0.1", "10.0.0.254")]),
    ("10.0.0.1", [("10.0.0.2", "10.0.0.254")]),
    ("10.0.0.254", [("10.0.0.1", "10.0.0.253")]),
    ("10.0.0.9", [("10.0.0.1", "10.0.0.8"), ("10.0.0.10", "10.0.0.254")]),
])
def test_default_pools_leave_edges_and_gateway_out(gateway: str | None, expected: list[tuple[str, str]]) -> None:
    assert _runs("10.0.0.0/24", gateway) == expected


@pytest.mark.parametrize(("cidr", "version", "public", "error"), [
    ("10.0.0.0/21", 4, False, RequestTooLarge),
    ("10.0.0.0/30", 4, False, RequestTooLarge),
    ("10.0.0.0/15", 4, True, RequestTooLarge),
    ("10.0.0.5/24", 4, False, InvalidInput),
    ("10.0.0.0/33", 4, False, InvalidInput),
    ("nonsense", 4, False, InvalidInput),
    ("2001:db8::/64", 4, False, InvalidInput),
    ("2001:db8::/63", 6, False, InvalidInput),
    ("10.0.0.0/24", 5, False, InvalidInput),
])
def test_refused_ranges(cidr: str, version: int, public: bool, error: type[DomainError]) -> None:
    with pytest.raises(error):
        subnets.checked_range(SubnetSpec(cidr=cidr, ip_version=version), public=public)


@pytest.mark.parametrize(("cidr", "version", "public"), [
    ("10.0.0.0/22", 4, False), ("10.0.0.0/29", 4, False), ("10.0.0.0/16", 4, True), ("2001:db8::/64", 6, False),
])
def test_accepted_ranges(cidr: str, version: int, public: bool) -> None:
    assert str(subnets.checked_range(SubnetSpec(cidr=cidr, ip_version=version), public=public)) == cidr


def test_gateway_is_absent_null_or_given() -> None:
    range_ = ipaddress.ip_network("10.0.0.0/24")
    assert subnets.checked_gateway(range_, AUTO) == "10.0.0.1"
    assert subnets.checked_gateway(range_, None) is None
    assert subnets.checked_gateway(range_, "10.0.0.7") == "10.0.0.7"
    assert subnets.checked_gateway(ipaddress.ip_network("2001:db8::/64"), AUTO) == "2001:db8::1"


@pytest.mark.parametrize(("gateway", "error"), [
    ("10.0.1.1", InvalidInput), ("x", InvalidInput), ("2001:db8::1", InvalidInput),
    ("10.0.0.0", BadRange), ("10.0.0.255", BadRange),
])
def test_refused_gateways(gateway: str, error: type[DomainError]) -> None:
    with pytest.raises(error):
        subnets.checked_gateway(ipaddress.ip_network("10.0.0.0/24"), gateway)


@pytest.mark.parametrize("pools", [
    [("10.0.0.0", "10.0.0.9")], [("10.0.0.9", "10.0.0.255")], [("10.0.0.9", "10.0.0.2")], [("10.0.0.1", "10.0.0.9")],
    [("10.0.0.2", "10.0.0.9"), ("10.0.0.9", "10.0.0.20")], [("10.0.1.2", "10.0.1.9")],
])
def test_refused_pools(pools: list[tuple[str, str]]) -> None:
    with pytest.raises(BadRange):
        subnets._given_runs(ipaddress.IPv4Network("10.0.0.0/24"), "10.0.0.1", pools)


def test_given_pools_are_sorted() -> None:
    runs = subnets._given_runs(
        ipaddress.IPv4Network("10.0.0.0/24"), None, [("10.0.0.100", "10.0.0.110"), ("10.0.0.5", "10.0.0.5")])
    first = int(ipaddress.IPv4Address("10.0.0.0"))
    assert runs == [(first + 5, first + 5), (first + 100, first + 110)]
