"""Identity v2.0, the account API and the object store's old login, over HTTP."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.cache import cache
from django.utils import timezone

from synnefo.astakos.models import ApiToken, User
from tests.support.identity import ACCOUNT, PASSWORD, V2, Http, make_token, make_user, register_catalog

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_throttle() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def _by_token(token: Any, **auth: Any) -> Any:
    return Http().post(f"{V2}/tokens", {"auth": {"token": {"id": token}, **auth}})


def _by_password(username: str, password: str, **auth: Any) -> Any:
    return Http().post(f"{V2}/tokens", {"auth": {"passwordCredentials": {"username": username, "password": password}, **auth}})


def test_without_a_body_the_catalog_is_public() -> None:
    register_catalog()
    access = Http().post(f"{V2}/tokens").json()["access"]
    assert set(access) == {"serviceCatalog"}
    compute, storage = access["serviceCatalog"]
    assert compute == {"name": "cyclades_compute", "type": "compute", "endpoints_links": [], "endpoints": [{
        "versionId": "v2.0", "publicURL": "http://testserver/cyclades/compute/v2.0", "SNF:exposeVersion": "True",
        "region": "default", "SNF:uiURL": ""}]}
    assert storage["endpoints"][0]["publicURL"] == "http://testserver/pithos/object-store/v1"


def test_a_token_is_echoed_with_its_user() -> None:
    register_catalog()
    user = make_user(first_name="Ann", last_name="Lee", groups=["helpdesk", "owner"])
    token = make_token(user)
    access = _by_token(token, tenantName=user.uuid).json()["access"]
    row = ApiToken.objects.get()
    assert access["token"] == {
        "id": token, "expires": row.expires_at.isoformat(), "issued_at": row.created_at.isoformat(),
        "tenant": {"id": user.uuid, "name": "Ann Lee", "enabled": True}}
    assert [role["name"] for role in access["user"].pop("roles")] == ["member", "helpdesk"]
    assert access["user"] == {"id": user.uuid, "name": "Ann Lee", "username": "ann@example.org", "roles_links": [],
                              "projects": [user.uuid]}
    assert access["serviceCatalog"][1]["endpoints"][0]["publicURL"] == "http://testserver/pithos/object-store/v1"
    assert ApiToken.objects.count() == 1


def test_a_password_is_exchanged_for_a_short_lived_token_and_expanded_urls() -> None:
    register_catalog()
    user = make_user(password=PASSWORD)
    access = _by_password("Ann@Example.org", PASSWORD).json()["access"]
    assert access["serviceCatalog"][1]["endpoints"][0]["publicURL"].endswith(f"/object-store/v1/{user.uuid}")
    issued = ApiToken.objects.get()
    assert (issued.kind, issued.expires_at - issued.created_at < datetime.timedelta(seconds=3601)) == ("issued", True)
    assert _by_token(access["token"]["id"]).status_code == 200


def test_a_uuid_with_a_token_as_password_is_the_old_convention() -> None:
    user, stranger = make_user(), make_user("bob@example.org")
    token = make_token(user)
    assert _by_password(user.uuid, token).json()["access"]["token"]["id"] == token
    refused = _by_password(stranger.uuid, token)
    assert (refused.status_code, refused.json()["unauthorized"]["message"]) == (401, "Invalid credentials")


@pytest.mark.parametrize(("body", "message"), [
    ({"auth": {}}, "Malformed request"), ({"auth": {"token": {}}}, "Malformed request: missing token"),
    ({"auth": {"token": {"id": None}}}, "Malformed request: missing token"), ({}, "Malformed request"),
    ({"auth": {"passwordCredentials": {"username": "x"}}}, "Malformed request"),
    ({"auth": {"passwordCredentials": {"username": "x", "password": 3}}}, "Malformed request"),
    ({"auth": "x"}, "Malformed request"), ([], "The request body must be a JSON object"),
    (b"{", "Could not decode request body as JSON"), (b"\xff", "Could not decode request body as JSON"),
])
def test_malformed_requests(body: Any, message: str) -> None:
    response = Http().post(f"{V2}/tokens", body)
    assert response.status_code == 400
    fault = response.json()["badRequest"]
    assert fault["message"].startswith(message)
    assert (fault["code"], fault["details"]) == (400, "")


@pytest.mark.parametrize("token", ["", "unknown", "x" * 1024, "\N{SNOWMAN}"])
def test_unknown_tokens(token: str) -> None:
    response = _by_token(token)
    assert (response.status_code, response.json()["unauthorized"]["message"]) == (401, "Invalid token")


def test_component_tokens_are_no_user_tokens() -> None:
    assert _by_token(register_catalog()["pithos"]).status_code == 401


def test_expired_tokens_and_closed_accounts() -> None:
    user = make_user()
    token = make_token(user)
    ApiToken.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert _by_token(token).json()["unauthorized"]["message"] == "Authentication expired"
    User.objects.update(is_active=False)
    assert _by_token(token).json()["unauthorized"]["message"] == "User inactive"
    assert Http(token).get(f"{V2}/tenants").status_code == 401


def test_foreign_tenants_do_not_conform() -> None:
    user, stranger = make_user(), make_user("bob@example.org")
    token = make_token(user)
    for tenant in ({"tenantName": stranger.uuid}, {"tenantId": stranger.uuid}, {"tenantName": "x"}, {"tenantId": "é"}):
        response = _by_token(token, **tenant)
        assert (response.status_code, response.json()["badRequest"]["message"]) == (400, "Not conforming tenantName")
    named = _by_token(token, tenantName=f"system:{user.uuid}").json()["access"]["token"]["tenant"]
    assert named == {"id": user.uuid, "name": f"system:{user.uuid}", "enabled": True}


@pytest.mark.parametrize(("path", "accept"), [("tokens?format=xml", ""), ("tokens.xml", ""), ("tokens", "application/xml")])
def test_xml_replies(path: str, accept: str) -> None:
    register_catalog()
    user = make_user(first_name="<Ann>", last_name="& Lee")
    response = Http().post(f"{V2}/{path}", {"auth": {"token": {"id": make_token(user)}}}, Accept=accept)
    assert response.headers["Content-Type"] == "application/xml; charset=UTF-8"
    root = ElementTree.fromstring(response.content)
    space = "{http://docs.openstack.org/identity/api/v2.0}"
    assert root.tag == f"{space}access"
    assert root.find(f"{space}user").attrib == {"id": user.uuid, "name": "<Ann> & Lee"}  # type: ignore[union-attr]
    assert len(root.findall(f"{space}serviceCatalog/{space}service")) == 2


def test_versions_tenants_and_endpoints() -> None:
    register_catalog()
    user = make_user()
    token = make_token(user)
    assert Http().get(f"{V2}/").json()["version"]["status"] == "SUPPORTED"
    assert Http(token).get(f"{V2}/tenants").json()["tenants"][0]["id"] == user.uuid
    assert len(Http(token).get(f"{V2}/tokens/{token}/endpoints").json()["endpoints"]) == 2
    assert Http(make_token(make_user("bob@example.org"))).get(f"{V2}/tokens/{token}/endpoints").status_code == 401
    assert Http().get(f"{V2}/tokens/{token}/endpoints").status_code == 401


@pytest.mark.parametrize(("method", "path", "status", "fault"), [
    ("GET", f"{V2}/tokens", 405, "notAllowed"), ("PUT", f"{V2}/tokens/", 405, "notAllowed"),
    ("GET", f"{V2}/tokens/some-token", 404, "itemNotFound"), ("POST", f"{V2}/tokens/some-token", 405, "notAllowed"),
    ("GET", f"{V2}/nothing", 400, "badRequest"), ("POST", f"{ACCOUNT}/nothing", 400, "badRequest"),
    ("GET", "/astakos/account", 400, "badRequest"), ("GET", f"{ACCOUNT}/user_catalogs", 405, "notAllowed"),
])
def test_what_is_not_offered(method: str, path: str, status: int, fault: str) -> None:
    response = Http(make_token(make_user())).call(method, path)
    assert (response.status_code, list(response.json())) == (status, [fault])
    assert ("Allow" in response.headers) == (status == 405)


def test_names_and_uuids_for_users() -> None:
    ann, bob = make_user(), make_user("bob@example.org")
    api = Http(make_token(ann))
    body = {"uuids": [ann.uuid, "none", "é"], "displaynames": ["BOB@example.org", "bob@example.org", "x"]}
    assert api.post(f"{ACCOUNT}/user_catalogs", body).json() == {
        "uuid_catalog": {ann.uuid: "ann@example.org"},
        "displayname_catalog": {"BOB@example.org": bob.uuid, "bob@example.org": bob.uuid}}
    assert api.post(f"{ACCOUNT}/user_catalogs/", {"uuids": None}).json() == {"uuid_catalog": {}, "displayname_catalog": {}}
    assert api.post(f"{ACCOUNT}/service/user_catalogs", body).status_code == 401


@pytest.mark.parametrize("body", [[], {"uuids": "x"}, {"uuids": [1]}, {"displaynames": None}, {"displaynames": [None]},
                                  {"uuids": ["a\u0000b"]}])
def test_bad_name_lookups(body: Any) -> None:
    assert Http(make_token(make_user())).post(f"{ACCOUNT}/user_catalogs", body).status_code == 400


def test_name_lookups_are_bounded(settings_override: Any, django_assert_max_num_queries: Any) -> None:
    api = Http(make_token(make_user()))
    many = [f"user{number}@example.org" for number in range(1000)]
    api.post(f"{ACCOUNT}/user_catalogs", {})
    with django_assert_max_num_queries(3):
        assert api.post(f"{ACCOUNT}/user_catalogs", {"displaynames": many}).status_code == 200
    settings_override(ASTAKOS_CATALOG_MAX=999)
    assert api.post(f"{ACCOUNT}/user_catalogs", {"displaynames": many}).status_code == 413


def test_services_may_ask_for_everybody() -> None:
    api = Http(register_catalog()["cyclades"])
    ann, bob = make_user(), make_user("bob@example.org")
    response: Any = api.post(f"{ACCOUNT}/service/user_catalogs", {"uuids": None, "displaynames": [bob.email]})
    assert json.loads(b"".join(response.streaming_content)) == {
        "uuid_catalog": {ann.uuid: ann.email, bob.uuid: bob.email}, "displayname_catalog": {bob.email: bob.uuid}}
    assert api.post(f"{ACCOUNT}/service/user_catalogs", {"uuids": [ann.uuid]}).json()["uuid_catalog"] == {ann.uuid: ann.email}
    assert Http(make_token(ann)).post(f"{ACCOUNT}/service/user_catalogs", {"uuids": None}).status_code == 401
    assert api.post(f"{ACCOUNT}/service/user_catalogs", {"uuids": False, "displaynames": None}).status_code == 400


def test_the_older_way_to_learn_who_a_token_is() -> None:
    user = make_user(first_name="Ann")
    token = make_token(user)
    answer = Http(token).get(f"{ACCOUNT}/authenticate").json()
    assert (answer["uniq"], answer["email"], answer["auth_token"]) == (user.uuid, ["ann@example.org"], token)
    assert Http("x").get(f"{ACCOUNT}/authenticate").status_code == 401
    bearer = Http().get(f"{ACCOUNT}/authenticate", Authorization=f"Bearer {token}")
    assert bearer.json()["uuid"] == user.uuid


def test_a_user_manages_his_tokens() -> None:
    api = Http(make_token(make_user()))
    made = api.post(f"{ACCOUNT}/myaccount/tokens", {"name": "laptop", "expires_in_days": 2})
    assert made.status_code == 201
    value, key = made.json()["token"]["value"], made.json()["token"]["id"]
    listed = api.get(f"{ACCOUNT}/myaccount/tokens").json()["tokens"]
    assert [item["name"] for item in listed] == ["laptop", "test"]
    assert value not in json.dumps(listed)
    assert Http(value).get(f"{ACCOUNT}/myaccount").json()["email"] == "ann@example.org"
    other = Http(make_token(make_user("bob@example.org")))
    assert other.call("DELETE", f"{ACCOUNT}/myaccount/tokens/{key}").status_code == 404
    assert api.call("DELETE", f"{ACCOUNT}/myaccount/tokens/{key}").status_code == 204
    assert api.call("DELETE", f"{ACCOUNT}/myaccount/tokens/{key}").status_code == 404
    assert Http(value).get(f"{ACCOUNT}/myaccount").status_code == 401
    for bad in ({"name": 3}, {"expires_in_days": 0}, {"expires_in_days": 1e9}, {"name": "x" * 200}, {"expires_in_days": float("nan")}):
        assert api.post(f"{ACCOUNT}/myaccount/tokens", bad).status_code == 400
    assert len(api.get(f"{ACCOUNT}/myaccount/tokens").json()["tokens"]) == 1


def test_the_old_login_of_the_object_store() -> None:
    register_catalog()
    user = make_user()
    token = make_token(user)
    response = Http().get("/astakos/auth/v1.0", **{"X-Auth-User": f"account:{user.email}", "X-Auth-Key": token})
    assert response.status_code == 200
    assert response.headers["X-Storage-Url"] == f"http://testserver/pithos/swift/v1/AUTH_{user.uuid}"
    assert Http(response.headers["X-Auth-Token"]).get(f"{V2}/tenants").status_code == 200
    assert 3500 < int(response.headers["X-Auth-Token-Expires"]) <= 3600
    assert Http().get("/astakos/auth/v1.0", **{"X-Auth-User": user.email, "X-Auth-Key": "wrong"}).status_code == 401
    assert Http().get("/astakos/auth/v1.0").status_code == 401
