"""What is said of settings that are wrong for a cloud that others use, or that come from an old one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from synnefo.common.settings import Registry, conf
from synnefo.project import checks
from tests.support.commands import run

GOOD = {"SECRET_KEY": "q9Zx-7Lm2!vB4nT8wK1sD6fG3hJ5pR0yU", "ASTAKOS_COOKIE_DOMAIN": ".example.org",
        **{name: f"https://{service}.example.org/{service}" for service, name in checks.ADDRESSES.items()}}


def found() -> set[str]:
    return {str(message.id) for check in (checks.check_secret_key, checks.check_addresses, checks.check_cookie_domain) for message in check()}


@pytest.mark.parametrize(("changed", "complaint"), [
    ({}, ""), ({"SECRET_KEY": "x" * 50}, "E001"), ({"SECRET_KEY": "short"}, "E001"), ({"PITHOS_BASE_URL": "http://pithos.example.org/pithos"}, "E002"),
    ({"ASTAKOS_COOKIE_DOMAIN": ""}, "E003"), (dict.fromkeys(checks.ADDRESSES.values(), "https://one.example.org/x") | {"ASTAKOS_COOKIE_DOMAIN": ""}, ""),
    (dict.fromkeys(checks.ADDRESSES.values(), "http://127.0.0.1:8080/x"), "")])
def test_settings_of_a_cloud_for_others(settings_override: Any, changed: dict[str, str], complaint: str) -> None:
    settings_override(**GOOD | changed)
    assert found() == ({f"synnefo.{complaint}"} if complaint else set())


def test_the_command_fails_when_something_is_wrong(settings_override: Any) -> None:
    settings_override(**GOOD | {"PITHOS_BASE_URL": "http://pithos.example.org/pithos"})
    done = run("check", "--deploy")
    assert done.code == 1
    assert "PITHOS_BASE_URL is not https" in done.err


def test_names_of_old_installations_are_told_apart_from_slips(tmp_path: Path) -> None:
    (tmp_path / "old.conf").write_text('ASTAKOS_SITENAME = "x"\nNEW_NAME = 2\n')
    registry = Registry()
    registry.declare("astakos", "NEW_NAMES", int, 1, "")
    registry.declare_obsolete("ASTAKOS_SITENAME", "set BRANDING_SERVICE_NAME")
    registry.load(str(tmp_path), {})
    obsolete, unknown = registry.warnings
    assert obsolete.endswith("ASTAKOS_SITENAME is obsolete: set BRANDING_SERVICE_NAME")
    assert unknown.endswith("unknown setting NEW_NAME; did you mean NEW_NAMES?")
    assert {"ASTAKOS_SITENAME", "ASTAKOS_SKIP_EMAIL_VERIFICATION", "ASTAKOS_DEFAULT_FROM_EMAIL"} <= set(conf._obsolete)
