"""Options of the reconcile commands of compute: what waits, what is refused, all or nothing."""

from __future__ import annotations

import pytest

from synnefo.common.ids import Serial
from synnefo.common.ports import Caller, quota
from synnefo.cyclades.models import CommissionRecord, Server
from synnefo.cyclades.services import commissions
from tests.support import networks as support
from tests.support.cloud_rows import used, user_with_quota
from tests.support.commands import run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann() -> Caller:
    return user_with_quota()


def _issue(caller: Caller, quantity: int = 1, *, auto_accept: bool = False, resource: str = "vm") -> Serial:
    return quota("cyclades").issue(caller.user_id, {(caller.project_id, f"cyclades.{resource}"): quantity}, request_id="", name="test",
                                   force=True, auto_accept=auto_accept)


def _limit(caller: Caller, resource: str, amount: str) -> None:
    assert run("user-modify", caller.user_id, "--base-quota", f"cyclades.{resource}", amount, "--yes").code == 0


def test_a_commission_that_a_job_will_decide_is_left_alone(ann: Caller) -> None:
    serial = _issue(ann)
    commissions.record_pending(serial)
    server = support.server(ann.user_id, serial=serial)
    result = run("reconcile-commissions-cyclades", "--older-than", "0", "--fix")
    assert result.code == 0
    assert f"Waiting for jobs of servers: {serial}" in result.err
    assert [item.serial for item in quota("cyclades").pending()] == [serial]
    assert run("reconcile-commissions-cyclades", "--older-than", "0", "--include-undecided").code == 4
    assert run("reconcile-commissions-cyclades", "--older-than", "0", "--include-undecided", "--fix").code == 0
    assert quota("cyclades").pending() == []
    assert Server.objects.get(pk=server.pk).serial is None
    assert not CommissionRecord.objects.exists()
    assert used(ann, "vm") == 0


def test_an_undecided_commission_that_nothing_waits_for_is_given_back(ann: Caller) -> None:
    serial = _issue(ann)
    commissions.record_pending(serial)
    assert run("reconcile-commissions-cyclades", "--older-than", "3600", "--fix").code == 0
    assert len(quota("cyclades").pending()) == 1
    result = run("reconcile-commissions-cyclades", "--older-than", "0", "--fix")
    assert f"D: {serial}: undecided" in result.out
    assert quota("cyclades").pending() == []


def test_young_commissions_are_left_alone(ann: Caller) -> None:
    _issue(ann)
    assert run("reconcile-commissions-cyclades", "--fix", "--older-than", "600").code == 0
    assert len(quota("cyclades").pending()) == 1
    assert run("reconcile-commissions-cyclades", "--fix", "--older-than", "0").code == 0
    assert quota("cyclades").pending() == []
    assert run("reconcile-commissions-cyclades", "--older-than", "-1").code == 2
    assert run("reconcile-commissions-pithos", "--older-than", "-1").code == 2
    assert run("reconcile-commissions-pithos", "--older-than", "1", "--now").code == 2


def test_what_is_over_a_limit_holds_up_nothing_else(ann: Caller) -> None:
    support.server(ann.user_id, operstate="STOPPED")
    _issue(ann, 3, auto_accept=True, resource="floating_ip")
    _limit(ann, "vm", "0")
    result = run("reconcile-resources-cyclades", "--fix")
    assert result.code == 3
    assert "cyclades.vm" in result.err
    assert "--force" in result.err
    assert (used(ann, "vm"), used(ann, "floating_ip"), used(ann, "total_cpu")) == (0, 0, 1)
    assert run("reconcile-resources-cyclades", "--fix", "--force").code == 0
    assert used(ann, "vm") == 1
    assert run("reconcile-resources-cyclades").code == 0


def test_everything_or_nothing(ann: Caller) -> None:
    support.server(ann.user_id, operstate="STOPPED")
    _issue(ann, 3, auto_accept=True, resource="floating_ip")
    _limit(ann, "vm", "0")
    assert run("reconcile-resources-cyclades", "--fix", "--atomic").code == 3
    assert (used(ann, "vm"), used(ann, "floating_ip"), used(ann, "total_cpu")) == (0, 3, 0)
    assert run("reconcile-resources-cyclades", "--fix", "--atomic", "--force").code == 0
    assert (used(ann, "vm"), used(ann, "floating_ip"), used(ann, "total_cpu")) == (1, 0, 1)
