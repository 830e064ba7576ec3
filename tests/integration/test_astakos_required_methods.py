"""An account that lacks a sign-in method which every account must have: which pages still open, and which lead to the profile."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from synnefo.astakos.models import LoginMethod, User
from tests.support.identity import make_user

pytestmark = pytest.mark.django_db
UI = "/astakos/ui"
TOLD = "Your account must have"


@pytest.fixture
def client(settings_override: Any) -> Client:
    settings_override(ASTAKOS_IM_MODULES=["local", "ldap"], ASTAKOS_AUTH_PROVIDER_LDAP_REQUIRED_POLICY=True,
                      AUTH_LDAP_SERVER_URI="ldaps://ldap.example.org", AUTH_LDAP_USER_SEARCH={"base": "dc=example", "filter": "(uid=%(user)s)"})
    user, client = make_user(), Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize(("method", "path"), [
    ("get", "api_access"), ("get", ".kamakirc"), ("post", "profile/update_token"), ("get", "projects"), ("get", "projects/search"),
    ("post", "remove_auth_provider/1")])
def test_what_matters_leads_to_the_profile(client: Client, method: str, path: str) -> None:
    answer = getattr(client, method)(f"{UI}/{path}")
    assert (answer.status_code, answer.headers.get("Location")) == (302, f"{UI}/profile")
    assert TOLD in client.get(f"{UI}/profile").content.decode()


def test_scripts_get_a_status(client: Client) -> None:
    answer = client.get(f"{UI}/api_access", headers={"X-Requested-With": "XMLHttpRequest"})
    assert answer.status_code == 403
    assert answer.content.decode().startswith(TOLD)


def test_other_pages_tell_and_open(client: Client) -> None:
    landing = client.get(f"{UI}/landing")
    assert landing.status_code == 200
    assert TOLD in landing.content.decode()


def test_with_the_method_all_is_open(client: Client) -> None:
    user = User.objects.get()
    LoginMethod.objects.create(user=user, module="ldap", identifier="ann")
    assert client.get(f"{UI}/api_access").status_code == 200
    assert TOLD not in client.get(f"{UI}/landing").content.decode()
