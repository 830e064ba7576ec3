"""Sign-in by a real directory (OpenLDAP): who gets in, who does not, what never reaches it, and which groups follow."""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from synnefo.astakos.models import Group, LoginMethod, User
from synnefo.astakos.services import providers
from synnefo.common.settings import conf
from tests.support import directory_server as server
from tests.support.identity import PASSWORD, make_user
from tests.support.sign_in import UI, form_fields, messages_of, signed_in_as, token_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not server.is_installed(), reason="OpenLDAP (slapd, ldap-utils) is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("ldap") is None, reason="python-ldap is not installed (requirements/ldap.lock)"),
]
LDAP = f"{UI}/login/ldap"
GUID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
SECRET = "a directory's password"


@pytest.fixture(scope="module")
def directory() -> Iterator[server.Directory]:
    with server.directory_server() as found:
        found.add("ann", SECRET, mail="Ann@Example.org", first="Ána", last="Lée", guid=GUID)
        found.add("bob", "bob's own", mail="bob@example.org", first="Bob", last="Ray", guid=uuid.uuid4())
        found.add("weird (name)*", SECRET, mail="weird@example.org", guid=uuid.uuid4())
        found.add("no guid", SECRET, mail="noguid@example.org")
        yield found


@pytest.fixture(autouse=True)
def _site(directory: server.Directory, settings_override: Any) -> Iterator[None]:
    cache.clear()
    settings_override(
        ASTAKOS_IM_MODULES=["local", "ldap"], AUTH_LDAP_SERVER_URI=directory.uri, AUTH_LDAP_BIND_DN=server.SERVICE,
        AUTH_LDAP_BIND_PASSWORD=server.SERVICE_PASSWORD, AUTH_LDAP_USER_SEARCH=(f"ou=people,{server.BASE}", "subtree", "(uid=%(user)s)"),
        AUTH_LDAP_GROUP_SEARCH=(f"ou=groups,{server.BASE}", "subtree", "(member=%(dn)s)"), ASTAKOS_RATELIMIT_RETRIES_ALLOWED=50)
    yield
    cache.clear()


def _sign_in(client: Client, username: str = "ann", password: str = SECRET, path: str = LDAP, **more: str) -> Any:
    return client.post(path, {"username": username, "password": password, **more})


def _known(identifier: str = str(GUID), **options: Any) -> User:
    user = make_user("ann@cloud.example", **options)
    LoginMethod.objects.create(user=user, module="ldap", identifier=identifier)
    return user


def test_the_entry_becomes_an_account_by_its_guid() -> None:
    client = Client()
    assert 'name="password"' in messages_of(client.get(LDAP))
    response = _sign_in(client, "ANN")
    fields = form_fields(messages_of(client.get(response.headers["Location"])))
    assert (fields["email"], fields["first_name"], fields["last_name"]) == ("ann@example.org", "Ána", "Lée")
    client.post(f"{UI}/signup", {"third_party_token": token_of(response), "email": "ann@example.org"})
    assert LoginMethod.objects.get().identifier == "00112233-4455-6677-8899-aabbccddeeff"


def test_a_known_entry_signs_in_and_goes_where_it_wanted() -> None:
    user = _known()
    client = Client()
    response = _sign_in(client, next="/usage")
    assert (response.headers["Location"], signed_in_as(client)) == ("/usage", str(user.pk))


@pytest.mark.parametrize(("username", "password"), [
    ("ann", "wrong"), ("nobody", SECRET), ("ann", SECRET.upper()), ("*", SECRET), ("ann)(uid=*", SECRET), ("a*", SECRET),
    ("\N{SNOWMAN}", SECRET), ("ann\\2a", SECRET), ("x" * 254, SECRET), (f"cn=ann,ou=people,{server.BASE}", SECRET),
])
def test_wrong_names_and_passwords_get_one_answer(username: str, password: str) -> None:
    _known()
    client = Client()
    response = _sign_in(client, username, password)
    assert response.status_code == 401
    assert "The username or the password is wrong." in messages_of(response)
    assert signed_in_as(client) is None


@pytest.mark.parametrize(("username", "password"), [("ann", ""), ("", SECRET), ("ann\x00", SECRET), ("ann", "x" * 2000), ("y" * 300, SECRET)])
def test_what_is_no_password_never_reaches_the_directory(username: str, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """This directory would answer a name with an empty password by success."""
    import ldap

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the directory was asked")

    monkeypatch.setattr(ldap, "initialize", never)
    assert _sign_in(Client(), username, password).status_code == 400
    from synnefo.astakos.handshakes import directory as adapter

    with pytest.raises(adapter.WrongPassword):
        adapter.verify(username if username != "ann\x00" else "", password if username == "ann" else "")


def test_names_are_searched_for_as_text() -> None:
    assert token_of(_sign_in(Client(), "weird (name)*"))


def test_an_entry_without_the_identifying_attribute_is_told_whom_to_ask(settings_override: Any) -> None:
    settings_override(CONTACT_EMAIL="help@cloud.example")
    client = Client()
    page = client.get(_sign_in(client, "no guid").headers["Location"])
    assert "did not tell your identifier" in messages_of(page)
    assert "help@cloud.example" in messages_of(page)


def test_wrong_passwords_make_people_wait_whichever_form_they_use(settings_override: Any) -> None:
    settings_override(ASTAKOS_RATELIMIT_RETRIES_ALLOWED=3)
    client = Client()
    for _ in range(3):
        assert _sign_in(client, "ann", "wrong").status_code == 401
    response = _sign_in(client, "ann", SECRET)
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0
    assert signed_in_as(client) is None
    local = client.post(f"{UI}/login", {"username": "ann", "password": PASSWORD})
    assert local.status_code == 429


def test_passwords_travel_by_tls(directory: server.Directory, settings_override: Any) -> None:
    user = _known()
    settings_override(AUTH_LDAP_SERVER_URI="ldap://192.0.2.1", AUTH_LDAP_TIMEOUT=1)
    client = Client()
    page = messages_of(client.get(_sign_in(client).headers["Location"]))
    assert "does not answer" in page, "no plain connection to another host is even tried"
    settings_override(AUTH_LDAP_SERVER_URI=directory.secure_uri)
    _sign_in(client)
    assert signed_in_as(client) is None, "nobody vouches for its certificate"
    settings_override(AUTH_LDAP_CA_FILE=directory.ca_file)
    _sign_in(client)
    assert signed_in_as(client) == str(user.pk)
    other = Client()
    settings_override(AUTH_LDAP_SERVER_URI=directory.uri, AUTH_LDAP_START_TLS=True)
    _sign_in(other)
    assert signed_in_as(other) == str(user.pk)


def test_a_directory_that_is_down_or_misconfigured_is_nobody_s_wrong_password(settings_override: Any) -> None:
    _known()
    for change in ({"AUTH_LDAP_BIND_PASSWORD": "wrong"}, {"AUTH_LDAP_SERVER_URI": f"ldap://127.0.0.1:{server.free_port()}"},
                   {"AUTH_LDAP_USER_SEARCH": ("ou=nowhere,dc=example", "subtree", "(uid=%(user)s)")}):
        settings_override(**change)
        client = Client()
        page = messages_of(client.get(_sign_in(client).headers["Location"]))
        assert signed_in_as(client) is None
        assert "does not answer" in page


def test_a_template_finds_the_entry_without_a_search(settings_override: Any) -> None:
    user = _known()
    settings_override(AUTH_LDAP_USER_SEARCH=None, AUTH_LDAP_USER_DN_TEMPLATE=f"cn=%(user)s,ou=people,{server.BASE}")
    client = Client()
    assert _sign_in(client, "ann,ou=people").status_code == 401
    _sign_in(client)
    assert signed_in_as(client) == str(user.pk)


def test_a_signed_in_user_adds_his_entry() -> None:
    user = make_user("cid@cloud.example", password=PASSWORD)
    client = Client()
    assert f"{UI}/login?next=" in client.get(f"{LDAP}/add").headers["Location"]
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert "to add it to cid@cloud.example" in messages_of(client.get(f"{LDAP}/add"))
    assert _sign_in(client, path=f"{LDAP}/add").headers["Location"] == f"{UI}/profile"
    assert user.login_methods.get(module="ldap").identifier == str(GUID)


def test_mirrored_groups_are_those_of_the_map_and_no_others(directory: server.Directory, settings_override: Any) -> None:
    user = _known()
    for name in ("admin", "own choice", "crew"):
        user.groups.add(Group.objects.get_or_create(name=name)[0])
    directory.add_group("Physics", "ann")
    directory.add_group("admin", "ann")
    settings_override(ASTAKOS_AUTH_PROVIDER_LDAP_MIRROR_GROUPS_POLICY=True, ASTAKOS_LDAP_GROUP_MAP={
        "physics": "scientists", f"cn=ships,ou=groups,{server.BASE}": "crew"})

    def groups() -> set[str]:
        return set(user.groups.values_list("name", flat=True))

    try:
        _sign_in(Client())
        assert groups() == {"scientists", "admin", "own choice"}
        directory.remove_group("Physics")
        directory.add_group("ships", "ann", "bob")
        _sign_in(Client())
        assert groups() == {"crew", "admin", "own choice"}
        settings_override(ASTAKOS_LDAP_GROUP_MAP={})
        _sign_in(Client())
        assert groups() == {"crew", "admin", "own choice"}, "without a map nothing is touched"
    finally:
        for name in ("admin", "ships"):
            directory.remove_group(name)


def test_without_the_library_the_method_does_not_exist_and_start_up_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "ldap" else real(name, *more))
    assert Client().get(LDAP).status_code == 404
    assert [problem for problem in providers.problems() if "python-ldap" in problem]
    assert "ldap" in conf.ASTAKOS_IM_MODULES
