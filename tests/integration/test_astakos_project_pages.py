"""Pages of projects: who sees what, and what people do there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from synnefo.astakos.models import ProjectMembership, User
from synnefo.astakos.services import applications, project_members
from synnefo.astakos.services.project_definitions import Definition
from synnefo.common import ports
from synnefo.common.ids import ProjectID
from tests.support.projects import apply_for, assert_limits, define_resources, person, running
from tests.support.quota import resource

pytestmark = pytest.mark.django_db
ROOT = "/astakos/ui/projects"


def _client(user: User, **more: object) -> Client:
    client = Client(**more)  # type: ignore[arg-type]
    client.force_login(user)
    return client


@pytest.fixture
def ann() -> User:
    define_resources()
    return person("ann")


def test_strangers_are_sent_to_sign_in(ann: User) -> None:
    project = running(ann)
    for path in ("", "/search", f"/{project.uuid}"):
        assert "login" in Client().get(ROOT + path).headers["Location"]


def test_a_request_is_made_and_accepted_and_the_member_removed(ann: User) -> None:
    project, bob = running(ann, join_policy="moderated"), person("bob")
    owner, guest = _client(ann), _client(bob)
    assert "one.example.org" in guest.get(f"{ROOT}/search?q=ONE").content.decode()
    assert "You are not in any project" in guest.get(ROOT).content.decode()
    answer = guest.post(f"{ROOT}/{project.uuid}/join", follow=True).content.decode()
    assert "waits for the owner" in answer
    assert "Cancel request" in answer
    membership = ProjectMembership.objects.get(project=project, user=bob)
    assert "1 waiting" in owner.get(f"{ROOT}/{project.uuid}").content.decode()
    assert "bob@example.org" in owner.get(f"{ROOT}/{project.uuid}/members/pending").content.decode()
    assert "bob@example.org" not in owner.get(f"{ROOT}/{project.uuid}/members/approved").content.decode()
    path = f"{ROOT}/{project.uuid}/memberships/{membership.pk}"
    assert guest.post(f"{path}/accept").status_code == 403
    assert "accepted now" in owner.post(f"{path}/accept", follow=True).content.decode()
    assert "Machines" in guest.get(f"{ROOT}/{project.uuid}").content.decode()
    assert owner.post(f"{path}/remove").status_code == 302
    membership.refresh_from_db()
    assert membership.state == "removed"
    assert owner.post(f"{path}/remove", follow=True).status_code == 200, "told in words"
    assert owner.post(f"{path}/explode").status_code == 404
    assert_limits()


def test_members_are_added_all_or_none(ann: User) -> None:
    project = running(ann)
    person("bob")
    person("eve")
    owner = _client(ann)
    refused = owner.post(f"{ROOT}/{project.uuid}", {"emails": "bob@example.org, nobody@example.org\nEVE@example.org"}, follow=True).content.decode()
    assert "no active user nobody@example.org" in refused
    assert not project.memberships.exists()
    assert "2 members were added" in owner.post(f"{ROOT}/{project.uuid}", {"emails": "bob@example.org\r\nEVE@example.org"}, follow=True).content.decode()
    assert project.memberships.filter(state="accepted").count() == 2


def test_an_administrator_answers_applications(ann: User, settings_override: Callable[..., None]) -> None:
    boss = person("boss")
    settings_override(ASTAKOS_PROJECT_ADMINS=[boss.uuid])
    first, second = apply_for(ann, "one.example.org"), apply_for(ann, "two.example.org")
    admin, applicant = _client(boss), _client(ann)
    path = f"{ROOT}/{first.project.uuid}/app/{first.pk}"
    assert "Approve" in admin.get(f"{ROOT}/{first.project.uuid}").content.decode()
    assert "Approve" not in applicant.get(f"{ROOT}/{first.project.uuid}").content.decode()
    assert applicant.post(f"{path}/approve").status_code == 403
    assert admin.post(f"{path}/approve").status_code == 302
    assert applications.get(first.pk).state == "approved"
    other = f"{ROOT}/{second.project.uuid}/app/{second.pk}"
    assert admin.post(f"{other}/deny", {"reason": "too <much>"}).status_code == 302
    assert "too &lt;much&gt;" in applicant.get(f"{ROOT}/{second.project.uuid}").content.decode()
    assert applicant.post(f"{other}/dismiss").status_code == 302
    assert applications.get(second.pk).state == "dismissed"


def test_those_who_decide_see_what_a_change_changes(ann: User, settings_override: Callable[..., None]) -> None:
    boss = person("boss")
    settings_override(ASTAKOS_PROJECT_ADMINS=[boss.uuid])
    project = running(ann, resources={"cyclades.vm": (1, 4)})
    first = applications.submit_modification(ann, project.uuid, Definition(description="Waves", resources={"cyclades.vm": (2, 8)}))
    last = applications.submit_modification(ann, project.uuid, Definition(max_members=7, resources={"cyclades.vm": (3, 9)}))
    admin = _client(boss)
    page = admin.get(f"{ROOT}/app/{last.pk}").content.decode()
    for text in ("1 each, 4 together", "3 each, 9 together", "Unlimited", "<td>7</td>", "Approve"):
        assert text in page, text
    assert "Waves" not in page
    old = admin.get(f"{ROOT}/app/{first.pk}").content.decode()
    assert f"{ROOT}/app/{last.pk}" in old
    assert "Approve" not in old
    inbox = admin.get(f"{ROOT}/applications").content.decode()
    assert "Machines: 9" in inbox
    assert "<td>4</td><td>9</td>" in inbox
    assert _client(ann).get(f"{ROOT}/app/{last.pk}").status_code == 200
    stranger = _client(person("eve"))
    assert stranger.get(f"{ROOT}/app/{last.pk}").status_code == 403
    assert stranger.get(f"{ROOT}/applications").status_code == 403
    assert stranger.get(f"{ROOT}/app/999999").status_code == 404


def test_the_owner_sees_what_each_member_uses(ann: User) -> None:
    project, bob, eve = running(ann, resources={"cyclades.vm": (5, 20)}), person("bob"), person("eve")
    owner = _client(ann)
    owner.post(f"{ROOT}/{project.uuid}", {"emails": "bob@example.org eve@example.org"})
    for user, amount in ((bob, 1), (eve, 3)):
        ports.quota("cyclades").issue(user.user_id, {(ProjectID(project.uuid), "cyclades.vm"): amount}, request_id=user.uuid, auto_accept=True)
    project_members.act(ann, ProjectMembership.objects.get(project=project, user=eve).pk, "remove")
    address = f"{ROOT}/{project.uuid}/members/usage"
    page = owner.get(f"{address}?sort=cyclades.vm").content.decode()
    assert page.index("eve@example.org") < page.index("bob@example.org")
    assert "not a member any more" in page
    sheet = owner.get(f"{address}?format=csv")
    assert "attachment" in sheet.headers["Content-Disposition"]
    lines = [line.split(",") for line in sheet.content.decode().splitlines()]
    column = lines[0].index("cyclades.vm")
    assert [(line[0], line[1], line[column]) for line in lines[1:]] == [("bob@example.org", "yes", "1"), ("eve@example.org", "no", "3")]
    for path in ("", "/usage", "/pending"):
        assert _client(bob).get(f"{ROOT}/{project.uuid}/members{path}").status_code == 403


def test_operators_choose_how_resources_are_called(ann: User, settings_override: Callable[..., None]) -> None:
    resource("acme.licence")
    settings_override(ASTAKOS_RESOURCES_META={"cyclades.vm": {"verbose_name": "Computers", "help_text": "Virtual ones."}, "acme.licence": {"group": "compute", "order": -1}})
    page = _client(ann).get(f"{ROOT}/add").content.decode()
    for text in ("Computers", "Virtual ones.", 'aria-label="Computers, together"'):
        assert text in page
    assert page.index("acme.licence") < page.index("Computers")
    assert ">Compute<" in page


def test_long_lists_have_pages(ann: User, settings_override: Callable[..., None]) -> None:
    settings_override(ASTAKOS_PAGINATE_BY=1)
    project = running(ann)
    for name in ("bob", "eve"):
        project_members.join(person(name), project.uuid)
    owner = _client(ann)
    assert "bob@example.org" in owner.get(f"{ROOT}/{project.uuid}/members").content.decode()
    page = owner.get(f"{ROOT}/{project.uuid}/members?page=2").content.decode()
    assert "eve@example.org" in page
    assert "bob@example.org" not in page
    assert 'href="?page=1"' in page
    usage = owner.get(f"{ROOT}/{project.uuid}/members/usage?sort=cyclades.vm").content.decode()
    assert 'href="?page=2&amp;sort=cyclades.vm"' in usage


def test_private_projects_are_closed_to_others(ann: User) -> None:
    project = running(ann, private=True)
    guest = _client(person("bob"))
    assert guest.get(f"{ROOT}/{project.uuid}").status_code == 403
    assert project.realname not in guest.get(f"{ROOT}/search").content.decode()
    assert guest.post(f"{ROOT}/{project.uuid}/join").status_code == 403
    assert guest.get(f"{ROOT}/none").status_code == 404


def test_forged_requests_are_refused(ann: User) -> None:
    project = running(ann)
    assert _client(ann, enforce_csrf_checks=True).post(f"{ROOT}/{project.uuid}/join").status_code == 403
    assert not project.memberships.exists()


def test_the_pages_can_be_hidden(ann: User, settings_override: Callable[..., None]) -> None:
    boss = person("boss")
    settings_override(ASTAKOS_PROJECTS_VISIBLE=False, ASTAKOS_PROJECT_ADMINS=[boss.uuid])
    assert _client(ann).get(ROOT).status_code == 404
    assert _client(boss).get(ROOT).status_code == 200
