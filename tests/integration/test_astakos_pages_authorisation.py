"""Who may open which page: every page of the identity service, by every kind of visitor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern
from django.urls.resolvers import RegexPattern, RoutePattern

from synnefo.astakos.models import Project, User
from synnefo.astakos.ui import urls
from tests.integration.test_astakos_authorisation import undone
from tests.support.identity_seeds import Seeds, seed

pytestmark = pytest.mark.django_db
ROOT = "/astakos/ui/"
PUBLIC = {"", "login", "local", "login/local", "login/associate", "signup", "login/saml/metadata", "login/{module}",
          "login/{module}/authenticated", "login/{module}/backchannel-logout", "logout", "session", "get_menu", "get_services", "activate",
          "send/activation/{secret}", "local/password_reset", "local/password_reset/done", "local/reset/confirm/{uuid}/{secret}/",
          "email_change/confirm/{secret}", "login/second-factor", "login/passkey/begin", "login/passkey/use", "approval_terms", "approval_terms/{number}", "resources"}
"""Pages for those who have not signed in; a new page is for the others until it is named here."""
FROM_ELSEWHERE = {"login/{module}/authenticated", "login/{module}/backchannel-logout"}
"""Other sites make browsers or themselves post to these, so no form of ours can vouch for the request."""
OF_A_PROJECT = re.compile(r"projects/\{uuid\}")
VISITORS = ("user", "member", "owner", "helpdesk", "admin")


def _paths() -> list[str]:
    """The addresses below ROOT, with the names of their parts in braces."""
    found = []
    for item in urls.urlpatterns:
        assert isinstance(item, URLPattern)
        if isinstance(item.pattern, RoutePattern):
            found.append(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", item.pattern._route))
        else:
            assert isinstance(item.pattern, RegexPattern)
            found.append(re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", item.pattern._regex).strip("^$"))
    return list(dict.fromkeys(found))


PATHS = _paths()


@pytest.fixture(scope="module")
def seeds(django_db_setup: None, django_db_blocker: Any) -> Iterator[Seeds]:
    """Made once, for all pages. The project is private."""
    with django_db_blocker.unblock(), undone():
        found = seed()
        Project.objects.filter(uuid=found.named["project_id"]).update(private=True)
        yield found


def _filled(path: str, seeds: Seeds) -> str:
    known = {"uuid": seeds.named["project_id"], "number": seeds.named["membership_id"], "action": "accept", "module": "local", "pk": "1", "secret": "ticket"}
    unknown = set(re.findall(r"\{(\w+)\}", path)) - set(known)
    assert not unknown, f"name something here for {unknown}"
    return ROOT + re.sub(r"\{(\w+)\}", lambda part: known[part[1]], path)


def _browser(seeds: Seeds, kind: str, **options: Any) -> Client:
    client = Client(raise_request_exception=False, **options)
    if kind != "anonymous":
        client.force_login(User.objects.get(uuid=seeds.uuids[kind]))
    return client


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["anonymous", "suspended"])
def test_a_page_is_for_those_who_signed_in(path: str, kind: str, seeds: Seeds) -> None:
    with undone():
        answer = _browser(seeds, kind).get(_filled(path, seeds), secure=True)
    if path in PUBLIC:
        assert answer.status_code < 500
    elif answer.status_code == 302:
        assert "/ui/login" in answer["Location"]
    else:
        assert answer.status_code in {401, 403, 404, 405}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["anonymous", "member"])
def test_a_form_of_another_site_is_refused(path: str, kind: str, seeds: Seeds) -> None:
    with undone():
        answer = _browser(seeds, kind, enforce_csrf_checks=True).post(_filled(path, seeds), {}, secure=True)
    assert answer.status_code < 500
    if path not in FROM_ELSEWHERE:
        assert answer.status_code in {403, 405}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", VISITORS)
def test_no_page_breaks(path: str, kind: str, seeds: Seeds) -> None:
    for method in ("get", "head", "post", "put", "patch", "delete", "options"):
        with undone():
            answer = getattr(_browser(seeds, kind), method)(_filled(path, seeds), secure=True)
        assert answer.status_code < 500, f"{method}: {answer.status_code}"


@pytest.mark.parametrize("path", [path for path in PATHS if OF_A_PROJECT.match(path)])
def test_a_private_project_is_hidden_from_strangers(path: str, seeds: Seeds) -> None:
    for kind in ("user", "helpdesk"):
        for method in ("get", "post"):
            with undone():
                answer = getattr(_browser(seeds, kind), method)(_filled(path, seeds), secure=True)
            assert answer.status_code in {302, 403, 404, 405}, f"{kind} {method}: {answer.status_code}"
            assert "a project.example.org" not in answer.content.decode()


def test_public_pages_exist() -> None:
    assert set(PATHS) >= PUBLIC >= FROM_ELSEWHERE
