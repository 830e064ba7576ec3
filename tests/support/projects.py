"""Users, resources and projects for tests of projects, and the check that limits follow from states."""

from __future__ import annotations

import datetime
from typing import Any

from django.utils import timezone

from synnefo.astakos.models import Project, ProjectApplication, User
from synnefo.astakos.quotaholder.models import Holding
from synnefo.astakos.services import applications, base_quota, limits, users
from synnefo.astakos.services.project_definitions import Definition
from tests.support.quota import resource

VM, PENDING = "cyclades.vm", "astakos.pending_app"


def define_resources() -> None:
    resource(VM)
    resource(PENDING, owner="astakos", ui_visible=False, api_visible=False)


def person(name: str, *, pending: int = 100) -> User:
    user = users.create_user(f"{name}@example.org")
    base_quota.set_for_users([user], {PENDING: pending, VM: 10})
    return user


def later(days: int = 90) -> datetime.datetime:
    return timezone.now() + datetime.timedelta(days=days)


def apply_for(user: User, name: str = "one.example.org", **more: Any) -> ProjectApplication:
    wanted = {"end_date": later(), "resources": {VM: (5, 20)}, "join_policy": "auto", **more}
    return applications.submit(user, Definition(name=name, **wanted))


def running(owner: User, name: str = "one.example.org", **more: Any) -> Project:
    application = apply_for(owner, name, **more)
    applications.approve(None, application.pk)
    return Project.objects.get(pk=application.project_id)


def pending_of(user: User) -> int:
    """Applications that are counted on the user."""
    return Holding.objects.get(holder=f"user:{user.uuid}", resource=PENDING, source=f"project:{user.uuid}").usage_max


def assert_limits() -> None:
    """Every holding has the limit that states and capacities give it, and all that must exist do."""
    wanted = dict(limits.expected(list(Project.objects.order_by("pk"))))
    assert {row.key: row.limit for row in Holding.objects.all()} == wanted
