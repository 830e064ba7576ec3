"""snf-manage as operators type it: the framework on real lists, and the commands of the identity service."""

from __future__ import annotations

import csv
import datetime
import grp
import io
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from synnefo.astakos.models import ApiToken, Component, Service, User
from synnefo.astakos.services import components
from synnefo.common import ports
from synnefo.common.errors import Unauthenticated
from tests.support.commands import run
from tests.support.identity import CATALOG, make_token, make_user

pytestmark = pytest.mark.django_db


def test_fields_filters_order_and_paging() -> None:
    for name in ("carl", "ann", "bob"):
        make_user(f"{name}@example.org", is_admin=name == "bob")
    listed = run("user-list", "--output-format", "json", "-o", "email,admin", "--sort-by", "-email").json()
    assert listed == [{"email": "carl@example.org", "admin": False}, {"email": "bob@example.org", "admin": True},
                      {"email": "ann@example.org", "admin": False}]

    def names(*options: str) -> list[str]:
        return run("user-list", "-o", "email", "--no-headers", *options).out.split()

    assert names() == ["carl@example.org", "ann@example.org", "bob@example.org"]
    assert names("--filter-by", "admin=yes") == ["bob@example.org"]
    assert names("--filter-by", "email!=bob@example.org,email~=N@") == ["ann@example.org"]
    assert names("--filter-by", "username=in:(ann@example.org;x)") == ["ann@example.org"]
    assert names("--limit", "1", "--offset", "1") == ["ann@example.org"]
    assert names("--after", str(User.objects.get(email="ann@example.org").pk)) == ["bob@example.org"]
    assert run("user-list", "--count", "--filter-by", "admin=no").out == "2\n"
    assert run("user-list", "--filter-by", "date_joined<2000-01-01", "--output-format", "json").json() == []
    rows = list(csv.DictReader(io.StringIO(run("user-list", "--output-format", "csv").out)))
    assert [row["displayname"] for row in rows] == ["carl@example.org", "ann@example.org", "bob@example.org"]
    assert list(rows[0]) == ["id", "displayname", "realname", "uuid", "active", "admin"]


@pytest.mark.parametrize(("arguments", "code", "text"), [
    (("-o", "nothing"), 2, "Unknown field 'nothing'. See --list-fields."),
    (("--sort-by", "nothing"), 2, "Unknown field 'nothing' in --sort-by. See --list-fields."),
    (("--sort-by", "groups"), 2, "The list cannot be sorted by 'groups'."),
    (("--filter-by", "nothing=1"), 1, "unknown key nothing"), (("--filter-by", "id"), 1, "not of the form key OP value"),
    (("--filter-by", "id>x"), 1, "'x' cannot be compared with id"), (("--filter-by", "active=2"), 1, "cannot be compared"),
    (("--filter-by", "password^=argon"), 1, "may not be used in a filter"),
    (("--filter-by", "api_tokens__token_hash^=a"), 1, "may not be used in a filter"),
    (("--filter-by", "groups__name__nothing=1"), 1, "unknown key"), (("--limit", "-1"), 2, ""), (("extra",), 2, ""),
    (("--filter-by", "id=99999999999999999999"), 1, "cannot be compared"), (("--after", "x"), 1, "cannot be compared"),
])
def test_what_lists_refuse(arguments: tuple[str, ...], code: int, text: str) -> None:
    result = run("user-list", *arguments)
    assert (result.code, result.out) == (code, "")
    assert text in result.err
    assert "Traceback" not in result.err


def test_lists_describe_themselves() -> None:
    assert "displayname" in run("user-list", "--list-fields").out
    filters = run("user-list", "--list-filters").out
    assert "email" in filters
    assert "password" not in filters
    assert "[astakos]" in run("help").out
    assert "    user-list" in run("help").out
    assert "usage: snf-manage user-list" in run("help", "user-list").out


def test_owners_of_listed_items(django_assert_max_num_queries: Any) -> None:
    ann, bob = make_user(), make_user("bob@example.org")
    for user in (ann, bob, bob):
        make_token(user)
    options = ("-o", "user.uuid", "--display-mails", "--output-format", "json")
    with django_assert_max_num_queries(2):
        assert run("token-list", *options).json() == [
            {"user.uuid": ann.uuid, "user.email": ann.email}, *[{"user.uuid": bob.uuid, "user.email": bob.email}] * 2]
    assert run("token-list", "--count", "-u", "BOB@example.org").out == "2\n"
    assert run("token-list", "--count", "-u", ann.uuid.upper()).out == "1\n"
    unknown = run("token-list", "-u", "x@example.org")
    assert (unknown.code, unknown.out) == (1, "")
    assert run("token-list", "-u", "x").err.startswith("Invalid user ID: x")


def test_unknown_commands() -> None:
    result = run("user-lst")
    assert result.code == 1
    assert result.err.startswith(
        "Unknown command: 'user-lst'\nType 'snf-manage help' for usage.\nDid you mean: user-list, ")


def test_a_user_from_creation_to_closure() -> None:
    made = run("user-add", "Ann@example.org", "Ann", "Lee", "-g", "helpdesk", "--output-format", "json").json()
    assert made["status"] == "Pending email verification"
    assert len(made["password"]) == 16
    assert run("user-list", "--count", "--pending-verification").out == "1\n"
    result = run("user-modify", "ann@example.org", "--verify", "--accept")
    assert (result.code, result.err) == (
        0, "Account verified (Accepted/Active (accepted policy: auto_moderation))\nAccount already accepted\n")
    shown = run("user-show", made["uuid"], "--quota", "--projects", "--output-format", "json").json()
    assert (shown["email"], shown["groups"]) == ("ann@example.org", ["helpdesk"])
    assert [(row["project id"], row["status"]) for row in shown["memberships"]] == [(made["uuid"], "accepted")]
    assert shown["owned projects"] == []
    assert (shown["last login details"], shown["token expiration"], shown["second factor"]) == ("No login info available", None, False)
    assert "local:" in run("user-list", "--auth-providers").out
    assert "ann@example.org" in run("user-show", str(User.objects.get().pk)).out
    assert run("user-modify", made["uuid"], "--set-inactive", "--inactive-reason", "left").code == 0
    assert User.objects.get().status == "Accepted/Inactive (left) (accepted policy: auto_moderation)"
    assert run("user-modify", made["uuid"], "--accept").code == 1
    assert run("user-modify", made["uuid"], "--delete", "--yes").code == 1
    assert run("user-modify", made["uuid"], "--set-default-project", "11111111-1111-4111-8111-111111111111").code == 1
    assert run("user-modify", made["uuid"], "--set-active", "--set-admin", "--first-name", "Anna").code == 0
    assert "Default project set" in run("user-modify", made["uuid"], "--set-default-project", made["uuid"]).err
    assert (User.objects.get().is_superuser, User.objects.get().first_name) == (True, "Anna")


def test_passwords_and_tokens_of_a_user() -> None:
    made = run("user-add", "ann@example.org", "--first-name", "Ann", "--password", "correct horse battery", "--accept",
               "--token", "--output-format", "json").json()
    assert "password" not in made
    assert ports.identity().authenticate(made["token"]).user_id == made["uuid"]
    added = run("token-add", "ann@example.org", "--name", "script", "--expires-in-days", "365", "--output-format", "json").json()
    assert ports.identity().authenticate(added["token"]).user_id == added["user"] == made["uuid"]
    assert run("token-revoke", str(added["id"]), "--yes").code == 0
    assert run("token-revoke", str(added["id"]), "--yes").code == 1
    with pytest.raises(Unauthenticated):
        ports.identity().authenticate(added["token"])
    renewed = run("user-modify", "ann@example.org", "--renew-token", "--renew-password").out
    password, token = (line.partition(": ")[2] for line in renewed.splitlines())
    assert ports.identity().authenticate(token).user_id == made["uuid"]
    assert User.objects.get().check_password(password)
    with pytest.raises(Unauthenticated):
        ports.identity().authenticate(made["token"])


@pytest.mark.parametrize(("arguments", "code", "text"), [
    (("user-add", "nonsense"), 1, "Invalid e-mail: 'nonsense'."), (("user-add",), 2, ""),
    (("user-add", "ann@example.org"), 1, "There is already an account"),
    (("user-add", "b@example.org", "--password", "short"), 1, "too short"),
    (("user-add", "b@example.org", "--token"), 1, "--token needs --accept"),
    (("user-show", "nobody"), 1, "User nobody does not exist. Try: snf-manage user-list"),
    (("user-modify", "ann@example.org"), 1, "Nothing to change"), (("user-modify",), 2, "Name a user"),
    (("user-modify", "ann@example.org", "--add-group", "none"), 1, "Group none does not exist"),
    (("user-modify", "ann@example.org", "--set-email", "x"), 1, "Invalid e-mail"),
    (("user-modify", "ann@example.org", "--base-quota", "none", "1"), 1, "Resource none does not exist"),
    (("user-modify", "--all"), 2, "--all goes with --base-quota"), (("user-modify", "ann@example.org", "--delete"), 1, "Not a terminal"),
    (("token-add", "ann@example.org", "--expires-in-days", "0"), 1, "A token lives"),
    (("token-add", "ann@example.org", "--project", "none"), 1, "no such project"),
    (("component-show", "none"), 1, "Component none does not exist"), (("component-add", "a b"), 1, "A component name"),
    (("component-add", "x", "--base-url", "ftp://x"), 1, "base-url is not an http"), (("service-show", "none"), 1, "Service with ID none"),
    (("service-import",), 2, ""), (("service-import", "--json", "/nonexistent"), 1, "cannot be read"),
])
def test_refusals_are_one_line_and_change_nothing(arguments: tuple[str, ...], code: int, text: str) -> None:
    make_user()
    before = list(User.objects.values()), ApiToken.objects.count(), Component.objects.count()
    result = run(*arguments)
    assert result.code == code, result.err
    assert text in result.err
    assert "Traceback" not in result.err
    assert code == 2 or len(result.err.splitlines()) == 1
    assert (list(User.objects.values()), ApiToken.objects.count(), Component.objects.count()) == before


def test_questions_and_answers() -> None:
    for name in ("one", "two"):
        components.add_component(name)
    assert run("component-remove", "one", stdin="n\n").code == 1
    assert run("component-remove", "one", stdin="perhaps\n").err.endswith("Unknown answer: type y or n.\n")
    assert Component.objects.count() == 2
    partly = run("component-remove", "one", "none", stdin="Y\n")
    assert partly.code == 3
    assert "Component none does not exist" in partly.err
    assert [item.name for item in Component.objects.all()] == ["two"]


def test_components_and_services(tmp_path: Path) -> None:
    for name in ("cyclades", "pithos"):
        added = run("component-add", name, "--base-url", f"http://testserver/{name}")
        assert components.require_component(added.out.removeprefix("Token: ").strip()).name == name
    token = {row["name"]: row["token"] for row in run("component-list", "-o", "name,token", "--output-format", "json").json()}
    assert components.require_component(token["pithos"]).name == "pithos"
    file = tmp_path / "services.json"
    file.write_text(json.dumps(CATALOG))
    imported = run("service-import", "--json", str(file))
    assert (imported.code, imported.out) == (0, "")
    assert "Added service cyclades_compute\n" in imported.err
    assert "Updated service cyclades_compute" in run("service-import", "--json", "-", stdin=json.dumps(CATALOG)).err
    assert run("service-import", "--json", "-", stdin="{").err.startswith("- is not JSON")
    assert [row["name"] for row in run("service-list", "--output-format", "json").json()] == list(CATALOG)
    shown = run("service-show", "cyclades_compute", "--output-format", "json").json()
    assert {row["key"] for row in shown["endpoints"]} >= {"publicURL", "versionId"}
    assert run("component-show", "cyclades").out.count("cyclades_compute") == 1
    assert run("component-modify", "cyclades").code == 2
    renewed = run("component-modify", "cyclades", "--renew-token", "--purge-services")
    assert components.require_component(renewed.out.removeprefix("Token: ").strip()).name == "cyclades"
    assert [item.name for item in Service.objects.all()] == ["pithos_object-store"]


def test_what_is_exported_can_be_imported() -> None:
    exported = json.loads(run("service-export-astakos", "--base-url", "https://id.example.org/a//").out)
    assert exported["astakos_identity"]["endpoints"][0]["publicURL"] == "https://id.example.org/a/identity/v2.0"
    components.add_component("astakos", base_url="https://id.example.org/a")
    assert run("service-import", "--json", "-", stdin=json.dumps(exported)).code == 0
    assert run("service-export-astakos", "--base-url", "nowhere").code == 1


def test_groups() -> None:
    assert run("group-add", "helpdesk").err == "Group created\n"
    assert run("group-add", "helpdesk").err == "The group exists already\n"
    make_user(groups=["helpdesk"])
    assert run("group-list", "-o", "name,users_count", "--output-format", "json").json() == [{"name": "helpdesk", "users_count": 1}]


def _program(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, "SYNNEFO_DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3", "SYNNEFO_LOG_DIR": f"{tmp_path}/log", **environment}
    return subprocess.run([sys.executable, "-m", "synnefo.project.manage", *arguments], env=known, text=True,
                          capture_output=True, check=False, timeout=120)


def test_the_program_logs_its_runs_without_secrets(tmp_path: Path) -> None:
    assert _program(tmp_path, "migrate", "-v0").returncode == 0
    made = _program(tmp_path, "user-add", "ann@example.org", "--password", "correct horse battery", "--accept", "--token")
    assert made.returncode == 0, made.stderr
    token = made.stdout.split("token :")[1].strip()
    logs = list((tmp_path / "log" / "commands").glob("*_user-add_*.log"))
    assert [oct(path.stat().st_mode & 0o777) for path in logs] == ["0o600"]
    text = logs[0].read_text() + (tmp_path / "log" / "audit.log").read_text()
    assert "user-add ann@example.org --password ********" in text
    assert "exit status 0" in text
    assert token not in text
    assert "correct horse" not in text
    assert _program(tmp_path, "user-list").returncode == 0
    assert list((tmp_path / "log" / "commands").glob("*_user-list_*")) == []


def test_the_program_stops_at_wrong_settings_and_unknown_users(tmp_path: Path) -> None:
    wrong = _program(tmp_path, "user-list", SYNNEFO_ASTAKOS_V3_TOKEN_DURATION="10")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "ASTAKOS_V3_TOKEN_DURATION" in wrong.stderr
    nobody = _program(tmp_path, "user-list", SYNNEFO_SNF_MANAGE_USER="no-such-user")
    assert nobody.returncode == 1
    assert "SNF_MANAGE_USER" in nobody.stderr
    assert _program(tmp_path, "--version").stdout == _program(tmp_path, "user-list", "--version").stdout == "0.1.0\n"


def test_commands_of_services_that_this_host_does_not_run(tmp_path: Path) -> None:
    result = _program(tmp_path, "network-list", SYNNEFO_SYNNEFO_SERVICES='["astakos"]')
    assert (result.returncode, result.stdout) == (1, "")
    assert "It is a command of cyclades, which this host does not run" in result.stderr
    assert "network-list" not in _program(tmp_path, "help", SYNNEFO_SYNNEFO_SERVICES='["astakos"]').stdout


_BECOME = """
import os, sys
from synnefo.project.manage import become
for name in sys.argv[1:]:
    become(name, "nogroup")
print(os.getuid(), os.getgid(), sorted(set(os.getgroups())))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change the user")
def test_root_becomes_the_service_user_and_others_are_refused(tmp_path: Path) -> None:
    script = tmp_path / "become.py"
    script.write_text(_BECOME)
    account = pwd.getpwnam("nobody")
    group = grp.getgrnam("nogroup").gr_gid
    done = subprocess.run([sys.executable, str(script), "nobody"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{account.pw_uid} {group} [{group}]\n"
    refused = subprocess.run([sys.executable, str(script), "nobody", "daemon"], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (77, "snf-manage must be run by daemon:nogroup or by root.\n")


def test_cleaning_up(settings_override: Any) -> None:
    user = make_user()
    old = timezone.now() - datetime.timedelta(days=60)
    make_token(user)
    ApiToken.objects.update(expires_at=old)
    make_token(user)
    make_user("late@example.org", verified=False)
    make_user("fresh@example.org", verified=False)
    User.objects.exclude(email="fresh@example.org").update(date_joined=old)
    Session.objects.create(session_key="old", session_data="", expire_date=old)
    settings_override(ASTAKOS_UNVERIFIED_TTL_DAYS=0)
    assert run("cleanup-full", "--output-format", "json").json().items() >= {"sessions": 1, "tokens": 1, "unverified users": 0}.items()
    settings_override(ASTAKOS_UNVERIFIED_TTL_DAYS=30)
    assert run("cleanup-full", "--output-format", "json").json().items() >= {"sessions": 0, "tokens": 0, "unverified users": 1}.items()
    assert sorted(user.email for user in User.objects.all()) == ["ann@example.org", "fresh@example.org"]
    assert ApiToken.objects.count() == 1


def test_superusers_of_the_framework_get_full_accounts() -> None:
    User.objects.create_superuser("root@example.org", "correct horse battery")
    assert run("fix-superusers").err == "Fixed 1 superuser(s).\n"
    assert ports.identity().caller_of(User.objects.get().user_id).is_admin
    assert run("fix-superusers").err == "There is nothing to fix.\n"
