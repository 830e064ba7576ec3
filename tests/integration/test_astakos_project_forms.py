"""Applying for projects and for changes of them on pages: filled in, looked at, sent."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from synnefo.astakos.models import Project, ProjectApplication, User
from synnefo.astakos.services import applications, project_members
from tests.support.projects import VM, define_resources, person, running
from tests.support.quota import resource

pytestmark = pytest.mark.django_db
UI = "/astakos/ui"
DISK = "pithos.diskspace"


@pytest.fixture
def owner() -> User:
    define_resources()
    resource(DISK, unit="bytes")
    return person("ann", pending=2)


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def filled(**changes: str) -> dict[str, str]:
    end = (timezone.now() + datetime.timedelta(days=30)).date()
    return {"step": "check", "name": "physics.example.org", "homepage": "https://physics.example.org", "description": "Work",
            "end_date": str(end), "start_date": "", "comments": "Please", "join_policy": "moderated", "leave_policy": "auto", "max_members": "inf",
            f"total-{VM}": "20", f"member-{VM}": "5", f"total-{DISK}": "1.5T", f"member-{DISK}": "100G", **changes}


def hidden(page: str) -> dict[str, str]:
    """The fields that the summary sends on."""
    found = {match[1]: match[2] for match in re.finditer(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)}
    found.pop("csrfmiddlewaretoken")
    return found


def test_from_the_form_over_the_summary_to_an_application(owner: User) -> None:
    client = browser(owner)
    form = client.get(f"{UI}/projects/add").content.decode()
    assert "Storage" in form
    assert "Compute" in form
    assert "Nobody joins by himself" not in form, "not for new projects"
    page = client.post(f"{UI}/projects/add", filled()).content.decode()
    assert "Look once more" in page
    assert "1.5TB together, 100GB for each member" in page
    assert "The owner accepts each" in page
    assert not ProjectApplication.objects.exists()
    again = client.post(f"{UI}/projects/add", {**hidden(page), "step": "edit"}).content.decode()
    assert 'value="physics.example.org"' in again
    assert 'value="1.5T"' in again
    sent = client.post(f"{UI}/projects/add", {**hidden(page), "step": "submit"})
    application = ProjectApplication.objects.get()
    assert sent.headers["Location"] == f"{UI}/projects/{application.project.uuid}"
    assert (application.name, application.comments, application.state, application.project.join_policy) == ("physics.example.org", "Please", "pending", "moderated")
    assert {item.resource.name: (item.member_capacity, item.project_capacity) for item in application.quotas.all()} == {
        VM: (5, 20), DISK: (100 << 30, 3 << 39)}
    twice = client.post(f"{UI}/projects/add", {**hidden(page), "step": "submit"})
    assert twice.status_code == 302
    assert ProjectApplication.objects.count() == 1


@pytest.mark.parametrize(("changes", "text"), [
    ({"name": "physics"}, "named like a domain"), ({"name": ""}, "required"), ({"end_date": "2020-01-01"}, "today or later"),
    ({"end_date": "soon"}, "valid date"), ({"start_date": "2099-01-01"}, "after it starts"), ({f"member-{VM}": "21"}, "Not more than"),
    ({f"total-{VM}": "", f"member-{VM}": "2"}, "Say how much for all"), ({f"total-{DISK}": "1 parsec"}, "K, M, G or T"),
    ({f"total-{VM}": "-1"}, "K, M, G or T"), ({f"total-{VM}": "9" * 30}, "K, M, G or T"), ({"homepage": "javascript:alert(1)"}, "http or https"),
    ({"join_policy": "closed"}, "valid choice"), ({"join_policy": "x"}, "valid choice"), ({"max_members": "many"}, "invalid amount"),
    ({f"total-{VM}": "", f"member-{VM}": "", f"total-{DISK}": "", f"member-{DISK}": ""}, "at least one resource"), ({"description": "a\x00b"}, "Null")])
def test_what_is_wrong_is_told_and_nothing_is_sent(owner: User, changes: dict[str, str], text: str) -> None:
    for step in ("check", "submit"):
        answer = browser(owner).post(f"{UI}/projects/add", filled(**changes, step=step))
        assert answer.status_code == 400
        assert text in answer.content.decode()
    assert not Project.objects.filter(is_base=False).exists()


def test_the_limit_of_pending_applications(owner: User) -> None:
    client = browser(owner)
    for number in range(2):
        page = client.post(f"{UI}/projects/add", filled(name=f"p{number}.example.org")).content.decode()
        assert client.post(f"{UI}/projects/add", {**hidden(page), "step": "submit"}).status_code == 302
    refused = client.get(f"{UI}/projects/add")
    assert refused.headers["Location"] == f"{UI}/projects"
    assert "limit of pending applications" in client.get(f"{UI}/projects").content.decode()


def test_a_change_asks_for_what_differs(owner: User) -> None:
    project = running(owner, "one.example.org", resources={VM: (5, 20), DISK: (123456789, 987654321)}, join_policy="auto")
    client = browser(owner)
    form = client.get(f"{UI}/projects/{project.uuid}/modify").content.decode()
    assert 'value="one.example.org"' in form
    fields = {"step": "check", "name": "one.example.org", "homepage": "", "description": "", "end_date": str(project.end_date.date()), "comments": "",
              "start_date": "", "join_policy": "closed", "leave_policy": project.leave_policy, "max_members": "inf",
              f"total-{VM}": "40", f"member-{VM}": "5", f"total-{DISK}": "941.9MB", f"member-{DISK}": "117.74MB"}
    page = client.post(f"{UI}/projects/{project.uuid}/modify", fields).content.decode()
    assert "Everybody may join" in page
    assert "Nobody joins by himself" in page
    assert "20 together, 5 for each member" in page
    assert "40 together, 5 for each member" in page
    assert "Disk" not in re.sub(r'name="[^"]*"', "", page)
    client.post(f"{UI}/projects/{project.uuid}/modify", {**hidden(page), "step": "submit"})
    application = ProjectApplication.objects.latest("pk")
    assert (application.is_modification, application.name, application.join_policy, application.end_date) == (True, None, "closed", None)
    assert [item.resource.name for item in application.quotas.all()] == [VM]
    applications.approve(None, application.pk)
    project.refresh_from_db()
    assert project.quotas.get(resource__name=DISK).project_capacity == 987654321, "shown rounded, kept exact"
    same = client.post(f"{UI}/projects/{project.uuid}/modify", fields | {f"total-{VM}": "40"})
    assert "Nothing is different" in same.content.decode()


def test_a_project_is_handed_over(owner: User) -> None:
    project, heir = running(owner, "one.example.org"), person("heir")
    client = browser(owner)
    fields = {"step": "check", "name": "one.example.org", "owner": "nobody@example.org", "homepage": "", "description": "",
              "end_date": str(project.end_date.date()), "comments": "", "start_date": "", "join_policy": project.join_policy,
              "leave_policy": project.leave_policy, "max_members": "inf"}
    refused = client.post(f"{UI}/projects/{project.uuid}/modify", fields)
    assert refused.status_code == 400
    assert "no active user of this e-mail" in refused.content.decode()
    page = client.post(f"{UI}/projects/{project.uuid}/modify", fields | {"owner": "HEIR@example.org"}).content.decode()
    assert heir.email in page
    client.post(f"{UI}/projects/{project.uuid}/modify", {**hidden(page), "step": "submit"})
    applications.approve(None, ProjectApplication.objects.latest("pk").pk)
    project.refresh_from_db()
    assert project.owner == heir
    assert client.get(f"{UI}/projects/{project.uuid}/modify").status_code == 403


def test_who_may_change_a_project(owner: User, settings_override: Any) -> None:
    project = running(owner)
    stranger = person("bob")
    assert browser(stranger).get(f"{UI}/projects/{project.uuid}/modify").status_code == 403
    assert browser(owner).get(f"{UI}/projects/{owner.uuid}/modify").status_code == 403, "system projects are the administrators'"
    settings_override(ASTAKOS_PROJECT_ADMINS=[stranger.uuid])
    assert browser(stranger).get(f"{UI}/projects/{project.uuid}/modify").status_code == 200
    page = browser(stranger).get(f"{UI}/projects/{owner.uuid}/modify").content.decode()
    assert 'name="homepage"' not in page
    assert f'name="total-{VM}"' in page
    assert browser(owner).get(f"{UI}/projects/nothing/modify").status_code == 404


def test_help(owner: User) -> None:
    assert "How projects work" in browser(owner).get(f"{UI}/projects/how_it_works").content.decode()


def test_several_members_at_once(owner: User) -> None:
    project = running(owner, join_policy="moderated")
    people = [person(name) for name in ("bob", "eve", "joe")]
    requests = [project_members.join(user, project.uuid).pk for user in people]
    client = browser(owner)
    project_members.act(people[2], requests[2], "cancel")
    page = client.post(f"{UI}/projects/{project.uuid}/members/accept", {"members": [str(number) for number in requests]}, follow=True).content.decode()
    assert "Accepted: bob@example.org, eve@example.org." in page
    assert "joe@example.org" in page
    assert project.memberships.filter(state="accepted").count() == 2
    client.post(f"{UI}/projects/{project.uuid}/members/remove", {"members": [str(requests[0])]})
    assert project.memberships.filter(state="accepted").count() == 1
    for odd in ([], ["x"], ["9" * 40], ["-1"], [str(requests[1])] * 500):
        answer = client.post(f"{UI}/projects/{project.uuid}/members/accept", {"members": odd})
        assert answer.status_code in {302, 404}
    assert client.post(f"{UI}/projects/{project.uuid}/members/dance", {"members": [str(requests[1])]}).status_code == 404
    assert browser(people[0]).post(f"{UI}/projects/{project.uuid}/members/remove", {"members": [str(requests[1])]}).status_code == 403
    other = running(owner, "two.example.org")
    client.post(f"{UI}/projects/{other.uuid}/members/remove", {"members": [str(requests[1])]})
    assert project.memberships.filter(state="accepted").count() == 1, "not by way of another project"
