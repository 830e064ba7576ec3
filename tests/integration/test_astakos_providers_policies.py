"""Commands for policy profiles of sign-in providers."""

from __future__ import annotations

import pytest

from synnefo.astakos.models import AuditRecord, AuthPolicyProfile, Group, User
from synnefo.astakos.services import policies
from tests.support.commands import run
from tests.support.identity import make_user

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_profile_is_made_shown_changed_and_removed() -> None:
    assert run("authpolicy-add", "academics", "shibboleth", "--add-policy", "False", "--limit-policy", "3",
               "--automoderate-policy", "1", "--priority", "5").code == 0
    shown = run("authpolicy-show", "academics", "--output-format", "json").json()
    assert (shown["provider"], shown["is exclusive"], shown["is active"]) == ("shibboleth", False, True)
    assert shown["policies"] == {"add": False, "limit": 3, "automoderate": True}
    again = run("authpolicy-add", "academics", "shibboleth")
    assert again.code == 1
    assert "already a policy profile" in again.err
    assert run("authpolicy-add", "academics", "ldap", "--update", "--exclusive", "--unset-add-policy", "--remove-policy", "no").code == 0
    assert run("authpolicy-add", "academics", "ldap", "--update", "--limit-policy", "2").code == 0
    profile = AuthPolicyProfile.objects.get()
    assert (profile.is_exclusive, profile.provider, profile.priority) == (True, "ldap", 5)
    assert (profile.policy_add, profile.policy_remove, profile.policy_limit) == (None, False, 2)
    assert run("authpolicy-remove", "academics", "--yes").code == 0
    assert not AuthPolicyProfile.objects.exists()
    assert run("authpolicy-show", "academics").code == 1
    assert set(AuditRecord.objects.values_list("event", flat=True)) >= {"policy.add", "policy.change", "policy.remove"}


def test_assigning_replaces_links_and_deletes_nobody() -> None:
    ann, bob = make_user(), make_user("bob@example.org")
    group = Group.objects.create(name="staff members")
    bob.groups.add(group)
    run("authpolicy-add", "closed", "google", "--login-policy", "0")
    assert run("authpolicy-set", "closed", "--user", str(ann.pk), "--group", str(group.pk)).code == 0
    assert not policies.of("google", ann).login
    assert not policies.of("google", bob).login
    listed = run("authpolicy-list", "--output-format", "json").json()
    assert [(row["name"], row["users"], row["groups"]) for row in listed] == [("closed", [ann.email], ["staff members"])]
    assert run("authpolicy-set", "closed", "--user", bob.email).code == 0
    assert policies.of("google", ann).login
    assert not policies.of("google", bob).login
    assert run("authpolicy-set", "closed").code == 0
    assert User.objects.count() == 2
    assert Group.objects.filter(name="staff members").exists()
    assert policies.of("google", bob).login


@pytest.mark.parametrize("arguments", [
    ("authpolicy-add", "x", "ldap", "--login-policy", "maybe"), ("authpolicy-add", "x", "ldap", "--limit-policy", "-1"),
    ("authpolicy-add", "x", "ldap", "--unset-add-policy"), ("authpolicy-add", "x", "ldap", "--limit-policy", "999999999"),
    ("authpolicy-add", "x", "ldap", "--priority", "99999999999999999999"), ("authpolicy-add", "", "ldap"),
    ("authpolicy-add", "x", "ldap", "--update"), ("authpolicy-set", "x"), ("authpolicy-remove", "x", "--yes"),
    ("authpolicy-set", "there", "--user", "99999"), ("authpolicy-set", "there", "--group", "no such group"),
])
def test_refusals_change_nothing(arguments: tuple[str, ...]) -> None:
    run("authpolicy-add", "there", "local", "--priority", "3")
    assert run(*arguments).code != 0
    assert list(AuthPolicyProfile.objects.values_list("name", "priority")) == [("there", 3)]


def test_an_inactive_profile_says_nothing_and_an_exclusive_one_speaks_of_the_others() -> None:
    ann = make_user()
    run("authpolicy-add", "only-ldap", "ldap", "--exclusive", "--login-policy", "False")
    run("authpolicy-set", "only-ldap", "--user", ann.uuid)
    assert [policies.of(module, ann).login for module in ("ldap", "google", "local")] == [True, False, False]
    AuthPolicyProfile.objects.update(active=False)
    assert policies.of("google", ann).login
