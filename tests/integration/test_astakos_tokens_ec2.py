"""EC2-style keys: made and shown to their user, and the check of what they signed, as Keystone's own client signs."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
from typing import Any

import pytest
from django.utils import timezone
from keystoneclient.contrib.ec2.utils import Ec2Signer

from synnefo.astakos.models import Ec2Credential
from synnefo.astakos.services import signatures
from synnefo.astakos.services.user_changes import Changes, modify_user
from tests.support.identity import ACCOUNT, V3, Http, make_token, make_user, register_catalog, v3_token

pytestmark = pytest.mark.django_db


class Keys:
    def __init__(self) -> None:
        self.user = make_user()
        self.api = Http(make_token(self.user))
        self.path = f"{V3}/users/{self.user.uuid}/credentials/OS-EC2"
        self.service = Http(register_catalog()["pithos"])

    def make(self) -> dict[str, str]:
        response = self.api.post(self.path, {"tenant_id": self.user.uuid})
        assert response.status_code == 201, response.content
        found: dict[str, str] = response.json()["credential"]
        return found


def signed(key: dict[str, str], version: str, minutes_ago: int = 0) -> dict[str, Any]:
    """A request as the stock client signs it."""
    moment = timezone.now() - datetime.timedelta(minutes=minutes_ago)
    date = moment.strftime("%Y%m%d")
    request: dict[str, Any] = {"access": key["access"], "verb": "GET", "host": "s3.example.org", "path": "/bucket", "headers": {},
                               "params": {"Action": "List", "b": "ü *~/"}, "body_hash": hashlib.sha256(b"").hexdigest()}
    if version == "2":
        request["params"] |= {"SignatureVersion": "2", "Timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "AWSAccessKeyId": key["access"], "SignatureMethod": "HmacSHA256"}
    else:
        request["headers"] = {
            "Host": "s3.example.org", "X-Amz-Date": moment.strftime("%Y%m%dT%H%M%SZ"),
            "Authorization": f"AWS4-HMAC-SHA256 Credential={key['access']}/{date}/default/s3/aws4_request, SignedHeaders=host;x-amz-date, "
                             "Signature=x"}
    return {**request, "signature": Ec2Signer(key["secret"]).generate(request)}


def test_keys_are_made_shown_and_deleted() -> None:
    keys = Keys()
    made = keys.make()
    assert (len(made["access"]), len(made["secret"]), made["tenant_id"], made["trust_id"]) == (20, 40, keys.user.uuid, None)
    assert made["secret"] not in str(Ec2Credential.objects.values().get())
    assert keys.api.get(keys.path).json()["credentials"] == [made]
    assert keys.api.get(f"{keys.path}/{made['access']}").json()["credential"] == made
    assert keys.service.get(f"{keys.path}/{made['access']}").json()["credential"] == made
    stranger = Http(make_token(make_user("bob@example.org")))
    for method, path in (("GET", keys.path), ("GET", f"{keys.path}/{made['access']}"), ("DELETE", f"{keys.path}/{made['access']}")):
        assert stranger.call(method, path).status_code == 403
    assert keys.service.get(keys.path).status_code == 401
    assert keys.api.call("DELETE", f"{keys.path}/{made['access']}").status_code == 204
    assert keys.api.get(f"{keys.path}/{made['access']}").status_code == 404


@pytest.mark.parametrize("body", [{"tenant_id": "00000000-0000-0000-0000-000000000000"}, {"tenant_id": 5}, [], "x"])
def test_bad_keys(body: Any) -> None:
    keys = Keys()
    assert keys.api.post(keys.path, body).status_code == 400


@pytest.mark.parametrize("version", ["2", "4"])
def test_a_request_that_was_signed_gives_a_token(version: str) -> None:
    keys = Keys()
    made = keys.make()
    body = signed(made, version)
    answer = keys.service.post(f"{V3}/ec2tokens", {"credentials": body})
    assert answer.status_code == 200, answer.content
    token = answer.json()["token"]
    assert (token["user"]["id"], token["project"]["id"], token["methods"]) == (keys.user.uuid, keys.user.uuid, ["ec2credential"])
    assert Http(answer.headers["X-Subject-Token"]).get(f"{V3}/auth/catalog").status_code == 200
    assert keys.service.post(f"{V3}/ec2tokens", {"ec2Credentials": body}).status_code == 200
    for change in ({"path": "/other"}, {"signature": "x"}, {"signature": "\N{SNOWMAN}"}, {"access": "A" * 20}, {"verb": "PUT"}):
        assert keys.service.post(f"{V3}/ec2tokens", {"credentials": {**body, **change}}).status_code == 401, change


@pytest.mark.parametrize("version", ["2", "4"])
def test_old_signatures_are_refused(version: str) -> None:
    keys = Keys()
    assert keys.service.post(f"{V3}/ec2tokens", {"credentials": signed(keys.make(), version, minutes_ago=16)}).status_code == 401


@pytest.mark.parametrize("change", [
    {"params": {"SignatureVersion": "1"}}, {"params": {}}, {"params": {"SignatureVersion": "2", "SignatureMethod": "md5"}},
    {"headers": {"Authorization": "AWS4-HMAC-SHA256 x"}}, {"headers": {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host"}},
    {"headers": {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20990101/r/s3/aws4_request, SignedHeaders=host", "X-Amz-Date": "2026"}},
    {"params": 5}, {"access": None},
])
def test_malformed_signatures(change: dict[str, Any]) -> None:
    keys = Keys()
    body = {**signed(keys.make(), "2"), **change}
    assert keys.service.post(f"{V3}/ec2tokens", {"credentials": body}).status_code == 400
    assert keys.service.post(f"{V3}/ec2tokens", {}).status_code == 400


def test_strings_to_sign_of_s3() -> None:
    keys = Keys()
    made = keys.make()
    old = "GET\n\n\nThu, 17 Nov 2005 18:49:58 GMT\n/bucket"
    sha1 = base64.b64encode(hmac.new(made["secret"].encode(), old.encode(), hashlib.sha1).digest()).decode()
    new = f"AWS4-HMAC-SHA256\n20261124T120000Z\n20261124/default/s3/aws4_request\n{'0' * 64}"
    sha256 = hmac.new(signatures.signing_key(made["secret"], "20261124", "default", "s3"), new.encode(), hashlib.sha256).hexdigest()
    for text, signature in ((old, sha1), (new, sha256)):
        body = {"access": made["access"], "token": base64.b64encode(text.encode()).decode(), "signature": signature}
        assert keys.service.post(f"{V3}/s3tokens", {"credentials": body}).status_code == 200
        assert keys.service.post(f"{V3}/s3tokens", {"credentials": {**body, "signature": sha1[:-1]}}).status_code == 401
        assert keys.service.post(f"{V3}/s3tokens", {"credentials": {**body, "token": "%%"}}).status_code == 400
        assert keys.api.post(f"{V3}/s3tokens", {"credentials": body}).status_code == 401


def test_a_service_gets_the_key_of_a_day_and_never_the_secret() -> None:
    keys = Keys()
    made = keys.make()
    asked = {"access": made["access"], "date": "20261124", "region": "default"}
    answer = keys.service.post(f"{ACCOUNT}/service/signing_keys", asked).json()
    assert answer["key"] == signatures.signing_key(made["secret"], "20261124", "default", "s3").hex()
    assert (answer["user_id"], answer["project_id"], answer["project_ids"]) == (keys.user.uuid, keys.user.uuid, [keys.user.uuid])
    assert keys.service.post(f"{ACCOUNT}/service/signing_keys", {**asked, "date": "today"}).status_code == 400
    assert keys.service.post(f"{ACCOUNT}/service/signing_keys", {**asked, "access": "X"}).status_code == 401
    assert keys.api.post(f"{ACCOUNT}/service/signing_keys", asked).status_code == 401
    modify_user(keys.user.user_id, Changes(active=False))
    assert keys.service.post(f"{ACCOUNT}/service/signing_keys", asked).status_code == 401
    assert keys.service.post(f"{V3}/ec2tokens", {"credentials": signed(made, "4")}).status_code == 401


def test_keys_made_by_an_application_credential_end_with_it() -> None:
    keys = Keys()
    scoped = Http(Http().post(f"{V3}/auth/tokens", v3_token(keys.api.token)).headers["X-Subject-Token"])
    path = f"{V3}/users/{keys.user.uuid}/application_credentials"
    found = {}
    for name in ("free", "held"):
        made = scoped.post(path, {"application_credential": {"name": name, "unrestricted": name == "free"}}).json()["application_credential"]
        answer = Http().post(f"{V3}/auth/tokens", {"auth": {"identity": {
            "methods": ["application_credential"], "application_credential": {"id": made["id"], "secret": made["secret"]}}}})
        found[name] = (made["id"], Http(answer.headers["X-Subject-Token"]))
    for call in (found["held"][1].post(keys.path, {}), found["held"][1].get(keys.path)):
        assert call.status_code == 403
    key = found["free"][1].post(keys.path, {}).json()["credential"]
    assert keys.service.post(f"{V3}/ec2tokens", {"credentials": signed(key, "4")}).status_code == 200
    assert scoped.call("DELETE", f"{path}/{found['free'][0]}").status_code == 204
    assert keys.service.post(f"{V3}/ec2tokens", {"credentials": signed(key, "4")}).status_code == 401
