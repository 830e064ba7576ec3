"""The page of programs: credentials with files for stock clients, access keys, connected programs; consent and device pages."""

from __future__ import annotations

import base64
import re
import shlex
from typing import Any

import pytest
from django.test import Client

from synnefo.astakos.models import AppCredential, Ec2Credential, OAuthGrant, User
from synnefo.astakos.services.user_changes import Changes, modify_user
from tests.support.identity import V3, Http, make_user
from tests.support.oauth2 import Browser, exchange, make_client

pytestmark = pytest.mark.django_db
PAGE = "/astakos/ui/programs"


def signed_in(user: User, *, checks_csrf: bool = False) -> Client:
    client = Client(enforce_csrf_checks=checks_csrf)
    client.force_login(user)
    return client


def make(client: Client, **fields: Any) -> Any:
    return client.post(PAGE, {"action": "create", "name": "backup", "days": "", **fields})


def test_the_page_is_for_signed_in_users_with_open_accounts() -> None:
    assert Client().get(PAGE).headers["Location"] == "/astakos/ui/login?next=%2Fastakos%2Fui%2Fprograms"
    user = make_user()
    client = signed_in(user)
    assert client.get(PAGE).status_code == 200
    modify_user(user.user_id, Changes(active=False))
    assert client.get(PAGE).status_code == 302
    assert signed_in(make_user("bob@example.org"), checks_csrf=True).post(PAGE, {"action": "make-key"}).status_code == 403
    assert Ec2Credential.objects.count() == 0


def test_a_new_credential_comes_with_files_that_work() -> None:
    user = make_user()
    client = signed_in(user)
    answer = make(client, project=user.uuid, days="30")
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    page = answer.content.decode()
    files = {name: base64.b64decode(text).decode() for name, text in re.findall(r'download="([^"]+)" href="data:[^,]+;base64,([^"]+)"', page)}
    assert set(files) == {"clouds.yaml", "openrc.sh", "rclone.conf"}
    stated = dict(part.split("=", 1) for part in shlex.split(files["openrc.sh"]) if "=" in part)
    secret = stated["OS_APPLICATION_CREDENTIAL_SECRET"]
    assert stated["OS_AUTH_URL"] == "http://testserver/astakos/identity/v3"
    block = {"id": stated["OS_APPLICATION_CREDENTIAL_ID"], "secret": secret}
    token = Http().post(f"{V3}/auth/tokens", {"auth": {"identity": {"methods": ["application_credential"], "application_credential": block}}})
    assert token.status_code == 201
    assert all(secret in text for text in files.values())
    listed = client.get(PAGE).content.decode()
    assert secret not in listed
    assert "backup" in listed
    assert AppCredential.objects.get().expires_at is not None
    client.post(PAGE, {"action": "delete", "id": block["id"]})
    assert AppCredential.objects.count() == 0


@pytest.mark.parametrize("fields", [
    {"name": ""}, {"name": "x" * 300}, {"project": "other"}, {"days": "0"}, {"days": "many"}, {"days": "99999999999"}, {"name": "a\x00b"},
])
def test_what_cannot_be_made_is_said_on_the_form(fields: dict[str, str]) -> None:
    user = make_user()
    answer = make(signed_in(user), **{"project": user.uuid, **fields})
    assert (answer.status_code, AppCredential.objects.count()) == (400, 0)
    assert b'role="alert"' in answer.content


def test_a_name_is_taken_once() -> None:
    user = make_user()
    client = signed_in(user)
    assert make(client, project=user.uuid).status_code == 200
    assert b"already have" in make(client, project=user.uuid).content


def test_names_are_not_markup() -> None:
    user = make_user()
    client = signed_in(user)
    make(client, project=user.uuid, name="<script>alert(1)</script>")
    assert b"<script>alert" not in client.get(PAGE).content


def test_keys_and_connected_programs() -> None:
    user = make_user()
    client = signed_in(user)
    assert client.post(PAGE, {"action": "make-key"}).status_code == 302
    key = Ec2Credential.objects.get()
    assert key.access in client.get(PAGE).content.decode()
    client.post(PAGE, {"action": "delete-key", "id": key.access})
    assert Ec2Credential.objects.count() == 0
    make_client(name="The wiki")
    token = exchange(Browser(user).code(scope="openid api")).json()["access_token"]
    assert b"The wiki" in client.get(PAGE).content
    stranger = signed_in(make_user("bob@example.org"))
    grant = OAuthGrant.objects.get()
    stranger.post(PAGE, {"action": "revoke", "id": str(grant.pk)})
    assert Http(token).get(f"{V3}/auth/catalog").status_code == 200
    client.post(PAGE, {"action": "revoke", "id": str(grant.pk)})
    assert Http(token).get(f"{V3}/auth/catalog").status_code == 401
    assert b"The wiki" not in client.get(PAGE).content.split(b'id="grants"')[1]


@pytest.mark.parametrize("form", [
    {"action": "x"}, {}, {"action": "revoke", "id": "x"}, {"action": "revoke", "id": "9" * 30}, {"action": "delete", "id": "nothing"},
    {"action": "delete-key", "id": "\u2603"},
])
def test_nonsense_does_no_harm(form: dict[str, str]) -> None:
    assert signed_in(make_user()).post(PAGE, form).status_code in {302, 400}


def test_a_new_password_ends_what_was_granted_for_the_session() -> None:
    user = make_user()
    make_client()
    token = exchange(Browser(user).code(scope="api")).json()["access_token"]
    lasting = exchange(Browser(user).code(scope="api offline_access")).json()["access_token"]
    modify_user(user.user_id, Changes(password="another long password"))
    assert Http(token).get(f"{V3}/auth/catalog").status_code == 401
    assert Http(lasting).get(f"{V3}/auth/catalog").status_code == 200


def test_every_page_has_one_heading_a_main_landmark_and_labels() -> None:
    user = make_user()
    make_client()
    browser = Browser(user)
    pages = [signed_in(user).get(PAGE), make(signed_in(user), project=user.uuid), browser.ask(), browser.ask(client_id="x"),
             browser.client.get("/astakos/ui/device", secure=True)]
    for answer in pages:
        text = answer.content.decode()
        assert text.count("<h1") == 1
        assert text.count("<main") == 1
        for field in re.findall(r'<(?:input|select)(?![^>]*type="hidden")[^>]*id="([^"]+)"', text):
            assert f'for="{field}"' in text, field
        assert "style=" not in text
        assert not re.search(r"<script(?![^>]*src=)", text)
