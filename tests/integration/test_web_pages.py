"""The pages without a browser: who may see them, how refusals look, that nothing stored becomes markup, and what headers they carry."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from synnefo.astakos.services import project_members
from synnefo.cyclades.models import Network, Port, Server
from tests.support.compute import PUBLIC_KEY, Person, flavor, register_resources, server_row
from tests.support.identity import PASSWORD
from tests.support.networks import backend
from tests.support.pithos import content
from tests.support.projects import apply_for, define_resources, person, running

pytestmark = pytest.mark.django_db
PAGES = ("/", "/machines", "/machines/create", "/containers", "/usage")
EVIL = '<script>alert("1")</script>\'&'


@pytest.fixture
def ann() -> Person:
    """A user who is signed in to the pages by `ann.client`, which checks forgery as browsers meet it."""
    register_resources()
    person = Person(password=PASSWORD)
    person.client.force_login(get_user_model().objects.get(pk=person.user.pk))
    return person


def _page(person: Person, path: str, **headers: str) -> str:
    answer = person.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.content
    return str(answer.content.decode())


def _token(person: Person, path: str = "/containers") -> str:
    """The forgery token, from where the scripts take it."""
    found = re.search(r'X-CSRFToken&quot;: &quot;([^&]+)|"X-CSRFToken": "([^"]+)"', _page(person, path))
    assert found is not None
    return found[1] or found[2]


def _post(person: Person, path: str, data: Any = None, *, script: bool = False) -> Any:
    """A form's or a script's POST."""
    token = _token(person)
    if script:
        return person.client.post(path, data or b"", content_type="application/octet-stream", headers={"X-CSRFToken": token})
    return person.client.post(path, {**(data or {}), "csrfmiddlewaretoken": token})


@pytest.mark.parametrize("path", [*PAGES, "/machines/1", "/machines/1/console", "/containers/a/folder/b?marker=c&d"])
def test_who_is_signed_out_signs_in_and_comes_back(path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/astakos/ui/login?next={quote(path)}")
    background = Client().get(path, headers={"HX-Request": "true"})
    assert (background.status_code, background.content, background.headers["Content-Type"]) == (401, b"Sign in first.", "text/plain")


@pytest.mark.parametrize("path", PAGES)
def test_pages_carry_a_strict_policy_and_are_kept_nowhere(ann: Person, path: str) -> None:
    answer = ann.client.get(path)
    assert answer.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Frame-Options"] == "DENY"
    body = answer.content.decode()
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", body), "the policy forbids inline scripts and styles"
    assert ann.token not in body


def test_the_overview_tells_what_waits_and_where_to_begin(ann: Person) -> None:
    assert "First steps" in _page(ann, "/")
    define_resources()
    user = get_user_model().objects.get(pk=ann.user.pk)
    mine, theirs = running(user, "ann.example.org", join_policy="moderated"), person("bob")
    project_members.join(theirs, mine.uuid)
    application = apply_for(user, "more.example.org")
    server_row(ann, name="busy-one", task="REBOOT")
    page = _page(ann, "/")
    assert "First steps" not in page
    assert f"/ui/projects/{mine.uuid}/members/pending" in page
    assert "1 waiting for your answer" in page
    assert f"/ui/projects/app/{application.pk}" in page
    assert "busy-one" in page


def test_what_pages_load_is_there(ann: Person) -> None:
    server = server_row(ann)
    for path in (*PAGES, f"/machines/{server.pk}", f"/machines/{server.pk}/console"):
        for url in re.findall(r'(?:src|href)="(/static/[^"]+)"', _page(ann, path)):
            assert ann.client.get(url).status_code == 200, url


def test_names_are_text_never_markup(ann: Person) -> None:
    server = server_row(ann, name=EVIL)
    assert _post(ann, "/containers", {"name": EVIL.replace("/", "")}).status_code == 302
    for path in ("/machines", f"/machines/{server.pk}", f"/machines/{server.pk}/console", "/containers", f"/containers/{quote(EVIL.replace('/', ''))}/folder/"):
        body = _page(ann, path)
        assert "<script>alert" not in body, path
        assert "&lt;script&gt;alert(&quot;1&quot;)" in body, path


def test_a_machine_names_its_networks(ann: Person) -> None:
    server = server_row(ann)
    network = Network.objects.create(name=EVIL, user_id=ann.uuid, project_id=ann.uuid, flavor="CUSTOM", mode="bridged")
    Port.objects.create(server=server, network=network, mac="aa:00:00:00:00:01", state="ACTIVE", index=0, user_id=ann.uuid)
    shown = _page(ann, f"/machines/{server.pk}")
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;" in shown
    assert EVIL not in shown


def test_a_machine_of_another_is_not_found(ann: Person) -> None:
    theirs = server_row(Person("bob"))
    for path in (f"/machines/{theirs.pk}", f"/machines/{theirs.pk}/console", "/machines/999999999999999999999"):
        answer = ann.client.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8"), path
    background = ann.client.get(f"/machines/{theirs.pk}", headers={"HX-Request": "true"})
    assert (background.status_code, background.headers["Content-Type"]) == (404, "text/plain")
    assert b"<" not in background.content
    refused = _post(ann, f"/machines/{theirs.pk}/destroy", script=True)
    assert (refused.status_code, refused.headers["Content-Type"]) == (404, "text/plain")


def test_refusals_of_actions_are_texts_for_scripts_and_pages_for_people(ann: Person) -> None:
    running = server_row(ann)
    path = f"/machines/{running.pk}/start"
    script = _post(ann, path, script=True)
    assert script.status_code in {400, 409}
    assert script.headers["Content-Type"] == "text/plain"
    assert script.content
    assert b"<" not in script.content
    person = _post(ann, path)
    assert person.status_code == script.status_code
    assert "Not possible" in person.content.decode()
    assert _post(ann, f"/machines/{running.pk}/explode", script=True).status_code == 400


@pytest.mark.parametrize("path", ["/machines/1/destroy", "/machines/create", "/containers", "/containers/a/delete", "/containers/a/block", "/containers/a/hashmap"])
def test_forged_requests_are_refused(ann: Person, path: str) -> None:
    assert ann.client.post(path, {"name": "x"}).status_code == 403


def test_the_password_of_a_new_machine_is_shown_once(ann: Person, settings_override: Callable[..., None]) -> None:
    settings_override(CYCLADES_DEFAULT_SERVER_NETWORKS=[])
    backend(disk_templates=["file"], mfree=2**20, mtotal=2**20, dfree=2**20, dtotal=2**20, ctotal=64)
    form = {"name": "new", "image": ann.image(), "flavor": flavor().pk, "ssh_key": PUBLIC_KEY, "key": "one"}
    made = _post(ann, "/machines/create", form)
    server = Server.objects.get()
    assert (made.status_code, made.headers["Location"]) == (302, f"/machines/{server.pk}")
    again = _post(ann, "/machines/create", form)
    assert (again.status_code, again.headers["Location"], Server.objects.count()) == (302, f"/machines/{server.pk}", 1), "a form sent twice makes one machine"
    assert 'id="password"' not in _page(ann, f"/machines/{server.pk}", **{"HX-Request": "true"}), "a refresh in the background must not use it up"
    first, second = _page(ann, f"/machines/{server.pk}"), _page(ann, f"/machines/{server.pk}")
    found = re.search(r'<code id="password">([^<]{8,})</code>', first)
    assert found is not None
    assert found[1] not in second
    assert 'id="password"' not in second


def test_a_refused_form_keeps_what_was_typed(ann: Person) -> None:
    answer = _post(ann, "/machines/create", {"name": EVIL, "image": "nothing", "flavor": flavor().pk, "ssh_key": PUBLIC_KEY, "key": "k"})
    assert answer.status_code == 404
    body = answer.content.decode()
    assert 'role="alert"' in body
    assert PUBLIC_KEY in body
    assert "&lt;script&gt;" in body
    assert "<script>alert" not in body
    assert not Server.objects.exists()


def test_a_file_goes_up_by_blocks_and_down_as_an_attachment(ann: Person) -> None:
    _post(ann, "/containers", {"name": "box"})
    data = b"<html>not a page of this site</html>"
    offer = json.dumps({"name": "dir/ö<.html", "bytes": len(data), "hashes": [hashlib.sha256(data).hexdigest()]}).encode()
    first = _post(ann, "/containers/box/hashmap", offer, script=True)
    assert first.json() == {"missing": [hashlib.sha256(data).hexdigest()]}
    assert _post(ann, "/containers/box/block", data, script=True).status_code < 300
    assert (_post(ann, "/containers/box/hashmap", offer, script=True).status_code) == 201
    assert "dir/" in _page(ann, "/containers/box/folder/")
    assert "ö&lt;.html" in _page(ann, "/containers/box/folder/dir/")

    answer = ann.client.get("/containers/box/file/dir/%C3%B6%3C.html")
    assert content(answer) == data
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%C3%B6%3C.html"
    assert answer.headers["Content-Security-Policy"] == "sandbox"

    gone = _post(ann, "/containers/box/delete", {"name": "dir/ö<.html"})
    assert (gone.status_code, gone.headers["Location"]) == (302, "/containers/box/folder/dir/")
    assert ann.client.get("/containers/box/file/dir/%C3%B6%3C.html").status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"name": 1, "hashes": []}', b'{"name": "a", "hashes": 1}', b'{"name": "", "hashes": []}',
                                  b'{"name": "a", "bytes": "x", "hashes": ["y"]}', b"\xff"])
def test_wrong_lists_of_hashes_are_refused_in_words(ann: Person, body: bytes) -> None:
    _post(ann, "/containers", {"name": "box"})
    answer = _post(ann, "/containers/box/hashmap", body, script=True)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "text/plain")
