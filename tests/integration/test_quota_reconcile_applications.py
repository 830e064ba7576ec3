"""`reconcile-resources-astakos`: what is counted for pending applications."""

from __future__ import annotations

import pytest

from synnefo.astakos.models import ProjectApplication, User
from synnefo.astakos.quotaholder.models import Holding
from synnefo.astakos.services import base_quota
from tests.support.commands import run
from tests.support.projects import PENDING, apply_for, define_resources, pending_of, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    define_resources()
    user = person("ann")
    apply_for(user, "one.example.org")
    apply_for(user, "two.example.org")
    return user


def test_counts_that_agree(ann: User) -> None:
    assert run("reconcile-resources-astakos").code == 0


def test_counts_that_are_wrong_are_set_right(ann: User) -> None:
    bob = person("bob")
    Holding.objects.filter(resource=PENDING, holder=f"user:{ann.uuid}").update(usage_min=5, usage_max=5)
    Holding.objects.filter(resource=PENDING, holder=f"project:{ann.uuid}").update(usage_min=0, usage_max=0)
    Holding.objects.filter(resource=PENDING, holder=f"user:{bob.uuid}").update(usage_min=1, usage_max=1)
    assert run("reconcile-resources-astakos", "--user", "bob@example.org").out.count(PENDING) == 1
    found = run("reconcile-resources-astakos", "--output-format", "csv")
    assert found.code == 4
    assert f"project,project:{ann.uuid},-,{PENDING},2,0" in found.out
    assert f"user,user:{ann.uuid},project:{ann.uuid},{PENDING},2,5" in found.out
    assert run("reconcile-resources-astakos", "--project", ann.uuid, "--fix").code == 0
    assert pending_of(ann) == 2
    assert pending_of(bob) == 1
    assert run("reconcile-resources-astakos", "--fix").code == 0
    assert run("reconcile-resources-astakos").code == 0


@pytest.mark.parametrize("atomic", [True, False])
def test_limits_hold_unless_forced(ann: User, atomic: bool) -> None:
    ProjectApplication.objects.filter(applicant=ann).update(state="denied")
    assert run("reconcile-resources-astakos", "--fix").code == 0
    ProjectApplication.objects.filter(applicant=ann).update(state="pending")
    base_quota.set_for_users([ann], {PENDING: 1})
    bob = person("bob")
    Holding.objects.filter(resource=PENDING, holder__endswith=bob.uuid).update(usage_min=1, usage_max=1)
    options = ["--atomic"] if atomic else []
    refused = run("reconcile-resources-astakos", "--fix", *options)
    assert refused.code == 3
    assert "--force" in refused.err
    assert (pending_of(ann), pending_of(bob)) == (0, 1 if atomic else 0)
    assert run("reconcile-resources-astakos", "--fix", "--force", *options).code == 0
    assert (pending_of(ann), pending_of(bob)) == (2, 0)
