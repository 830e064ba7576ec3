"""Passkeys against what browsers could send that they should not; the good ways are tested in a browser."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.test import Client

from synnefo.astakos.models import Passkey, User
from synnefo.astakos.services import passkeys
from tests.support.commands import run
from tests.support.identity import make_user

pytestmark = pytest.mark.django_db
UI = "/astakos/ui"
ODD = ["", "[]", "null", "{", '{"response": null}', '{"response": {}}', '{"response": {"id": "x", "rawId": "eA", "type": "public-key", "response": {}}}',
       '{"response": {"id": 1, "rawId": 2, "response": {"clientDataJSON": "e30", "authenticatorData": "AAAA", "signature": "AA"}}}', "[" * 5000]


@pytest.fixture
def user() -> User:
    return make_user(password="a quiet river in May")


def post(client: Client, path: str, body: str = "{}") -> Any:
    return client.post(f"{UI}/{path}", body, content_type="application/json", headers={"Accept": "application/json"})


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_odd_answers_of_browsers(user: User, body: str) -> None:
    client = Client()
    assert post(client, "login/passkey/begin").json()["publicKey"]["userVerification"] == "required"
    assert post(client, "login/passkey/use", body).status_code in {400, 401}
    assert post(client, "login/passkey/use", body).status_code == 400, "an exchange ends with its first answer"
    client.force_login(user)
    assert post(client, "security/passkeys/begin").status_code == 200
    assert post(client, "security/passkeys/add", body).status_code == 400
    assert not Passkey.objects.exists()


def test_only_who_has_just_signed_in_adds_one(user: User) -> None:
    assert post(Client(), "security/passkeys/begin").status_code == 302
    client = Client()
    client.force_login(user)
    session = client.session
    session["auth_time"] = int(time.time()) - 3600
    session.save()
    assert post(client, "security/passkeys/begin").status_code == 302
    asked = client.post(f"{UI}/security/passkeys/begin", "{}", content_type="application/json", headers={"Accept": "application/json", "X-CSRFToken": "x"})
    assert (asked.status_code, "force=" in asked.json()["sign_in"]) == (403, True)


def test_one_s_own_are_removed(user: User) -> None:
    mine = Passkey.objects.create(user=user, name="mine", credential_id="a", public_data=b"")
    theirs = Passkey.objects.create(user=make_user("bob@example.org"), name="theirs", credential_id="b", public_data=b"")
    client = Client()
    client.force_login(user)
    for number in (theirs.pk, "x", "9" * 30, mine.pk):
        client.post(f"{UI}/security/passkeys/remove", {"id": number})
    assert list(Passkey.objects.all()) == [theirs]
    assert "Second factor switched off" in run("user-modify", "--reset-2fa", "bob@example.org").err
    assert not Passkey.objects.exists()


def test_there_is_a_bound(user: User) -> None:
    Passkey.objects.bulk_create([Passkey(user=user, name="x", credential_id=str(number), public_data=b"") for number in range(passkeys.MOST)])
    client = Client()
    client.force_login(user)
    refused = post(client, "security/passkeys/begin")
    assert (refused.status_code, "at most" in json.loads(refused.content)["error"]) == (400, True)
