"""Amounts and balances, without a database."""

from __future__ import annotations

import pytest

from synnefo.astakos.quotaholder.services import Charge
from synnefo.astakos.services.commissions import require_balance
from synnefo.astakos.services.refusals import amount
from synnefo.common.errors import InvalidInput

USER, PROJECT = ("user:a", "project:p"), ("project:p", "")


@pytest.mark.parametrize(("value", "unit", "text"), [
    (0, "bytes", "0 bytes"), (1023, "bytes", "1023 bytes"), (1024, "bytes", "1 KiB"), (1536 * 2**20, "bytes", "1.5 GiB"),
    (2**63 - 1, "bytes", "8192 PiB"), (5, "", "5"), (2**40, "", "1099511627776")])
def test_amounts(value: int, unit: str, text: str) -> None:
    assert amount(value, unit) == text


def _charges(*lines: tuple[tuple[str, str], str, int]) -> list[Charge]:
    return [Charge(*key, resource, quantity) for key, resource, quantity in lines]


@pytest.mark.parametrize("lines", [
    [], [(USER, "vm", 1), (PROJECT, "vm", 1)], [(USER, "vm", 1), (("user:b", "project:p"), "vm", 2), (PROJECT, "vm", 3)],
    [(USER, "vm", 2), (USER, "vm", -2)], [(USER, "vm", 0)], [(USER, "vm", 1), (PROJECT, "vm", 3), (PROJECT, "vm", -2)]])
def test_balanced(lines: list[tuple[tuple[str, str], str, int]]) -> None:
    require_balance(_charges(*lines))


@pytest.mark.parametrize("lines", [
    [(USER, "vm", 1)], [(PROJECT, "vm", -1)], [(USER, "vm", 1), (PROJECT, "vm", 2)], [(USER, "vm", 1), (PROJECT, "cpu", 1)],
    [(USER, "vm", 1), (("project:q", ""), "vm", 1)], [(USER, "vm", 1), (PROJECT, "vm", -1)]])
def test_not_balanced(lines: list[tuple[tuple[str, str], str, int]]) -> None:
    with pytest.raises(InvalidInput, match="differ by"):
        require_balance(_charges(*lines))
