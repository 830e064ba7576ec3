"""Sign-in by a real OpenID Connect provider in its own process, and by one that lies."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from django.core.cache import cache
from django.test import Client

from synnefo.astakos.models import LoginMethod, User
from synnefo.astakos.services import provider_sessions, providers
from synnefo.astakos.services.user_changes import Changes, modify_user
from tests.support.identity import PASSWORD, make_user
from tests.support.openid_provider import CLIENT, Account, OpenIDProvider, browse, openid_provider, query_of
from tests.support.sign_in import UI, form_fields, messages_of, signed_in_as, token_of

pytestmark = pytest.mark.django_db(transaction=True)
START = f"{UI}/login/oidc:uni"
ANN = Account("ann", "ann's password", "ann@uni.example", first="Ána", last="Lee", groups=("physics", "chess"))
BOB = Account("bob", "bob's password", "bob@uni.example", is_email_verified=False)


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIDProvider]:
    with openid_provider(ANN, BOB) as found:
        yield found


@pytest.fixture(autouse=True)
def _site(provider: OpenIDProvider, settings_override: Any) -> Iterator[None]:
    cache.clear()
    settings_override(ASTAKOS_IM_MODULES=["local", "oidc:uni"], ASTAKOS_OIDC_PROVIDERS={"uni": provider.options()})
    yield
    cache.clear()


def _come(client: Client, account: Account = ANN, path: str = START, **options: Any) -> Any:
    """To the provider and back."""
    away = client.get(path)
    assert away.status_code == 302, away.content
    return client.get(browse(away.headers["Location"], account, **options))


def _sign_up(client: Client, account: Account = ANN) -> User:
    response = _come(client, account)
    client.post(f"{UI}/signup", {"third_party_token": token_of(response), "email": account.email})
    return User.objects.get(email=account.email)


def test_a_person_signs_up_and_comes_back(provider: OpenIDProvider, settings_override: Any) -> None:
    settings_override(ASTAKOS_OIDC_PROVIDERS={"uni": provider.options(trust_email=True)})
    client = Client()
    response = _come(client, path=f"{START}?next=/usage")
    fields = form_fields(messages_of(client.get(response.headers["Location"])))
    assert (fields["email"], fields["first_name"], fields["last_name"], fields["next"]) == ("ann@uni.example", "Ána", "Lee", "/usage")
    assert client.post(f"{UI}/signup", fields).headers["Location"] == "/usage"
    user = User.objects.get()
    assert (user.is_active, user.affiliation, signed_in_as(client)) == (True, "The University", str(user.pk))
    method = user.login_methods.get()
    assert method.module == "oidc:uni"
    assert re.fullmatch(rf"{provider.issuer}\|\d+", method.identifier)
    again = Client()
    assert _come(again, path=f"{START}?next=/machines").headers["Location"] == "/machines"
    assert signed_in_as(again) == str(user.pk)


def test_an_e_mail_is_believed_only_when_the_provider_and_the_operator_do(provider: OpenIDProvider, settings_override: Any) -> None:
    assert not _sign_up(Client()).email_verified, "the operator does not"
    settings_override(ASTAKOS_OIDC_PROVIDERS={"uni": provider.options(trust_email=True)})
    assert not _sign_up(Client(), BOB).email_verified, "the provider does not"


def test_an_equal_e_mail_links_nothing() -> None:
    user = make_user(ANN.email, password=PASSWORD)
    client = Client()
    response = _come(client)
    assert client.post(f"{UI}/signup", {"third_party_token": token_of(response), "email": ANN.email}).status_code == 409
    assert signed_in_as(client) is None
    assert not user.login_methods.exclude(module="local").exists()


def test_the_request_carries_state_nonce_and_challenge(settings_override: Any, provider: OpenIDProvider) -> None:
    first, second = (query_of(Client().get(START).headers["Location"]) for _ in range(2))
    assert first["redirect_uri"] == "http://testserver/astakos/ui/login/oidc:uni/authenticated"
    assert (first["response_type"], first["code_challenge_method"]) == ("code", "S256")
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]
    assert query_of(Client().get(f"{START}?force").headers["Location"])["prompt"] == "login"
    settings_override(ASTAKOS_OIDC_PROVIDERS={"uni": provider.options(pkce=False)})
    client = Client()
    page = client.get(browse_without_challenge(client))
    assert "did not sign you in" in messages_of(client.get(page.headers["Location"])), "this provider insists on PKCE"


def browse_without_challenge(client: Client) -> str:
    away = client.get(START).headers["Location"]
    assert "code_challenge" not in away
    return browse(away, ANN)


def test_an_answer_works_once_and_only_in_the_browser_that_asked() -> None:
    _sign_up_verified()
    client = Client()
    back = browse(client.get(START).headers["Location"], ANN)
    thief = Client()
    thief.get(START)
    thief.get(back)
    assert signed_in_as(thief) is None
    client.get(back.replace("state=", "state=x"))
    assert signed_in_as(client) is None
    client.get(back)
    assert signed_in_as(client) is not None
    client.logout()
    client.get(back)
    assert signed_in_as(client) is None


def _sign_up_verified() -> User:
    user = _sign_up(Client())
    modify_user(user.user_id, Changes(verify=True))
    return User.objects.get(pk=user.pk)


def test_a_refusal_at_the_provider_changes_nothing() -> None:
    client = Client()
    page = client.get(_come(client, allow=False).headers["Location"])
    assert "was cancelled" in messages_of(page)
    assert not User.objects.exists()


def test_a_foreign_code_is_refused() -> None:
    _sign_up_verified()
    client = Client()
    state = query_of(client.get(START).headers["Location"])["state"]
    page = client.get(f"{START}/authenticated?state={state}&code=guessed")
    assert "did not sign you in" in messages_of(client.get(page.headers["Location"]))
    assert signed_in_as(client) is None
    for query in ("", "?code=x", "?state=x", "?error=access_denied", "?state=%00&code=x"):
        assert client.get(f"{START}/authenticated{query}").status_code == 302
        assert signed_in_as(client) is None


def test_a_signed_in_user_links_and_groups_follow(provider: OpenIDProvider, settings_override: Any) -> None:
    settings_override(ASTAKOS_OIDC_PROVIDERS={"uni": provider.options(groups_claim="groups", group_map={"physics": "scientists", "art": "artists"})},
                      ASTAKOS_AUTH_PROVIDER_OIDC_UNI_MIRROR_GROUPS_POLICY=True)
    user = make_user("ann@cloud.example", password=PASSWORD)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert _come(client).headers["Location"] == f"{UI}/profile"
    assert "You can now sign in with The University" in messages_of(client.get(f"{UI}/profile"))
    _come(Client())
    assert set(user.groups.values_list("name", flat=True)) == {"scientists"}


def test_a_provider_that_is_down_is_told(settings_override: Any, provider: OpenIDProvider) -> None:
    for issuer in ("http://127.0.0.1:9", "http://192.0.2.1/plain"):
        settings_override(ASTAKOS_OIDC_PROVIDERS={"uni": provider.options(issuer=issuer)})
        client = Client()
        page = client.get(client.get(START).headers["Location"])
        assert "does not answer" in messages_of(page)
    settings_override(ASTAKOS_OIDC_PROVIDERS={"uni": provider.options(issuer=provider.issuer + "/")})
    client = Client()
    assert "did not sign you in" in messages_of(client.get(client.get(START).headers["Location"])), "it calls itself otherwise"


def test_what_is_not_enabled_does_not_exist(settings_override: Any) -> None:
    assert Client().get(f"{UI}/login/oidc:other").status_code == 404
    assert Client().get(f"{UI}/login/google").status_code == 404
    settings_override(ASTAKOS_IM_MODULES=["local", "oidc:gone", "google", "nonsense"])
    assert Client().get(START).status_code == 404
    assert Client().get(f"{UI}/login/google").status_code == 404
    assert len(providers.problems()) == 3


def test_methods_of_a_removed_provider_stay_visible_and_do_not_count_as_enabled(settings_override: Any) -> None:
    user = _sign_up_verified()
    LoginMethod.objects.create(user=user, module="local")
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    settings_override(ASTAKOS_IM_MODULES=["local"])
    page = messages_of(client.get(f"{UI}/profile"))
    assert "Switched off" in page
    assert "oidc:uni" in page or "The University" in page


def _logout_token(provider: OpenIDProvider, subject: str, **changes: Any) -> str:
    """What the provider sends when somebody signs out there, by its own key."""
    now = int(time.time())
    claims: dict[str, Any] = {"iss": provider.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": secrets.token_hex(8), "sub": subject,
                              "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}
    found = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    keys = httpx.get(f"{provider.issuer}/.well-known/jwks.json").json()["keys"]
    return jwt.encode(found, provider.key, "RS256", headers={"kid": keys[0]["kid"]})


def test_a_sign_out_at_the_provider_ends_the_sessions_here(provider: OpenIDProvider) -> None:
    user = _sign_up_verified()
    first, second, local = Client(), Client(), Client()
    _come(first)
    _come(second)
    local.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    subject = user.login_methods.get().identifier.partition("|")[2]
    path = f"{START}/backchannel-logout"
    lies: list[dict[str, Any]] = [{"nonce": "x"}, {"aud": "another"}, {"iss": "https://evil.example"}, {"events": {}}, {"events": None}, {"jti": None},
                                  {"sub": None}, {"exp": 1}]
    for lie in lies:
        assert first.post(path, {"logout_token": _logout_token(provider, subject, **lie)}).status_code == 400
    assert first.post(path).status_code == 400
    assert first.get(path).status_code == 405
    assert Client().post(path, {"logout_token": _logout_token(provider, "somebody else")}).status_code == 200
    assert signed_in_as(first) == signed_in_as(second) == str(user.pk)
    token = _logout_token(provider, subject)
    assert Client(enforce_csrf_checks=True).post(path, {"logout_token": token}).status_code == 200
    assert Client().post(path, {"logout_token": token}).status_code == 400, "each message counts once"
    assert first.get(f"{UI}/profile").status_code == second.get(f"{UI}/profile").status_code == 302
    assert local.get(f"{UI}/profile").status_code == 200, "it began elsewhere"


def test_the_provider_may_end_one_of_its_sessions_by_name(provider: OpenIDProvider) -> None:
    user = _sign_up_verified()
    first, second = Client(), Client()
    for client, sid in ((first, "one"), (second, "two")):
        _come(client)
        provider_sessions.note(str(client.session.session_key), user, "oidc:uni", user.login_methods.get().identifier, sid)
    token = _logout_token(provider, "", sub=None, sid="two")
    assert Client().post(f"{START}/backchannel-logout", {"logout_token": token}).status_code == 200
    assert first.get(f"{UI}/profile").status_code == 200
    assert second.get(f"{UI}/profile").status_code == 302
    assert provider_sessions.end("oidc:uni", "", "") == 0


def test_after_signing_out_here_the_way_out_there_is_offered(provider: OpenIDProvider) -> None:
    _sign_up_verified()
    client = Client()
    response = _come(client)
    assert response.cookies["astakos_last_login_method"].value == "oidc:uni"
    assert LoginMethod.objects.get().last_login_at is not None
    client.post(f"{UI}/logout")
    assert signed_in_as(client) is None
    page = messages_of(client.get(f"{UI}/login"))
    assert "You may still be signed in at The University" in page
    assert f"{START}/logout" in page
    address = client.get(f"{START}/logout").headers["Location"]
    asked = query_of(address)
    assert address.startswith(f"{provider.issuer}/logout/")
    assert (asked["client_id"], asked["post_logout_redirect_uri"]) == (CLIENT, "http://testserver/astakos/ui/login")
    there = httpx.get(address)
    assert there.status_code in {200, 302}, "the provider understands the question"
    assert "You may still be signed in" not in messages_of(client.get(f"{UI}/login"))
    assert client.get(f"{START}/logout").headers["Location"] == f"{UI}/login"
