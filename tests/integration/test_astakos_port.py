"""The identity port in one process, components' tokens and the life of accounts, through their services."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from django.test import RequestFactory
from django.urls import resolve
from django.utils import timezone

from synnefo.astakos.models import ApiToken, Component, Endpoint, Project, Service, User
from synnefo.astakos.services import catalog, components, projects, registry, tokens, users
from synnefo.astakos.services.user_changes import Changes, modify_user
from synnefo.common import ports
from synnefo.common.errors import (
    AlreadyExists,
    Forbidden,
    InvalidInput,
    NotFound,
    StateConflict,
    Unauthenticated,
)
from synnefo.common.ids import UserID
from tests.support.identity import CATALOG, make_token, make_user, register_catalog

pytestmark = pytest.mark.django_db


def test_a_caller_is_known_by_three_queries(django_assert_num_queries: Any) -> None:
    user = make_user(first_name="Ann", last_name="Lee", groups=["helpdesk"])
    token = make_token(user)
    with django_assert_num_queries(4):  # the first use of the hour is noted
        ports.identity().authenticate(token, client_ip="10.0.0.1")
    with django_assert_num_queries(3):
        caller = ports.identity().authenticate(token)
    assert (caller.user_id, caller.email, caller.name) == (user.uuid, "ann@example.org", "Ann Lee")
    assert (caller.project_id, caller.project_ids) == (user.uuid, (user.uuid,))
    assert caller.roles == ("member", "helpdesk")
    assert not caller.is_admin
    assert ApiToken.objects.get().last_used_ip == "10.0.0.1"


def test_rights_come_from_the_account_and_not_from_a_groups_name() -> None:
    ann, root = make_user(groups=["admin", "owner"]), make_user("root@example.org", is_admin=True)
    assert not ports.identity().caller_of(ann.user_id).is_admin
    assert ports.identity().caller_of(root.user_id).is_admin
    assert not ports.identity().authenticate(make_token(root, roles=["member"])).is_admin


def test_a_default_project_that_was_lost_falls_back_to_the_users_own() -> None:
    user, stranger = make_user(), make_user("bob@example.org")
    User.objects.filter(pk=user.pk).update(default_project=stranger.uuid)
    assert ports.identity().caller_of(user.user_id).project_id == user.uuid


def test_a_scoped_token_reaches_its_project_alone() -> None:
    user, stranger = make_user(), make_user("bob@example.org")
    assert ports.identity().authenticate(make_token(user, project_id=user.uuid)).project_ids == (user.uuid,)
    with pytest.raises(Unauthenticated, match="no longer available"):
        ports.identity().authenticate(make_token(user, project_id=stranger.uuid))


def test_a_token_without_a_project_opens_no_service() -> None:
    user = make_user()
    unscoped = tokens.issue_short(user, ["password"], is_unscoped=True).secret
    with pytest.raises(Forbidden):
        ports.identity().authenticate(unscoped)


@pytest.mark.parametrize("token", ["", "x", "x" * 10_000, "\N{SNOWMAN}"])
def test_unknown_tokens(token: str) -> None:
    with pytest.raises(Unauthenticated, match="Invalid X-Auth-Token"):
        ports.identity().authenticate(token)


def test_closed_accounts_have_no_caller() -> None:
    user = make_user()
    modify_user(user.user_id, Changes(active=False, inactive_reason="unpaid"))
    for user_id in (user.user_id, UserID("nobody")):
        with pytest.raises(Unauthenticated):
            ports.identity().caller_of(user_id)
    assert User.objects.get().status == "Accepted/Inactive (unpaid) (accepted policy: auto_moderation)"


def test_names_both_ways() -> None:
    user = make_user()
    identity = ports.identity()
    assert identity.emails_of([user.user_id, UserID("x")]) == {user.uuid: "ann@example.org"}
    assert identity.user_ids_of(["ANN@example.org", "x@example.org"]) == {"ANN@example.org": user.uuid}


def test_an_account_is_made_with_its_system_project_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    user = make_user(" Ann@Example.ORG ")
    assert (user.email, user.is_active, user.default_project) == ("ann@example.org", True, user.uuid)
    assert Project.objects.get().uuid == user.uuid

    def fail(user: User) -> None:
        raise RuntimeError("cut off")

    monkeypatch.setattr(projects, "create_system_project", fail)
    with pytest.raises(RuntimeError, match="cut off"):
        make_user("bob@example.org")
    assert User.objects.count() == 1


@pytest.mark.parametrize("email", ["", "x", "a@b", "a@b..org", "a b@example.org", "a@" + "x" * 300 + ".org", "a\n@example.org"])
def test_addresses_that_are_none(email: str) -> None:
    with pytest.raises(InvalidInput):
        make_user(email)
    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["short", "password123", "ann@example.org", "x" * 2000])
def test_passwords_that_are_guessed_first(password: str) -> None:
    with pytest.raises(InvalidInput):
        make_user(password=password)
    assert not User.objects.exists()


def test_an_unverified_account_gives_way_and_a_verified_one_does_not() -> None:
    first = make_user(verified=False)
    second = make_user()
    assert User.objects.get().uuid == second.uuid != first.uuid
    with pytest.raises(AlreadyExists):
        make_user("ANN@example.org")


def test_moderation(settings_override: Any) -> None:
    settings_override(ASTAKOS_MODERATION_ENABLED=True, ASTAKOS_RE_USER_EMAIL_PATTERNS=[r".*@staff\.example\.org$"])
    staff = make_user("s@staff.example.org", accepted=False)
    assert staff.status == "Accepted/Active (accepted policy: email)"
    user = make_user(accepted=False)
    assert (user.status, Project.objects.filter(uuid=user.uuid).exists()) == ("Pending moderation", False)
    modify_user(user.user_id, Changes(reject_reason="unknown"))
    assert User.objects.get(pk=user.pk).status == "Rejected (unknown)"
    modify_user(user.user_id, Changes(accept=True))
    assert User.objects.get(pk=user.pk).status == "Accepted/Active (accepted policy: manual)"
    with pytest.raises(StateConflict, match="already accepted"):
        modify_user(user.user_id, Changes(accept=True))
    with pytest.raises(StateConflict, match="does not wait"):
        modify_user(user.user_id, Changes(reject_reason="late"))


def test_changes_are_all_or_nothing() -> None:
    user = make_user()
    with pytest.raises(NotFound, match="Group none does not exist"):
        modify_user(user.user_id, Changes(set_admin=True, first_name="New", add_groups=("none",)))
    unchanged = User.objects.get()
    assert (unchanged.is_superuser, unchanged.first_name) == (False, "")
    with pytest.raises(StateConflict, match="was accepted"):
        users.delete_account(user.user_id)


def test_a_new_password_ends_short_lived_tokens_only() -> None:
    user = make_user()
    named, issued = make_token(user), tokens.issue_short(user, ["password"]).secret
    modify_user(user.user_id, Changes(password="a fresh passphrase"))
    ports.identity().authenticate(named)
    with pytest.raises(Unauthenticated):
        ports.identity().authenticate(issued)


def test_renewing_and_purging_tokens() -> None:
    user = make_user()
    old = tokens.issue_named(user, "laptop", days=3)
    new = tokens.renew_named(user.user_id, old.token.pk)
    assert new.token.expires_at - new.token.created_at == pytest.approx(
        datetime.timedelta(days=3), abs=datetime.timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        ports.identity().authenticate(old.secret)
    with pytest.raises(NotFound):
        tokens.renew_named(user.user_id, old.token.pk)
    assert tokens.purge() == 0
    ApiToken.objects.filter(pk=old.token.pk).update(expires_at=timezone.now() - datetime.timedelta(days=30))
    assert tokens.purge() == 1
    assert ApiToken.objects.get().pk == new.token.pk


def test_component_tokens() -> None:
    component, token = components.add_component("cyclades")
    assert components.require_component(token) == component
    assert token not in str(Component.objects.values().get())
    fresh = components.modify_component(component.pk, renew_token=True, grace_hours=1)
    assert fresh is not None
    assert components.require_component(token) == components.require_component(fresh) == component
    Component.objects.update(old_token_expires_at=timezone.now() - datetime.timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        components.require_component(token)
    chosen = components.modify_component(component.pk, token="chosen-by-the-operator", renew_token=True)
    assert chosen == "chosen-by-the-operator"
    for dead in (fresh, "", make_token(make_user())):
        with pytest.raises(Unauthenticated):
            components.require_component(dead)
    Component.objects.update(token_expires_at=timezone.now() - datetime.timedelta(seconds=1))
    with pytest.raises(Unauthenticated, match="Authentication expired"):
        components.require_component(chosen)
    with pytest.raises(AlreadyExists):
        components.add_component("cyclades")
    other, _ = components.add_component("other")
    with pytest.raises(AlreadyExists):
        components.modify_component(other.pk, token="chosen-by-the-operator")


_GOOD = CATALOG["cyclades_compute"]


@pytest.mark.parametrize(("definitions", "error"), [
    ({}, InvalidInput), ([], InvalidInput), (None, InvalidInput), ({"x": 3}, InvalidInput), ({"": _GOOD}, InvalidInput),
    ({"good": _GOOD, "x": {**_GOOD, "component": "none"}}, NotFound),
    ({"good": _GOOD, "x": {**_GOOD, "endpoints": [{"versionId": "v1"}]}}, InvalidInput),
    ({"good": _GOOD, "pithos_object-store": _GOOD}, StateConflict),
    ({"good": _GOOD, "x": {**_GOOD, "resources": {"r": {"name": "x.r", "service_type": "x", "service_origin": "y"}}}}, InvalidInput),
    ({"good": _GOOD, "x": {**_GOOD, "resources": {"r": {"service_origin": "x"}}}}, InvalidInput),
    ({"good": _GOOD, "x": {**_GOOD, "resources": {"r": {"name": ["x"], "service_type": "x", "service_origin": "x"}}}}, InvalidInput),
])
def test_an_import_is_all_or_nothing(definitions: Any, error: type[Exception]) -> None:
    register_catalog()
    before = list(Service.objects.values()), list(Endpoint.objects.values())
    with pytest.raises(error):
        registry.import_services(definitions)
    assert (list(Service.objects.values()), list(Endpoint.objects.values())) == before


def test_registering_this_host_is_repeatable(settings_override: Any) -> None:
    settings_override(SYNNEFO_SERVICES=["astakos"])
    first = registry.register_local_services()
    assert "Added component astakos" in first
    assert "Resource 'astakos.pending_app' created with unlimited quota" in first
    count = Endpoint.objects.count()
    again = registry.register_local_services()
    assert [line for line in again if line.startswith("Added") or "created" in line] == []
    assert Endpoint.objects.count() == count
    settings_override(ASTAKOS_BASE_URL="https://id.example.org/astakos")
    registry.register_local_services()
    assert Component.objects.get().base_url == "https://id.example.org/astakos"
    assert {item.data["publicURL"] for item in Endpoint.objects.all()} == {
        "https://id.example.org/astakos/account/v1.0", "https://id.example.org/astakos/identity/v2.0",
        "https://id.example.org/astakos/identity/v3", "https://id.example.org/astakos/oauth2",
        "https://id.example.org/astakos/weblogin"}


def test_pages_call_the_account_api_for_their_session() -> None:
    user = make_user()
    request = RequestFactory().get("/astakos/account/v1.0/myaccount/tokens")
    request._caller = ports.identity().caller_of(user.user_id)  # type: ignore[attr-defined]
    view, args, kwargs = resolve(request.path)
    response = view(request, *args, **kwargs)
    assert (response.status_code, response.content) == (200, b'{"tokens": []}')
    User.objects.update(is_active=False)
    assert view(request, *args, **kwargs).status_code == 401


def test_the_catalogs_of_a_whole_cloud() -> None:
    registry.register_local_services()
    shown = {entry["type"]: entry["endpoints"][0]["url"] for entry in catalog.v3_catalog("U", "P")}
    assert shown == {
        "account": "http://testserver/astakos/account/v1.0", "identity": "http://testserver/astakos/identity/v3",
        "object-store": "http://testserver/pithos/swift/v1/AUTH_U", "compute": "http://testserver/cyclades/compute/v2.1",
        "image": "http://testserver/cyclades/image", "network": "http://testserver/cyclades/network",
        "astakos_auth": "http://testserver/astakos/oauth2", "astakos_weblogin": "http://testserver/astakos/weblogin"}
    older = {entry["type"]: entry["endpoints"][0]["publicURL"] for entry in catalog.v2_catalog()}
    assert older == {
        **shown, "identity": "http://testserver/astakos/identity/v2.0", "compute": "http://testserver/cyclades/compute/v2.0",
        "object-store": "http://testserver/pithos/object-store/v1"}
