"""What operators do to accounts and components is written down, can be searched, and is forgotten when it is told to be."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.utils import timezone

from synnefo.astakos.models import AuditRecord, Component, Resource, User
from synnefo.astakos.services import audit, housekeeping, permissions
from tests.support.commands import run
from tests.support.identity import CATALOG, make_user, register_catalog

pytestmark = pytest.mark.django_db


def events(*options: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = run("audit-list", "--output-format", "json", *options).json()
    return listed


def test_changes_of_users_are_written_down_without_secrets() -> None:
    password = "a long new password"
    ann, bob = make_user(), make_user("bob@example.org")
    assert run("group-add", "staff").code == 0
    assert run("user-modify", ann.uuid, "--set-admin", "--add-group", "staff", "--password", password).code == 0
    assert run("user-modify", bob.uuid, "--set-inactive", "--inactive-reason", "left").code == 0
    [created, modified] = events("--about", "ann@example.org")
    assert (created["event"], created["actor"], created["target"]) == ("user.created", "operator", ann.uuid)
    assert modified["event"] == "user.modified"
    [row] = AuditRecord.objects.filter(event="user.modified", target=ann.uuid)
    assert row.details == {"new_password": True, "before": {"admin": False, "groups": []},
                           "after": {"admin": True, "groups": ["staff"]}}
    assert password not in run("audit-list", "--output-format", "json").out
    assert [item["target"] for item in events("--event", "user.modified")] == [ann.uuid, bob.uuid]
    assert len(events("--event", "user.")) == 4
    assert events("--filter-by", "event=user.created,target=" + bob.uuid)[0]["target"] == bob.uuid


def test_a_refused_change_leaves_no_trace() -> None:
    ann = make_user()
    count = AuditRecord.objects.count()
    assert run("user-modify", ann.uuid, "--set-admin", "--reject").code == 1
    assert AuditRecord.objects.count() == count
    assert not User.objects.get().is_superuser


def test_deleted_accounts_are_remembered() -> None:
    made = run("user-add", "ann@example.org", "Ann", "Lee", "--output-format", "json").json()
    assert run("user-modify", made["uuid"], "--delete", "--yes").code == 0
    [row] = AuditRecord.objects.filter(event="user.deleted")
    assert (row.target, row.details["email"]) == (made["uuid"], "ann@example.org")


def test_components_and_services_are_written_down() -> None:
    register_catalog()
    secret = "chosen-by-an-operator-0123"
    assert run("component-modify", "pithos", "--ui-url", "https://files.example.org", "--auth-token", secret).code == 0
    [row] = AuditRecord.objects.filter(event="component.modified", target="pithos")
    assert row.details["before"]["ui_url"] == ""
    assert row.details["after"]["ui_url"] == "https://files.example.org"
    assert row.details["new_token"] is True
    assert {item["target"] for item in events("--event", "service.imported")} == set(CATALOG)
    assert run("component-remove", "pithos", "--yes").code == 0
    assert [item["target"] for item in events("--event", "component.removed")] == ["pithos"]
    assert secret not in run("audit-list", "--output-format", "json").out


def test_a_component_that_counts_is_removed_only_by_force() -> None:
    register_catalog()
    assert run("service-register-local").code == 0
    refused = run("component-remove", "astakos", "--yes")
    assert refused.code == 1
    assert "still counts resources: astakos.pending_app" in refused.err
    assert run("component-remove", "astakos", "--force").code == 0
    assert not Component.objects.filter(name="astakos").exists()
    assert Resource.objects.filter(name="astakos.pending_app").exists()


def test_old_records_are_forgotten_only_when_it_is_asked_for(settings_override: Any) -> None:
    now = timezone.now()
    for days in (1, 40):
        audit.record("login.done", target=str(days))
        AuditRecord.objects.filter(target=str(days)).update(created_at=now - datetime.timedelta(days=days))
    assert housekeeping.clean()["audit records"] == 0
    settings_override(ASTAKOS_AUDIT_DAYS=30)
    assert housekeeping.clean()["audit records"] == 1
    assert [row.target for row in AuditRecord.objects.all()] == ["1"]


def test_permissions_of_users() -> None:
    ann = make_user()
    given = run("user-modify", ann.uuid, "--add-permission", "see reports", "--add-permission", "see reports")
    assert (given.code, given.err) == (0, "Permission see reports given\nPermission see reports was there already\n")
    shown = run("user-show", ann.uuid, "--output-format", "json").json()
    assert (shown["permissions"], shown["group permissions"], shown["username"]) == (["see reports"], [], "ann@example.org")
    taken = run("user-modify", ann.uuid, "--delete-permission", "see reports", "--delete-permission", "x")
    assert (taken.code, taken.err) == (0, "Permission see reports taken\nThere was no permission x\n")
    assert permissions.own(ann) == []
    assert run("user-modify", ann.uuid, "--add-permission", "a\nb").code == 1
    assert run("user-modify", ann.uuid, "--add-permission", "x" * 101).code == 1


def test_lists_show_the_ways_to_sign_in() -> None:
    make_user(password="correct horse battery")
    make_user("bob@example.org")
    listed = run("user-list", "-o", "email,providers", "--output-format", "json").json()
    assert listed == [{"email": "ann@example.org", "providers": ["local:"]}, {"email": "bob@example.org", "providers": []}]
