"""Policies of sign-in providers: the resolution agrees with a plain list of layers, the last word winning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from synnefo.astakos.models import AuthPolicyProfile, Group, User
from synnefo.astakos.services import policies
from synnefo.common.settings import conf

MODULES = ("local", "ldap", "oidc:my-idp")
BOOLEANS = ("create", "login", "add", "remove", "automoderate", "switch")
BUILT_IN = {"create": True, "login": True, "add": True, "remove": True, "automoderate": False, "switch": True, "limit": 1}
OWN = {"local": {"switch": False}, "ldap": {"switch": False}}
PART = {"local": "LOCAL", "ldap": "LDAP", "oidc:my-idp": "OIDC_MY_IDP"}

values = st.fixed_dictionaries({}, optional={**{name: st.booleans() for name in BOOLEANS}, "limit": st.integers(0, 9)})
profile_values = values.map(lambda found: {name: value for name, value in found.items() if name != "switch"})
profiles = st.lists(st.fixed_dictionaries({
    "provider": st.sampled_from(MODULES), "is_exclusive": st.booleans(), "active": st.sampled_from([True, True, False]),
    "priority": st.integers(-2, 3), "whose": st.sampled_from(["user", "group", "both groups", "stranger"]),
    "values": profile_values}), max_size=6)


@contextmanager
def _settings(site: dict[str, Any], single: dict[str, dict[str, Any]]) -> Iterator[None]:
    wanted = {f"ASTAKOS_AUTH_PROVIDERS_{name.upper()}_POLICY": value for name, value in site.items()}
    for module, found in single.items():
        wanted |= {f"ASTAKOS_AUTH_PROVIDER_{PART[module]}_{name.upper()}_POLICY": value for name, value in found.items()}
    previous = conf.override(**wanted)
    try:
        yield
    finally:
        conf.override(**previous)


def _model(module: str, site: dict[str, Any], single: dict[str, Any], drawn: list[dict[str, Any]]) -> dict[str, Any]:
    layers = [BUILT_IN, OWN.get(module, {}), site, single]
    for owners in ({"user"}, {"group", "both groups"}):
        chosen = [item for item in drawn if item["active"] and item["whose"] in owners
                  and (item["provider"] != module if item["is_exclusive"] else item["provider"] == module)]
        layers += [item["values"] for item in sorted(chosen, key=lambda item: item["priority"])]
    return {name: value for layer in layers for name, value in layer.items()}


class Resolution(TestCase):
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(site=values, single=st.dictionaries(st.sampled_from(MODULES), values), drawn=profiles)
    def test_the_last_word_wins(self, site: dict[str, Any], single: dict[str, Any], drawn: list[dict[str, Any]]) -> None:
        user, stranger = User.objects.create(email="ann@example.org"), User.objects.create(email="bob@example.org")
        first, second = Group.objects.create(name="first"), Group.objects.create(name="second")
        user.groups.add(first, second)
        for number, item in enumerate(drawn):
            profile = AuthPolicyProfile.objects.create(
                name=str(number), **{key: item[key] for key in ("provider", "is_exclusive", "active", "priority")},
                **{f"policy_{name}": value for name, value in item["values"].items()})
            owner = {"user": profile.users, "stranger": profile.users}.get(item["whose"])
            if owner is not None:
                owner.add(user if item["whose"] == "user" else stranger)
            else:
                profile.groups.add(*([first] if item["whose"] == "group" else [first, second]))
        with _settings(site, single):
            found = policies.of_all(MODULES, user)
            anonymous = policies.of_all(MODULES)
        for module in MODULES:
            expected = _model(module, site, single.get(module, {}), drawn)
            assert {name: getattr(found[module], name) for name in expected} == expected
            expected = _model(module, site, single.get(module, {}), [])
            assert {name: getattr(anonymous[module], name) for name in expected} == expected


@pytest.mark.django_db
def test_whether_a_method_is_required_is_asked_of_the_settings_alone() -> None:
    user = User.objects.create(email="ann@example.org")
    AuthPolicyProfile.objects.create(name="x", provider="ldap", policy_required=True).users.add(user)
    assert policies.of("ldap", user).required is False
    with _settings({}, {"ldap": {"required": True}}):
        assert policies.of("ldap", user).required is True
