"""One person with three real providers; and the same method or identity wanted by several at the same moment."""

from __future__ import annotations

import importlib.util
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from synnefo.astakos.models import LoginMethod, User
from synnefo.astakos.services import identity, login_methods, pending_identities
from synnefo.astakos.services.user_changes import Changes, modify_user
from synnefo.common.errors import DomainError
from tests.support import directory_server
from tests.support.identity import PASSWORD, make_user
from tests.support.openid_provider import Account, browse, openid_provider
from tests.support.saml_provider import Person, answer_of, saml_provider
from tests.support.sign_in import UI, messages_of, signed_in_as, token_of

pytestmark = pytest.mark.django_db(transaction=True)


def _needed() -> str:
    missing = [name for name, there in (
        ("slapd and ldap-utils", directory_server.is_installed()), ("python-ldap", importlib.util.find_spec("ldap")),
        ("xmlsec1", shutil.which("xmlsec1"))) if not there]
    return f"not installed: {', '.join(missing)}" if missing else ""


@pytest.mark.skipif(bool(_needed()), reason=_needed())
def test_one_person_with_three_providers(settings_override: Any) -> None:
    cache.clear()
    settings_override(ASTAKOS_IM_MODULES=["ldap", "oidc:uni", "saml"], ASTAKOS_SAML_IDP_METADATA="/nonexistent")
    account = Account("ann", "at the university", "ann@uni.example")
    person = Person("ann", "at the federation", "ann-4711", {})
    ours = Client().get(f"{UI}/login/saml/metadata").content.decode()
    with directory_server.directory_server() as directory, openid_provider(account) as university, saml_provider(ours, person) as federation:
        directory.add("ann", "at the directory", mail="ann@example.org", guid=uuid.uuid4())
        settings_override(
            ASTAKOS_OIDC_PROVIDERS={"uni": university.options()}, ASTAKOS_SAML_IDP_METADATA=federation.metadata,
            AUTH_LDAP_SERVER_URI=directory.uri, AUTH_LDAP_BIND_DN=directory_server.SERVICE,
            AUTH_LDAP_BIND_PASSWORD=directory_server.SERVICE_PASSWORD,
            AUTH_LDAP_USER_SEARCH=(directory_server.BASE, "subtree", "(uid=%(user)s)"))
        ways: dict[str, Callable[[Client], Any]] = {
            "ldap": lambda client: client.post(f"{UI}/login/ldap", {"username": "ann", "password": "at the directory"}),
            "oidc:uni": lambda client: client.get(browse(client.get(f"{UI}/login/oidc:uni").headers["Location"], account)),
            "saml": lambda client: client.get(Client().post(
                f"{UI}/login/saml/authenticated", answer_of(client.get(f"{UI}/login/saml").headers["Location"], person)).headers["Location"])}
        client = Client()
        client.post(f"{UI}/signup", {"third_party_token": token_of(ways["ldap"](client)), "email": "ann@example.org"})
        user = User.objects.get()
        modify_user(user.user_id, Changes(verify=True))
        ways["ldap"](client)
        for module in ("oidc:uni", "saml"):
            assert token_of(ways[module](Client())), "unknown so far"
            assert ways[module](client).headers["Location"] == f"{UI}/profile"
        for way in ways.values():
            fresh = Client()
            way(fresh)
            assert signed_in_as(fresh) == str(user.pk)
        page = messages_of(client.get(f"{UI}/profile"))
        for text in ("LDAP", "The University", "Organisation account", "ann-4711"):
            assert text in page
        methods = {method.module: method.pk for method in user.login_methods.all()}
        for module in ("ldap", "saml"):
            assert client.post(f"{UI}/remove_auth_provider/{methods[module]}").status_code == 302
            assert token_of(ways[module](Client())), "unknown again"
        refused = client.post(f"{UI}/remove_auth_provider/{methods['oidc:uni']}")
        assert refused.status_code == 403
        assert "only way to sign in" in messages_of(refused)
        assert [method.module for method in user.login_methods.all()] == ["oidc:uni"]
        assert User.objects.count() == 1


def _together(*works: Callable[[], object]) -> Counter[str]:
    """Run them at once; counts outcomes."""
    barrier, outcomes, lock = threading.Barrier(len(works)), Counter[str](), threading.Lock()

    def run(work: Callable[[], object]) -> None:
        barrier.wait(30)
        try:
            work()
            outcome = "done"
        except DomainError:
            outcome = "refused"
        except Exception as error:  # noqa: BLE001 - reported by the test
            outcome = repr(error)
        finally:
            connection.close()
        with lock:
            outcomes[outcome] += 1

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_parallel_removals_leave_a_way_in() -> None:
    user = make_user(password=PASSWORD)
    for number in range(3):
        LoginMethod.objects.create(user=user, module="google", identifier=str(number))
    removals = [lambda pk=pk: login_methods.unlink(user.user_id, pk) for pk in user.login_methods.values_list("pk", flat=True)]
    assert _together(*removals) == {"done": 3, "refused": 1}
    assert user.login_methods.count() == 1


def test_an_identity_gets_one_owner_however_many_want_it() -> None:
    users = [make_user(f"{name}@example.org", password=PASSWORD) for name in ("ann", "bob", "cid", "dan")]
    found = identity.Identity("google", "4711")
    assert _together(*[lambda user=user: login_methods.link(user.user_id, found) for user in users]) == {"done": 1, "refused": 3}
    assert LoginMethod.objects.filter(module="google").count() == 1


def test_of_unconfirmed_owners_one_is_verified() -> None:
    users = [make_user(f"{name}@example.org", verified=False) for name in ("ann", "bob", "cid")]
    for user in users:
        LoginMethod.objects.create(user=user, module="google", identifier="4711")
    outcomes = _together(*[lambda user=user: modify_user(user.user_id, Changes(verify=True)) for user in users])
    assert outcomes == {"done": 1, "refused": 2}
    assert User.objects.filter(email_verified=True).count() == 1
    assert LoginMethod.objects.filter(module="google").count() == 1


def test_a_pending_identity_is_used_once() -> None:
    users = [make_user(f"{name}@example.org", password=PASSWORD) for name in ("ann", "bob", "cid")]
    token = pending_identities.keep(identity.Identity("google", "4711"), "browser")
    assert _together(*[lambda user=user: pending_identities.link(user.user_id, token, "browser") for user in users]) == {"done": 1, "refused": 2}
    assert LoginMethod.objects.filter(module="google").count() == 1
