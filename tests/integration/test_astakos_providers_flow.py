"""Sign-in, sign-up and linking by another provider, driven through the header mode of Shibboleth."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from synnefo.astakos.models import AuditRecord, AuthPolicyProfile, Group, LoginMethod, PendingIdentity, QueuedMail, User
from synnefo.astakos.services import login_methods
from synnefo.astakos.services.user_changes import Changes, modify_user
from synnefo.common.errors import StateConflict
from tests.support.commands import run
from tests.support.identity import PASSWORD, make_user
from tests.support.sign_in import PROXY, UI, form_fields, institution, messages_of, sign_up, signed_in_as, token_of

pytestmark = pytest.mark.django_db(transaction=True)
KNOWN = "https://idp.example.org!sp!ann-1"


@pytest.fixture(autouse=True)
def _site(settings_override: Any) -> Iterator[None]:
    cache.clear()
    settings_override(ASTAKOS_IM_MODULES=["local", "shibboleth"], TRUSTED_PROXIES=[PROXY])
    yield
    cache.clear()


def _linked(email: str = "ann@example.org", identifier: str = KNOWN, **options: Any) -> User:
    user = make_user(email, **options)
    LoginMethod.objects.create(user=user, module="shibboleth", identifier=identifier)
    return user


def test_headers_are_believed_only_from_our_own_front_end(settings_override: Any) -> None:
    _linked()
    client = Client()
    page = client.get(institution(client, KNOWN, peer="198.51.100.9").headers["Location"])
    assert signed_in_as(client) is None
    assert "did not sign you in" in messages_of(page)
    settings_override(ASTAKOS_SHIBBOLETH_SHARED_SECRET="between us")
    institution(client, KNOWN, peer="198.51.100.9", X_Shibboleth_Secret="guess")
    assert signed_in_as(client) is None
    institution(client, KNOWN, peer="198.51.100.9", X_Shibboleth_Secret="between us")
    assert signed_in_as(client) is not None


def test_an_empty_shared_secret_opens_nothing() -> None:
    _linked()
    client = Client()
    institution(client, KNOWN, peer="198.51.100.9", X_Shibboleth_Secret="")
    assert signed_in_as(client) is None


def test_a_known_identity_signs_in_and_goes_where_it_wanted() -> None:
    user = _linked()
    client = Client()
    response = institution(client, KNOWN, path=f"{UI}/login/shibboleth?next=/usage", Shib_EP_Affiliation="member@x", Shib_Thing="y")
    assert (response.status_code, response.headers["Location"]) == (302, "/usage")
    assert signed_in_as(client) == str(user.pk)
    method = LoginMethod.objects.get(module="shibboleth")
    assert method.affiliation == "member@x"
    assert (method.info["Shib-EP-Affiliation"], method.info["Shib-Thing"]) == ("member@x", "y")
    evil = institution(Client(), KNOWN, path=f"{UI}/login/shibboleth?next=https://evil.example/")
    assert "evil" not in evil.headers["Location"]


@pytest.mark.parametrize("close", ["inactive", "policy", "module"])
def test_closed_ways_open_no_session(close: str, settings_override: Any) -> None:
    user = _linked()
    if close == "inactive":
        modify_user(user.user_id, Changes(active=False, inactive_reason="unpaid bill"))
    elif close == "policy":
        AuthPolicyProfile.objects.create(name="no", provider="shibboleth", policy_login=False).users.add(user)
    else:
        settings_override(ASTAKOS_IM_MODULES=["local"])
    client = Client()
    response = institution(client, KNOWN)
    assert signed_in_as(client) is None
    if close == "module":
        assert response.status_code == 404
    else:
        page = messages_of(client.get(response.headers["Location"]))
        assert ("unpaid bill" if close == "inactive" else "switched off") in page
        assert LoginMethod.objects.get(module="shibboleth").last_login_at is None


def test_without_remote_user_the_visitor_learns_whom_to_ask(settings_override: Any) -> None:
    settings_override(CONTACT_EMAIL="help@cloud.example")
    client = Client()
    page = client.get(institution(client, "").headers["Location"])
    assert "testserver" in messages_of(page)
    assert "help@cloud.example" in messages_of(page)


def test_a_stranger_signs_up_with_what_the_institution_told() -> None:
    client = Client()
    response = institution(client, KNOWN, Shib_Mail="Ann@Uni.example", Shib_InetOrgPerson_displayName="Ána María Lee".encode().decode("latin-1"),
                           Shib_InetOrgPerson_givenName="Other")
    token = token_of(response)
    page = messages_of(client.get(response.headers["Location"]))
    fields = form_fields(page)
    assert (fields["email"], fields["first_name"], fields["last_name"]) == ("ann@uni.example", "Ána", "María Lee")
    done = client.post(f"{UI}/signup", {"third_party_token": token, "email": "private@example.org", "first_name": "Ann", "last_name": "L"})
    assert done.status_code == 302
    user = User.objects.get()
    assert (user.email, user.first_name, user.email_verified, user.has_usable_password()) == ("private@example.org", "Ann", False, False)
    assert (user.affiliation, LoginMethod.objects.get().identifier) == ("Shibboleth", KNOWN)
    assert not PendingIdentity.objects.exists()
    again = client.post(f"{UI}/signup", {"third_party_token": token, "email": "b@example.org"})
    assert (again.status_code, User.objects.count()) == (404, 1), "a token works once"


def test_a_token_is_for_one_browser_and_one_hour_and_only_the_last_one_works() -> None:
    client = Client()
    first, second = token_of(institution(client, KNOWN)), token_of(institution(client, KNOWN))
    assert PendingIdentity.objects.count() == 1
    assert client.get(f"{UI}/signup", {"third_party_token": first}).status_code == 404
    assert Client().get(f"{UI}/signup", {"third_party_token": second}).status_code == 404
    assert client.get(f"{UI}/signup", {"third_party_token": second}).status_code == 200
    PendingIdentity.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert client.get(f"{UI}/signup", {"third_party_token": second}).status_code == 404
    assert client.post(f"{UI}/signup", {"third_party_token": second, "email": "a@example.org"}).status_code == 404
    assert client.post(f"{UI}/signup", {"third_party_token": "", "email": "a@example.org"}).status_code == 404
    assert not User.objects.exists()


@pytest.mark.parametrize(("email", "status"), [("no mail", 400), ("", 400), ("a\x00@example.org", 400), ("x" * 300 + "@example.org", 400),
                                               ("taken@example.org", 409)])
def test_wrong_input_at_sign_up_leaves_the_token_usable(email: str, status: int) -> None:
    make_user("taken@example.org", password=PASSWORD)
    client = Client()
    token = token_of(institution(client, KNOWN))
    response = client.post(f"{UI}/signup", {"third_party_token": token, "email": email})
    assert (response.status_code, User.objects.count()) == (status, 1)
    assert client.get(f"{UI}/signup", {"third_party_token": token}).status_code == 200


def test_new_people_may_be_refused(settings_override: Any) -> None:
    client = Client()
    token = token_of(institution(client, KNOWN))
    settings_override(ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_CREATE_POLICY=False)
    assert client.get(f"{UI}/signup", {"third_party_token": token}).status_code == 403
    assert client.post(f"{UI}/signup", {"third_party_token": token, "email": "a@example.org"}).status_code == 403
    page = messages_of(client.get(institution(client, KNOWN).headers["Location"]))
    assert "does not accept new users" in page
    assert not User.objects.exists()


def test_the_provider_s_own_e_mail_may_count_as_verified_and_groups_come_along(settings_override: Any) -> None:
    settings_override(ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_AUTOVERIFY_POLICY=True, ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_AUTOMODERATE_POLICY=True,
                      ASTAKOS_MODERATION_ENABLED=True, ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_CREATION_GROUPS_POLICY=["founders"],
                      ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_ADD_GROUPS_POLICY=["academics"])
    client, other = Client(), Client()
    response = sign_up(client, KNOWN, "ann@uni.example", Shib_Mail="ann@uni.example")
    user = User.objects.get()
    assert (user.is_active, user.accepted_policy) == (True, "auth_provider_shibboleth")
    assert signed_in_as(client) == str(user.pk)
    assert response.headers["Location"] == "/"
    assert set(user.groups.values_list("name", flat=True)) == {"founders", "academics"}
    sign_up(other, "someone else", "elsewhere@example.org", Shib_Mail="bob@uni.example")
    assert not User.objects.get(email="elsewhere@example.org").email_verified, "only the provider's own address is believed"
    assert signed_in_as(other) is None


def test_a_sign_up_replaces_one_that_was_never_confirmed() -> None:
    sign_up(Client(), KNOWN, "first@example.org")
    old = User.objects.get()
    client = Client()
    response = institution(client, KNOWN)
    assert "did not confirm your e-mail" in messages_of(client.get(response.headers["Location"]))
    client.post(f"{UI}/signup", {"third_party_token": token_of(response), "email": "second@example.org"})
    assert User.objects.get().email == "second@example.org"
    assert User.objects.get().pk != old.pk


def test_a_token_ends_when_somebody_verified_has_the_identity_meanwhile() -> None:
    client = Client()
    token = token_of(institution(client, KNOWN))
    _linked("owner@example.org")
    assert client.post(f"{UI}/signup", {"third_party_token": token, "email": "a@example.org"}).status_code == 404
    assert not PendingIdentity.objects.exists()
    assert User.objects.count() == 1


def test_of_several_hopeful_owners_the_first_to_confirm_wins() -> None:
    ann, bob = (_linked(f"{name}@example.org", verified=False) for name in ("ann", "bob"))
    modify_user(ann.user_id, Changes(verify=True))
    assert list(User.objects.all()) == [ann]
    _linked("cid@example.org", verified=False)
    with pytest.raises(Exception, match="already used by another account"):
        modify_user(User.objects.get(email="cid@example.org").user_id, Changes(verify=True))
    assert bob.pk not in User.objects.values_list("pk", flat=True)


def test_forced_fields_follow_the_provider_at_every_sign_in(settings_override: Any) -> None:
    settings_override(ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_USER_ATTR_MAP={
        "first_name": ("first_name", False), "last_name": (lambda claims: claims["last_name"].upper(), False)})
    client = Client()
    token = token_of(institution(client, KNOWN, Shib_InetOrgPerson_displayName="Ann Lee"))
    page = messages_of(client.get(f"{UI}/signup", {"third_party_token": token}))
    assert re.search(r'name="first_name"[^>]*disabled', page)
    client.post(f"{UI}/signup", {"third_party_token": token, "email": "ann@example.org", "first_name": "Eve", "last_name": "X"})
    user = User.objects.get()
    assert (user.first_name, user.last_name) == ("Ann", "LEE")
    modify_user(user.user_id, Changes(verify=True))
    institution(client, KNOWN, Shib_InetOrgPerson_displayName="Ann Smith")
    user.refresh_from_db()
    assert (user.first_name, user.last_name) == ("Ann", "SMITH")
    assert login_methods.fields_forced_on(user) == {"first_name", "last_name"}
    fresh = Client()
    page = messages_of(fresh.get(institution(fresh, KNOWN).headers["Location"]))
    assert "did not tell your first name" in page
    assert signed_in_as(fresh) is None


def test_when_everything_is_told_the_account_is_made_without_a_form(settings_override: Any) -> None:
    settings_override(
        ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_AUTOVERIFY_POLICY=True,
        ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_USER_ATTR_MAP={"email": ("mail", False), "first_name": ("first_name", False), "last_name": ("last_name", False)})
    client = Client()
    told = {"Shib_Mail": "ann@uni.example", "Shib_InetOrgPerson_displayName": "Ann Lee"}
    assert institution(client, KNOWN, **told).headers["Location"] == "/"
    assert (User.objects.get().email, signed_in_as(client)) == ("ann@uni.example", str(User.objects.get().pk))
    institution(Client(), KNOWN, **told | {"Shib_Mail": "new@uni.example"})
    assert User.objects.get().email == "new@uni.example"
    make_user("taken@uni.example")
    fresh = Client()
    institution(fresh, KNOWN, **told | {"Shib_Mail": "taken@uni.example"})
    assert signed_in_as(fresh) is None


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_a_signed_in_user_adds_an_identity_unless_it_is_taken(settings_override: Any) -> None:
    settings_override(ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_ADD_GROUPS_POLICY=["academics"])
    user = make_user(password=PASSWORD)
    client = _signed_in(user)
    assert institution(client, KNOWN).headers["Location"] == f"{UI}/profile"
    page = messages_of(client.get(f"{UI}/profile"))
    assert "You can now sign in with Academic account" in page
    assert KNOWN in page
    assert "academics" in user.groups.values_list("name", flat=True)
    institution(client, KNOWN)
    assert "You already sign in with" in messages_of(client.get(f"{UI}/profile"))
    institution(client, "another identity")
    assert "as many" in messages_of(client.get(f"{UI}/profile"))
    other = _signed_in(make_user("bob@example.org", password=PASSWORD))
    institution(other, KNOWN)
    assert "already used by another account" in messages_of(other.get(f"{UI}/profile"))
    settings_override(ASTAKOS_AUTH_PROVIDERS_ADD_POLICY=False)
    institution(other, "a free identity")
    assert "cannot be added" in messages_of(other.get(f"{UI}/profile"))
    assert LoginMethod.objects.filter(module="shibboleth").count() == 1
    assert AuditRecord.objects.filter(event="login_method.add", target=user.uuid).count() == 1
    assert "Academic account was added" in QueuedMail.objects.get().body


def test_no_foreign_page_adds_an_identity() -> None:
    client = _signed_in(make_user(password=PASSWORD))
    institution(client, KNOWN, Sec_Fetch_Site="cross-site")
    assert not LoginMethod.objects.filter(module="shibboleth").exists()


def test_switching_replaces_one_identity_by_another(settings_override: Any) -> None:
    user = _linked(password=PASSWORD)
    client = _signed_in(user)
    old = user.login_methods.get(module="shibboleth")
    path = f"{UI}/login/shibboleth?switch_from={old.pk}"
    institution(client, "new identity", path=path)
    assert user.login_methods.get(module="shibboleth").identifier == KNOWN, "this provider's policy forbids it"
    settings_override(ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_SWITCH_POLICY=True)
    strange = _linked("bob@example.org", "bob's").login_methods.get(module="shibboleth")
    institution(client, "new identity", path=f"{UI}/login/shibboleth?switch_from={strange.pk}")
    institution(client, "bob's", path=path)
    assert user.login_methods.get(module="shibboleth").identifier == KNOWN
    institution(client, "new identity", path=path)
    assert user.login_methods.get(module="shibboleth").identifier == "new identity"
    assert LoginMethod.objects.filter(pk=strange.pk).exists()


def test_methods_are_removed_until_the_last_one(settings_override: Any) -> None:
    settings_override(ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_ADD_GROUPS_POLICY=["academics"])
    user = _linked(password=PASSWORD)
    user.groups.add(Group.objects.get_or_create(name="academics")[0])
    client = _signed_in(user)
    local, academic = (user.login_methods.get(module=module) for module in ("local", "shibboleth"))
    path = f"{UI}/remove_auth_provider"
    assert client.get(f"{path}/{local.pk}").status_code == 405
    foreign = _linked("bob@example.org", "bob's").login_methods.get(module="shibboleth")
    assert client.post(f"{path}/{foreign.pk}").status_code == 404
    assert Client(enforce_csrf_checks=True).post(f"{path}/{local.pk}").status_code == 403
    settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_REMOVE_POLICY=False)
    assert client.post(f"{path}/{local.pk}").status_code == 403
    settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_REMOVE_POLICY=True, ASTAKOS_AUTH_PROVIDER_LOCAL_REQUIRED_POLICY=True)
    assert client.post(f"{path}/{local.pk}").status_code == 403
    settings_override(ASTAKOS_AUTH_PROVIDER_LOCAL_REQUIRED_POLICY=False)
    assert client.post(f"{path}/{academic.pk}").status_code == 302
    assert not user.groups.filter(name="academics").exists()
    refused = client.post(f"{path}/{local.pk}")
    assert refused.status_code == 403
    assert "only way to sign in" in messages_of(refused)
    LoginMethod.objects.create(user=user, module="shibboleth", identifier="again")
    assert client.post(f"{path}/{local.pk}").status_code == 302
    user.refresh_from_db()
    assert not user.has_usable_password()
    assert "Password was removed" in QueuedMail.objects.latest("pk").body


def test_an_inactive_method_does_not_count_as_a_way_in() -> None:
    user = _linked(password=PASSWORD)
    user.login_methods.filter(module="shibboleth").update(active=False)
    local = user.login_methods.get(module="local")
    assert _signed_in(user).post(f"{UI}/remove_auth_provider/{local.pk}").status_code == 403


def test_an_existing_account_gets_the_identity_after_its_own_sign_in() -> None:
    user = make_user(password=PASSWORD)
    client = Client()
    response = institution(client, KNOWN)
    token = token_of(response)
    page = messages_of(client.get(response.headers["Location"]))
    link = re.search(r'href="([^"]*login\?key=[^"]+)"', page)
    assert link is not None
    client.get(link[1].replace("&amp;", "&"))
    client.post(f"{UI}/login", {"username": user.email, "password": PASSWORD})
    assert user.login_methods.filter(module="shibboleth", identifier=KNOWN).exists()
    assert not PendingIdentity.objects.exists()
    other = Client()
    bob = make_user("bob@example.org", password=PASSWORD)
    other.get(f"{UI}/login", {"key": token})
    other.post(f"{UI}/login", {"username": bob.email, "password": PASSWORD})
    assert not bob.login_methods.exclude(module="local").exists()


def test_a_pending_identity_of_another_browser_is_not_linked() -> None:
    victim = make_user(password=PASSWORD)
    token = token_of(institution(Client(), KNOWN))
    client = Client()
    client.get(f"{UI}/login", {"key": token})
    client.post(f"{UI}/login", {"username": victim.email, "password": PASSWORD})
    assert signed_in_as(client) == str(victim.pk)
    assert not victim.login_methods.exclude(module="local").exists()


def test_an_unknown_identity_with_a_key_is_no_account() -> None:
    client = Client()
    token = token_of(institution(client, KNOWN))
    page = client.get(institution(client, "yet another", path=f"{UI}/login/shibboleth?key={token}").headers["Location"])
    assert "There is no account" in messages_of(page)


def test_a_mail_to_the_owner_links_the_identity(settings_override: Any) -> None:
    owner = make_user("owner@example.org", password=PASSWORD)
    client = Client()
    token = token_of(institution(client, KNOWN, Shib_Mail="owner@example.org"))
    page = messages_of(client.post(f"{UI}/signup", {"third_party_token": token, "email": "owner@example.org"}))
    assert "Send me the link" in page
    assert client.post(f"{UI}/login/associate", {"third_party_token": token, "email": "owner@example.org"}).status_code == 302
    client.post(f"{UI}/login/associate", {"third_party_token": token, "email": "owner@example.org"})
    mail = QueuedMail.objects.get()  # one, though it was asked for twice
    assert mail.recipient == "owner@example.org"
    link = re.search(r"http://testserver(\S+auth=\S+)", mail.body)
    assert link is not None
    assert "login" in Client().get(link[1]).headers["Location"]
    bob = _signed_in(make_user("bob@example.org", password=PASSWORD))
    assert bob.get(link[1]).status_code == 403
    assert bob.post(link[1]).status_code == 403
    browser = _signed_in(owner)
    assert KNOWN in messages_of(browser.get(link[1])) or "owner@example.org" in messages_of(browser.get(link[1]))
    assert not owner.login_methods.filter(module="shibboleth").exists(), "looking changes nothing"
    assert browser.post(link[1]).status_code == 302
    assert owner.login_methods.get(module="shibboleth").identifier == KNOWN
    assert browser.post(link[1]).headers["Location"] == f"{UI}/profile"
    settings_override(ASTAKOS_ENABLE_LOCAL_ACCOUNT_MIGRATION=False)
    second = token_of(institution(client, "second"))
    page = messages_of(client.post(f"{UI}/signup", {"third_party_token": second, "email": "owner@example.org"}))
    assert "Send me the link" not in page


def test_an_eppn_becomes_remote_user_once(settings_override: Any) -> None:
    user = _linked(identifier="ann@uni.example")
    institution(Client(), KNOWN, eppn="ann@uni.example")
    assert user.login_methods.get().identifier == "ann@uni.example"
    settings_override(ASTAKOS_SHIBBOLETH_MIGRATE_EPPN=True)
    client = Client()
    institution(client, KNOWN, eppn="ann@uni.example")
    assert (user.login_methods.get().identifier, signed_in_as(client)) == (KNOWN, str(user.pk))
    _linked("bob@example.org", "bob@uni.example")
    institution(Client(), KNOWN, eppn="bob@uni.example")
    assert LoginMethod.objects.filter(identifier="bob@uni.example").exists(), "a name that is in use is not given twice"


def test_names_may_be_demanded(settings_override: Any) -> None:
    settings_override(ASTAKOS_SHIBBOLETH_REQUIRE_NAME_INFO=True)
    client = Client()
    page = messages_of(client.get(institution(client, KNOWN).headers["Location"]))
    assert "did not tell your name" in page
    assert token_of(institution(client, KNOWN, Shib_Person_commonName="Ann Lee"))


def test_test_names_stand_in_for_headers_only_while_debugging(settings_override: Any) -> None:
    user = _linked()
    settings_override(SHIBBOLETH_TEST_REMOTE_USER=KNOWN, SHIBBOLETH_TEST_FULLNAME="Ann Lee")
    client = Client()
    institution(client, "", peer="198.51.100.9")
    assert signed_in_as(client) is None
    settings_override(DEBUG=True)
    institution(client, "", peer="198.51.100.9")
    assert signed_in_as(client) == str(user.pk)


def test_the_sign_in_page_offers_what_policies_allow(settings_override: Any) -> None:
    settings_override(ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_TITLE="Uni {of} <X>", ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_LOGIN_TITLE="Go to {title} {service_name}")
    page = messages_of(Client().get(f"{UI}/login", {"next": "/usage"}))
    assert "Go to Uni {of} &lt;X&gt; Synnefo" in page
    assert f"{UI}/login/shibboleth?next=%2Fusage" in page
    assert page.index('name="password"') < page.index("login/shibboleth")
    client = Client()
    client.cookies["astakos_last_login_method"] = "shibboleth"
    page = messages_of(client.get(f"{UI}/login"))
    assert page.index('name="password"') > page.index("login/shibboleth")
    settings_override(ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_LOGIN_POLICY=False)
    assert "login/shibboleth" not in messages_of(Client().get(f"{UI}/login"))
    settings_override(ASTAKOS_AUTH_PROVIDERS_LOGIN_POLICY=False)
    page = messages_of(Client().get(f"{UI}/login"))
    assert "every way is switched off" in page
    assert 'name="password"' not in page


def test_the_sign_up_page_offers_who_accepts_new_people(settings_override: Any) -> None:
    client = Client()
    assert f"{UI}/login/shibboleth?next=%2Fusage" in messages_of(client.get(f"{UI}/signup", {"next": "/usage"}))
    assert client.get(f"{UI}/signup", {"provider": "shibboleth", "next": "/usage"}).headers["Location"] == f"{UI}/login/shibboleth?next=%2Fusage"
    assert "no such sign-in method" in messages_of(client.get(f"{UI}/signup", {"provider": "nonsense"}))
    settings_override(ASTAKOS_AUTH_PROVIDER_SHIBBOLETH_CREATE_POLICY=False)
    assert client.get(f"{UI}/signup", {"provider": "shibboleth"}).status_code == 403
    assert "login/shibboleth" not in messages_of(client.get(f"{UI}/signup"))
    assert _signed_in(make_user()).get(f"{UI}/signup").headers["Location"] == f"{UI}/"


def test_an_operator_releases_a_stuck_method_but_not_the_last() -> None:
    user = _linked()
    with pytest.raises(StateConflict, match="only way"):
        modify_user(user.user_id, Changes(release=("shibboleth",)))
    done = run("user-modify", "--enable-local", "--release-provider", "shibboleth", user.email)
    assert done.code == 0, done.err
    assert "1 identities of shibboleth released" in done.err
    secret = done.out.rpartition(": ")[2].strip()
    user.refresh_from_db()
    assert user.check_password(secret)
    user.login_methods.filter(module="local").update(active=False)
    modify_user(user.user_id, Changes(password=PASSWORD))
    again = run("user-modify", "--enable-local", user.email)
    assert "with the password that is there" in again.err
    assert "password:" not in again.out
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert user.login_methods.get(module="local").active
