"""The ledger against a simple model: any sequence of verbs, some of them cut off in the middle."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.models import Commission, Holding, IssuedRequest, Provision, ProvisionLog
from synnefo.common.errors import AlreadyExists, NotFound, QuotaExceeded
from synnefo.common.ids import Serial
from tests.support.quota import assert_balanced, charge, holding

pytestmark = pytest.mark.django_db
KEYS = [("user:a", "project:p", "vm"), ("user:b", "project:p", "vm"), ("project:p", "", "vm"), ("user:a", "project:p", "ram"),
        ("project:p", "", "ram")]
MISSING = ("user:z", "project:p", "vm")
CHARGES = st.lists(st.tuples(st.sampled_from([*KEYS, *KEYS, MISSING]), st.integers(-6, 8)), max_size=6)


class Killed(Exception):
    """Stands for the end of the process."""


@contextlib.contextmanager
def killed_at(statement: int) -> Iterator[None]:
    """Cut everything off at the n-th SQL statement. Ends of transactions are left alone: they undo what was done."""
    left = statement

    def count(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        nonlocal left
        if not sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            left -= 1
            if left < 0:
                raise Killed
        return execute(sql, *arguments)

    with connection.execute_wrapper(count):
        yield


@dataclass(frozen=True)
class Counter:
    limit: int
    low: int = 0
    high: int = 0


class LedgerMachine(RuleBasedStateMachine):
    """`self.counters` is the whole truth; `self.pending` what each serial would do to it."""

    def __init__(self) -> None:
        super().__init__()
        for model in (Provision, Commission, ProvisionLog, IssuedRequest, Holding):
            model.objects.all().delete()
        self.counters: dict[tuple[str, str, str], Counter] = {}
        self.pending: dict[int, dict[tuple[str, str, str], int]] = {}
        self.requests: dict[str, tuple[int, object]] = {}
        self.was_forced = False

    @initialize(limits=st.lists(st.integers(0, 12), min_size=len(KEYS), max_size=len(KEYS)))
    def start(self, limits: list[int]) -> None:
        for key, limit in zip(KEYS, limits, strict=True):
            holding(*key, limit=limit)
            self.counters[key] = Counter(limit)

    @rule(key=st.sampled_from(KEYS), limit=st.integers(0, 12))
    def set_limit(self, key: tuple[str, str, str], limit: int) -> None:
        holding(*key, limit=limit)
        self.counters[key] = replace(self.counters[key], limit=limit)
        self.was_forced |= self.counters[key].high > limit

    @rule(charges=CHARGES, force=st.booleans(), auto_accept=st.booleans(), request=st.sampled_from([None, None, "r1", "r2", "r3"]))
    def issue(self, charges: list[tuple[tuple[str, str, str], int]], force: bool, auto_accept: bool, request: str | None) -> None:
        sums: dict[tuple[str, str, str], int] = {}
        for key, quantity in charges:
            sums[key] = sums.get(key, 0) + quantity
        shape = (sums, force, auto_accept)

        def call() -> Serial:
            return ledger.issue("c", [charge(*item) for item in charges], force=force, auto_accept=auto_accept, request_id=request)

        if request in self.requests:
            serial, earlier = self.requests[request]
            if earlier == shape:
                assert call() == serial
            else:
                with pytest.raises(AlreadyExists):
                    call()
            return
        expected = self._refusal(sums, force)
        if expected is not None:
            with pytest.raises(expected):
                call()
            return
        serial = call()
        self._count(sums)
        self.was_forced |= force
        if request is not None:
            self.requests[request] = serial, shape
        if auto_accept:
            self._settle(sums, accept=True)
        else:
            self.pending[serial] = sums

    def _refusal(self, sums: dict[tuple[str, str, str], int], force: bool) -> type[Exception] | None:
        if MISSING in sums:
            return NotFound
        for key, quantity in sums.items():
            counter = self.counters[key]
            if (quantity > 0 and not force and counter.high + quantity > counter.limit) or (quantity < 0 and counter.low + quantity < 0):
                return QuotaExceeded
        return None

    def _count(self, sums: dict[tuple[str, str, str], int]) -> None:
        for key, quantity in sums.items():
            counter = self.counters[key]
            self.counters[key] = replace(counter, low=counter.low + min(quantity, 0), high=counter.high + max(quantity, 0))

    def _settle(self, sums: dict[tuple[str, str, str], int], *, accept: bool) -> None:
        for key, quantity in sums.items():
            counter = self.counters[key]
            if accept:
                self.counters[key] = replace(counter, low=counter.low + max(quantity, 0), high=counter.high + min(quantity, 0))
            else:
                self.counters[key] = replace(counter, low=counter.low - min(quantity, 0), high=counter.high - max(quantity, 0))

    @rule(data=st.data())
    def resolve(self, data: st.DataObject) -> None:
        serials = st.lists(st.sampled_from([*self.pending, 0, 10**9]), max_size=4)
        accept, reject = data.draw(serials), data.draw(serials)
        both = set(accept) & set(reject)
        result = ledger.resolve("c", accept=[Serial(item) for item in accept], reject=[Serial(item) for item in reject])
        good = {item: item in accept for item in {*accept, *reject} - both if item in self.pending}
        assert sorted(result.accepted) == sorted(item for item, is_accepted in good.items() if is_accepted)
        assert sorted(result.rejected) == sorted(item for item, is_accepted in good.items() if not is_accepted)
        assert set(result.failed) == {*accept, *reject} - set(good)
        for serial, is_accepted in good.items():
            self._settle(self.pending.pop(serial), accept=is_accepted)

    @rule(charges=CHARGES, statement=st.integers(0, 8), auto_accept=st.booleans())
    def issue_and_die(self, charges: list[tuple[tuple[str, str, str], int]], statement: int, auto_accept: bool) -> None:
        """Dying after the last statement is no death: then the charge counts."""
        before = Commission.objects.count(), ProvisionLog.objects.count()
        try:
            with killed_at(statement):
                serial = ledger.issue("c", [charge(*item) for item in charges], auto_accept=auto_accept)
        except (Killed, NotFound, QuotaExceeded):
            assert (Commission.objects.count(), ProvisionLog.objects.count()) == before
            return
        sums: dict[tuple[str, str, str], int] = {}
        for key, quantity in charges:
            sums[key] = sums.get(key, 0) + quantity
        self._count(sums)
        if auto_accept:
            self._settle(sums, accept=True)
        else:
            self.pending[serial] = sums

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), statement=st.integers(0, 7), accept=st.booleans())
    def resolve_and_die(self, data: st.DataObject, statement: int, accept: bool) -> None:
        serial = data.draw(st.sampled_from(sorted(self.pending)))
        with contextlib.suppress(Killed):
            with killed_at(statement):
                ledger.resolve("c", **{"accept" if accept else "reject": [Serial(serial)]})
            self._settle(self.pending.pop(serial), accept=accept)

    @invariant()
    def the_ledger_is_the_model(self) -> None:
        stored = {row.key: Counter(row.limit, row.usage_min, row.usage_max) for row in Holding.objects.all()}
        assert stored == self.counters

    @invariant()
    def nothing_is_lost(self) -> None:
        assert_balanced(was_forced=self.was_forced)
        assert [info.serial for info in ledger.pending("c")] == sorted(self.pending)


def test_ledger_keeps_to_the_model() -> None:
    run_state_machine_as_test(LedgerMachine, settings=settings(
        max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)))
