"""Sign-in by a real SAML identity provider in its own process: what is accepted, and every way to forge it that we know."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from synnefo.astakos.models import LoginMethod, User
from synnefo.common.settings import conf
from tests.support.identity import PASSWORD, make_user
from tests.support.openid_provider import query_of
from tests.support.saml_provider import OTHER_SERVICE, Person, SamlProvider, answer_of, saml_provider
from tests.support.sign_in import UI, form_fields, messages_of, signed_in_as, token_of

pytestmark = [pytest.mark.django_db(transaction=True),
              pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not installed")]
START = f"{UI}/login/saml"
RETURN = f"{START}/authenticated"
ANN = Person("ann", "ann's password", "ann-4711", {"mail": ["ann@uni.example"], "givenName": ["Ána"], "sn": ["Lee"], "eduPersonAffiliation": ["staff", "chess"]})
BOB = Person("bob", "bob's password", "bob-4712", {"mail": ["bob@uni.example"]})


@pytest.fixture(scope="module")
def provider() -> Iterator[SamlProvider]:
    previous = conf.override(ASTAKOS_IM_MODULES=["saml"], ASTAKOS_SAML_IDP_METADATA="/nonexistent")
    try:
        ours = Client().get(f"{START}/metadata").content.decode()
    finally:
        conf.override(**previous)
    with saml_provider(ours, ANN, BOB) as found:
        yield found


@pytest.fixture(autouse=True)
def _site(provider: SamlProvider, settings_override: Any) -> Iterator[None]:
    cache.clear()
    settings_override(ASTAKOS_IM_MODULES=["local", "saml"], ASTAKOS_SAML_IDP_METADATA=provider.metadata)
    yield
    cache.clear()


@pytest.fixture
def ann() -> User:
    user = make_user("ann@cloud.example", password=PASSWORD)
    LoginMethod.objects.create(user=user, module="saml", identifier=ANN.name_id)
    return user


def _post(client: Client, form: dict[str, str]) -> Any:
    """As a browser does: the foreign page's form comes without our cookies, the redirect that follows with them."""
    answer = Client().post(RETURN, form)
    assert answer.status_code in {302, 303}
    return client.get(answer.headers["Location"])


def _come(client: Client, person: Person = ANN, start: str = START, **lies: str) -> Any:
    return _post(client, answer_of(client.get(start).headers["Location"], person, **lies))


def test_a_person_signs_up_and_comes_back() -> None:
    client = Client()
    response = _come(client, start=f"{START}?next=/usage")
    fields = form_fields(messages_of(client.get(response.headers["Location"])))
    assert (fields["email"], fields["first_name"], fields["last_name"], fields["next"]) == ("ann@uni.example", "Ána", "Lee", "/usage")
    client.post(f"{UI}/signup", {"third_party_token": token_of(response), "email": "ann@uni.example"})
    user = User.objects.get()
    assert (user.login_methods.get().identifier, user.email_verified) == (ANN.name_id, False)


def test_a_known_person_signs_in(ann: User) -> None:
    client = Client()
    assert _come(client, start=f"{START}?next=/usage").headers["Location"] == "/usage"
    assert signed_in_as(client) == str(ann.pk)
    stranger = Client()
    _come(stranger, BOB)
    assert signed_in_as(stranger) is None


def test_attributes_may_make_groups_and_trusted_addresses(settings_override: Any) -> None:
    settings_override(ASTAKOS_SAML_TRUST_EMAIL=True, ASTAKOS_SAML_GROUPS_ATTRIBUTE="eduPersonAffiliation",
                      ASTAKOS_SAML_GROUP_MAP={"STAFF": "employees"}, ASTAKOS_AUTH_PROVIDER_SAML_MIRROR_GROUPS_POLICY=True)
    client = Client()
    response = _come(client)
    client.post(f"{UI}/signup", {"third_party_token": token_of(response), "email": "ann@uni.example"})
    user = User.objects.get()
    assert (user.is_active, signed_in_as(client)) == (True, str(user.pk))
    assert [group.name for group in user.groups.all()] == ["employees"]


@pytest.mark.parametrize("lie", [
    {"key": "1"}, {"unsigned": "assertion response"}, {"unsigned": "assertion"}, {"in_response_to": "id-of-another-request"}, {"weak": "1"},
    {"audience": OTHER_SERVICE},
], ids=str)
def test_answers_of_impostors_open_no_session(ann: User, lie: dict[str, str]) -> None:
    client = Client()
    response = _come(client, **lie)
    assert signed_in_as(client) is None
    assert response.status_code in {200, 302}


def _changed(form: dict[str, str], change: Any) -> dict[str, str]:
    document = base64.b64decode(form["SAMLResponse"]).decode()
    altered = change(document)
    assert altered != document
    return {**form, "SAMLResponse": base64.b64encode(altered.encode()).decode()}


def _wrapped(document: str) -> str:
    """A forged assertion beside the signed one, in its place."""
    assertion = re.search(r"<(\w+:)?Assertion\b.*</(\w+:)?Assertion>", document, re.DOTALL)
    assert assertion is not None
    forged = re.sub(r"<\w+:Signature\b.*?</\w+:Signature>", "", assertion[0], flags=re.DOTALL).replace(BOB.name_id, ANN.name_id)
    forged = re.sub(r'\bID="[^"]+"', 'ID="forged"', forged, count=1)
    return document.replace(assertion[0], forged + assertion[0])


@pytest.mark.parametrize("change", [
    lambda text: text.replace(BOB.name_id, ANN.name_id), lambda text: text.replace(BOB.name_id, f"{ANN.name_id}<!---->"),
    _wrapped, lambda text: text[: len(text) // 2], lambda text: re.sub(r"^(<[?].*?[?]>)?", r'\1<!DOCTYPE x [<!ENTITY e "x">]>', text, count=1),
    lambda _: "no XML at all",
], ids=range(6))
def test_changed_answers_open_no_session(ann: User, change: Any) -> None:
    client = Client()
    form = answer_of(client.get(START).headers["Location"], BOB)
    _post(client, _changed(form, change))
    assert signed_in_as(client) is None


def test_an_assertion_works_once_for_the_request_and_the_browser_that_asked(ann: User) -> None:
    client, thief = Client(), Client()
    form = answer_of(client.get(START).headers["Location"], ANN)
    back = Client().post(RETURN, form).headers["Location"]
    thief.get(back)
    assert signed_in_as(thief) is None, "the state is not of this browser's"
    client.get(back)
    assert signed_in_as(client) == str(ann.pk)
    client.logout()
    client.get(back)
    assert signed_in_as(client) is None, "the answer was collected before"
    client = Client()
    first = answer_of(client.get(START).headers["Location"], ANN)
    _post(client, first)
    assert signed_in_as(client) == str(ann.pk)
    fresh = Client()
    state = query_of(fresh.get(START).headers["Location"])["RelayState"]
    _post(fresh, first)
    _post(fresh, {**first, "RelayState": state})
    assert signed_in_as(fresh) is None


@pytest.mark.parametrize("form", [{}, {"SAMLResponse": "x"}, {"SAMLResponse": "x", "RelayState": "\x00"}, {"RelayState": "y" * 5000}], ids=range(4))
def test_answers_nobody_asked_for_are_refused(form: dict[str, str]) -> None:
    client = Client()
    assert client.post(RETURN, form).status_code == 302
    assert signed_in_as(client) is None


def test_requests_are_signed_when_there_is_a_key(tmp_path: Path, settings_override: Any, ann: User) -> None:
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=cloud", "-keyout",
                    str(tmp_path / "key"), "-out", str(tmp_path / "cert")], check=True, capture_output=True)
    assert "Signature" not in query_of(Client().get(START).headers["Location"])
    settings_override(ASTAKOS_SAML_SP_KEY=str(tmp_path / "key"), ASTAKOS_SAML_SP_CERTIFICATE=str(tmp_path / "cert"))
    assert "rsa-sha256" in query_of(Client().get(START).headers["Location"])["SigAlg"]
    described = Client().get(f"{START}/metadata").content.decode()
    assert 'AuthnRequestsSigned="true"' in described
    client = Client()
    _come(client, start=f"{START}?force")
    assert signed_in_as(client) == str(ann.pk)
    settings_override(ASTAKOS_SAML_SP_KEY="/nonexistent")
    assert "does not answer" in messages_of(client.get(Client().get(START).headers["Location"])) or client.get(f"{START}/metadata").status_code == 503


def test_metadata_come_from_a_file_or_an_address(provider: SamlProvider, settings_override: Any, ann: User) -> None:
    settings_override(ASTAKOS_SAML_IDP_METADATA=f"{provider.url}/metadata", ASTAKOS_SAML_IDP_ENTITY_ID=provider.entity)
    client = Client()
    _come(client)
    assert signed_in_as(client) == str(ann.pk)
    for source in ("/nonexistent", "http://192.0.2.1/metadata", "http://127.0.0.1:9/metadata"):
        settings_override(ASTAKOS_SAML_IDP_METADATA=source)
        fresh = Client()
        assert "does not answer" in messages_of(fresh.get(fresh.get(START).headers["Location"]))


def test_our_metadata_name_the_one_way_back() -> None:
    found = Client().get(f"{START}/metadata")
    assert found.headers["Content-Type"] == "application/samlmetadata+xml"
    assert 'entityID="http://testserver/astakos/ui/login/saml/metadata"' in found.content.decode()
    assert 'Location="http://testserver/astakos/ui/login/saml/authenticated"' in found.content.decode()
