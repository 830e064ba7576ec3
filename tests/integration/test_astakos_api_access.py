"""The page of API access: the token, its renewal, the file for kamaki, and lasting tokens by name."""

from __future__ import annotations

import datetime
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from synnefo.astakos.models import ApiToken, User
from synnefo.astakos.services import tokens
from tests.support.identity import ACCOUNT, Http, make_user

pytestmark = pytest.mark.django_db
PAGE, FILE, RENEW = "/astakos/ui/api_access", "/astakos/ui/.kamakirc", "/astakos/ui/profile/update_token"


def signed_in(user: User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(user)
    return client


def accepted(secret: str) -> bool:
    return bool(Http(secret).get(f"{ACCOUNT}/authenticate").status_code == 200)


def test_visitors_sign_in_first() -> None:
    for path in (PAGE, FILE):
        assert "/astakos/ui/login?next=" in Client().get(path).headers["Location"]
    assert signed_in(make_user(), enforce_csrf_checks=True).post(RENEW).status_code == 403
    assert Client().get("/api-access").headers["Location"] == PAGE


def test_a_renewed_token_takes_the_place_of_the_old_one() -> None:
    user = make_user()
    client, elsewhere = signed_in(user), signed_in(user)
    elsewhere.get(PAGE)
    assert "You have none yet." in client.get(PAGE).content.decode()
    old = tokens.renew_primary(user.user_id, flush=False).secret
    assert accepted(old)
    page = client.get(PAGE)
    assert old in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", page.content.decode())
    assert client.get(RENEW).status_code == 405
    assert client.post(RENEW).headers["Location"] == PAGE
    after = client.get(PAGE).content.decode()
    new = str(re.search(r'<code id="token">([^<]+)</code>', after)[1])  # type: ignore[index]
    assert new != old
    assert old not in after
    assert not accepted(old)
    assert accepted(new)
    assert elsewhere.get(PAGE).status_code == 302


def test_a_token_that_ends_soon_is_marked() -> None:
    user = make_user()
    client = signed_in(user)
    secret = tokens.renew_primary(user.user_id, flush=False).secret
    assert "notice warning" not in client.get(PAGE).content.decode()
    mine = ApiToken.objects.filter(user=user, kind="primary")
    mine.update(expires_at=timezone.now() + datetime.timedelta(days=2, hours=1))
    assert "expires in 2 days" in client.get(PAGE).content.decode()
    mine.update(expires_at=timezone.now() - datetime.timedelta(hours=1))
    assert "has expired" in client.get(PAGE).content.decode()
    refused = client.get(FILE)
    assert refused.headers["Location"] == PAGE
    assert secret not in refused.content.decode()


def test_a_token_that_is_kept_nowhere_is_shown_once(settings_override: Any) -> None:
    settings_override(ASTAKOS_TOKEN_SHOW_ONCE=True)
    client = signed_in(make_user())
    secret = str(re.search(r'<code id="token">([^<]+)</code>', client.post(RENEW).content.decode())[1])  # type: ignore[index]
    assert accepted(secret)
    assert secret not in client.get(PAGE).content.decode()
    assert client.get(FILE).status_code == 302


def test_the_file_names_the_cloud(settings_override: Any) -> None:
    user = make_user()
    client = signed_in(user)
    secret = tokens.renew_primary(user.user_id, flush=False).secret
    settings_override(BRANDING_SERVICE_NAME="My  Own Cloud")
    answer = client.get(FILE)
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["Content-Disposition"] == 'attachment; filename=".kamakirc"'
    assert answer.content.decode() == (f'[global]\ndefault_cloud = my_own_cloud\n\n[cloud "my_own_cloud"]\n'
                                       f"url = http://testserver/astakos/identity/v2.0\ntoken = {secret}\n")
    settings_override(ASTAKOS_KAMAKI_CONFIG_CLOUD_NAME="office")
    assert '[cloud "office"]' in client.get(FILE).content.decode()


def test_tokens_by_name() -> None:
    user, other = make_user(), make_user("bob@example.org")
    client = signed_in(user)
    made = client.post(PAGE, {"action": "create", "name": "<b>backup</b>", "days": "30", "project": user.uuid}).content.decode()
    secret = str(re.search(r'id="made-token"[^>]*>([^<]+)<', made)[1])  # type: ignore[index]
    assert accepted(secret)
    listed = client.get(PAGE).content.decode()
    assert secret not in listed
    assert "&lt;b&gt;backup&lt;/b&gt;" in listed
    [token] = tokens.list_named(user)
    assert (token.project_id, token.is_restricted) == (user.uuid, True)
    for chosen in (str(token.pk), "x", "", "9" * 30, "²", "\0"):
        signed_in(other).post(PAGE, {"action": "revoke", "id": chosen})
    assert accepted(secret)
    client.post(PAGE, {"action": "revoke", "id": str(token.pk)})
    assert not accepted(secret)


@pytest.mark.parametrize("fields", [
    {"name": "", "days": "1"}, {"name": "a", "days": "0"}, {"name": "a", "days": "1e9"}, {"name": "a", "days": "99999"},
    {"name": "a" * 200, "days": "1"}, {"name": "a\0", "days": "1"}, {"name": "a", "days": "1", "project": "nobody's"}])
def test_wishes_that_are_refused(fields: dict[str, str]) -> None:
    user = make_user()
    assert signed_in(user).post(PAGE, {"action": "create", **fields}).status_code == 400
    assert tokens.list_named(user) == []


@pytest.mark.django_db(transaction=True)
def test_kamaki_works_with_the_file(live_server: LiveServer, settings_override: Any, tmp_path: Path) -> None:
    settings_override(ASTAKOS_BASE_URL=f"{live_server.url}/astakos")
    user = make_user()
    tokens.renew_primary(user.user_id, flush=False)
    (tmp_path / ".kamakirc").write_bytes(signed_in(user).get(FILE).content)
    (tmp_path / ".kamakirc").chmod(0o600)
    done = subprocess.run([str(Path(sys.executable).parent / "kamaki"), "user", "info"], env=os.environ | {"HOME": str(tmp_path)},
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert user.uuid in done.stdout
