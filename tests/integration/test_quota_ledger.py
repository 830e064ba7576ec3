"""The ledger's verbs: what they charge, what they refuse, and that a refusal changes nothing."""

from __future__ import annotations

import datetime

import pytest
from django.utils import timezone

from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.models import Commission, Holding, IssuedRequest, Provision, ProvisionLog
from synnefo.common.errors import AlreadyExists, BrokenInvariant, DomainError, InvalidInput, NotFound, QuotaExceeded
from synnefo.common.ids import Serial
from synnefo.common.ports import INFINITE
from tests.support.quota import assert_balanced, charge, counters, holding

pytestmark = pytest.mark.django_db


def _refused(kind: type[DomainError], *charges: ledger.Charge, force: bool = False) -> DomainError:
    before = list(Holding.objects.values()), list(Commission.objects.values()), list(Provision.objects.values())
    with pytest.raises(kind) as refusal:
        ledger.issue("c", charges, force=force)
    assert (list(Holding.objects.values()), list(Commission.objects.values()), list(Provision.objects.values())) == before
    return refusal.value


def test_pending_charges_and_releases_count_on_their_own_side() -> None:
    one, two = holding("one"), holding("two")
    ledger.resolve("c", accept=[ledger.issue("c", [charge(one, 5), charge(two, 7)])])
    serial = ledger.issue("c", [charge(one, 1), charge(two, -1)])
    assert (counters(one), counters(two)) == ((5, 6), (6, 7))
    ledger.resolve("c", reject=[serial])
    assert (counters(one), counters(two)) == ((5, 5), (7, 7))
    assert_balanced()


def test_accepting_makes_both_sides_definite() -> None:
    one, two = holding("one"), holding("two")
    ledger.issue("c", [charge(two, 7)], auto_accept=True)
    serial = ledger.issue("c", [charge(one, 4), charge(two, -3)])
    assert ledger.resolve("c", accept=[serial]).accepted == (serial,)
    assert (counters(one), counters(two)) == ((4, 4), (4, 4))


def test_resolving_lists_settles_what_it_can() -> None:
    key = holding("one")
    s1, s2, s3 = (ledger.issue("c", [charge(key, 1)]) for _ in range(3))
    result = ledger.resolve("c", accept=[s1, s2, Serial(0), Serial(10**30), Serial(-4)], reject=[s2, s3])
    assert result.accepted == (s1,)
    assert result.rejected == (s3,)
    assert sorted(result.failed) == [-4, 0, s2, 10**30]
    assert [info.serial for info in ledger.pending("c")] == [s2]
    assert counters(key) == (1, 2)


def test_a_serial_is_settled_once_and_by_its_owner_only() -> None:
    key = holding("one")
    serial = ledger.issue("c", [charge(key, 1)])
    assert ledger.resolve("other", accept=[serial]).failed == (serial,)
    assert counters(key) == (0, 1)
    assert ledger.resolve("c", accept=[serial]).accepted == (serial,)
    assert ledger.resolve("c", accept=[serial]).failed == (serial,)
    assert counters(key) == (1, 1)


def test_over_the_limit_names_the_charge_limit_and_usage() -> None:
    key = holding("one", "top", limit=10)
    ledger.issue("c", [charge(key, 8)])
    error = _refused(QuotaExceeded, charge(key, 3))
    assert error.data == {"name": "NoCapacityError", "limit": 10, "usage": 8, "level": "member",
                          "provision": {"holder": "one", "source": "top", "resource": "r", "quantity": 3}}


def test_force_passes_limits_but_never_zero() -> None:
    key = holding("one", limit=2)
    ledger.issue("c", [charge(key, 5)], force=True, auto_accept=True)
    ledger.issue("c", [charge(key, -1)], auto_accept=True)
    assert counters(key) == (4, 4)
    error = _refused(QuotaExceeded, charge(key, -5), force=True)
    assert error.data == {"name": "NoQuantityError", "limit": 0, "usage": 4, "level": "project",
                          "provision": {"holder": "one", "source": None, "resource": "r", "quantity": -5}}


def test_what_is_pending_cannot_be_released() -> None:
    key = holding("one")
    ledger.issue("c", [charge(key, 3)])
    _refused(QuotaExceeded, charge(key, -1))


def test_nothing_goes_beyond_what_a_counter_holds() -> None:
    key = holding("one", limit=INFINITE)
    ledger.issue("c", [charge(key, INFINITE)], auto_accept=True)
    _refused(QuotaExceeded, charge(key, 1), force=True)
    _refused(QuotaExceeded, charge(key, 10**40), force=True)
    assert counters(key) == (INFINITE, INFINITE)


def test_charges_of_one_holding_are_summed_before_the_check() -> None:
    key = holding("one", limit=5)
    ledger.issue("c", [charge(key, 5)], auto_accept=True)
    serial = ledger.issue("c", [charge(key, 5), charge(key, -5)])
    assert ledger.get_commission("c", serial)[1] == []
    _refused(QuotaExceeded, charge(key, 5), charge(key, -4))


def test_a_zero_charge_passes_over_the_limit_but_needs_the_holding() -> None:
    key = holding("one", limit=5)
    ledger.issue("c", [charge(key, 5)], auto_accept=True)
    holding("one", limit=1)
    ledger.issue("c", [charge(key, 0)], auto_accept=True)
    _refused(NotFound, charge(("nobody", "", "r"), 0))


def test_a_missing_holding_is_named_before_a_full_one() -> None:
    key = holding("one", limit=0)
    error = _refused(NotFound, charge(key, 1), charge(("nobody", "x", "r"), 2))
    assert error.data == {"name": "NoHoldingError",
                          "provision": {"holder": "nobody", "source": "x", "resource": "r", "quantity": 2}}


def test_the_first_charge_in_request_order_is_blamed() -> None:
    later, earlier = holding("a", limit=0), holding("b", limit=0)
    error = _refused(QuotaExceeded, charge(earlier, 1), charge(later, 1))
    assert error.data is not None
    assert error.data["provision"]["holder"] == "b"


def test_over_limit_holdings_take_nothing_and_release() -> None:
    key = holding("one", limit=5)
    serial = ledger.issue("c", [charge(key, 5)])
    holding("one", limit=2)
    assert ledger.resolve("c", accept=[serial]).accepted == (serial,)
    _refused(QuotaExceeded, charge(key, 1))
    ledger.issue("c", [charge(key, -2)], auto_accept=True)
    assert counters(key) == (3, 3)


def test_setting_limits_leaves_usage_alone() -> None:
    key = holding("one", limit=5)
    ledger.issue("c", [charge(key, 2)])
    holding("one", limit=50)
    assert counters(key) == (0, 2)
    with pytest.raises(InvalidInput):
        holding("one", limit=-1)
    with pytest.raises(InvalidInput):
        holding("one", limit=INFINITE + 1)
    assert Holding.objects.get().limit == 50


def test_a_repeated_request_gets_the_first_serial() -> None:
    key = holding("one", limit=1)
    first = ledger.issue("c", [charge(key, 1)], request_id="x", auto_accept=True)
    assert ledger.issue("c", [charge(key, 1)], request_id="x", auto_accept=True) == first
    assert counters(key) == (1, 1)
    with pytest.raises(AlreadyExists):
        ledger.issue("c", [charge(key, -1)], request_id="x", auto_accept=True)
    other = ledger.issue("other", [charge(key, -1)], request_id="x", auto_accept=True)
    assert other != first
    assert counters(key) == (0, 0)


def test_a_refused_request_may_be_repeated() -> None:
    key = holding("one", limit=0)
    with pytest.raises(QuotaExceeded):
        ledger.issue("c", [charge(key, 1)], request_id="x")
    holding("one", limit=1)
    ledger.issue("c", [charge(key, 1)], request_id="x")
    assert counters(key) == (0, 1)


def test_a_request_id_is_forgotten_after_a_week() -> None:
    key = holding("one")
    first = ledger.issue("c", [charge(key, 1)], request_id="x")
    IssuedRequest.objects.update(created_at=timezone.now() - datetime.timedelta(days=8))
    assert ledger.issue("c", [charge(key, 2)], request_id="x") != first
    assert ledger.forget_old_requests() == 0
    IssuedRequest.objects.update(created_at=timezone.now() - datetime.timedelta(days=8))
    assert ledger.forget_old_requests() == 1


def test_empty_commissions_and_any_letters() -> None:
    serial = ledger.issue("c", [], name="άδεια")
    assert [(info.serial, info.name) for info in ledger.pending("c")] == [(serial, "άδεια")]
    assert ledger.resolve("c", reject=[serial]).rejected == (serial,)
    key = holding("χρήστης", "έργο", "πόρος")
    serial = ledger.issue("c", [charge(key, 1)])
    assert ledger.get_commission("c", serial)[1][0].key == key


def test_every_resolution_is_logged() -> None:
    key = holding("one", "top", limit=9)
    kept = ledger.issue("c", [charge(key, 4)], name="create")
    dropped = ledger.issue("c", [charge(key, 2)])
    ledger.resolve("c", accept=[kept], reject=[dropped])
    lines = [(line.serial, line.name, line.delta, line.limit, line.usage_min, line.usage_max, line.reason)
             for line in ProvisionLog.objects.all()]
    assert lines == [(kept, "create", 4, 9, 4, 6, "ACCEPT"), (dropped, "", 0, 9, 4, 4, "REJECT")]
    ProvisionLog.objects.filter(serial=kept).update(logged_at=timezone.now() - datetime.timedelta(days=41))
    assert ledger.forget_old_logs(40) == 1


def test_serials_grow_and_are_never_used_again() -> None:
    first = ledger.issue("c", [])
    ledger.resolve("c", accept=[first])
    second = ledger.issue("c", [])
    assert second > first > 0


def test_large_commissions_are_charged_whole() -> None:
    keys = [holding(f"h{number:04}", limit=1) for number in range(450)]
    serial = ledger.issue("c", [charge(key, 1) for key in reversed(keys)])
    assert ledger.resolve("c", accept=[serial]).accepted == (serial,)
    assert set(Holding.objects.values_list("usage_min", "usage_max")) == {(1, 1)}
    _refused(QuotaExceeded, charge(keys[7], 1), *(charge(key, -1) for key in keys[8:]))
    with pytest.raises(InvalidInput):
        ledger.issue("c", [charge(keys[0], 1)] * 10_001)


def test_a_lost_holding_stops_the_resolution() -> None:
    key, other = holding("one"), holding("two")
    serial = ledger.issue("c", [charge(key, 1), charge(other, 1)])
    Holding.objects.filter(holder="one").delete()
    with pytest.raises(BrokenInvariant):
        ledger.resolve("c", accept=[serial])
    assert counters(other) == (0, 1)
    assert Commission.objects.count() == 1


def test_queries_do_not_grow_with_the_commission(django_assert_max_num_queries: object) -> None:
    keys = [holding(f"h{number}", limit=5) for number in range(50)]
    with django_assert_max_num_queries(10):  # type: ignore[operator]
        serial = ledger.issue("c", [charge(key, 1) for key in keys], request_id="x")
    with django_assert_max_num_queries(10):  # type: ignore[operator]
        ledger.resolve("c", accept=[serial])
