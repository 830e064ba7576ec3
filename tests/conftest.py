"""Shared set-up of all tests: an isolated configuration before Django starts, on SQLite or PostgreSQL.

`SYNNEFO_TEST_DATABASE_URL` chooses the database (`./synnefo test` runs the data tests on both).
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import django
import pytest

ROOT = Path(__file__).resolve().parent.parent
for distribution in ("server", "node", "client"):
    sys.path.insert(0, str(ROOT / "packages" / distribution / "src"))
sys.path.insert(0, str(ROOT))

_directory = tempfile.mkdtemp(prefix="synnefo-test-")
for name in [key for key in os.environ if key.startswith("SYNNEFO_") and not key.startswith("SYNNEFO_TEST_")]:
    del os.environ[name]
os.environ.update(
    DJANGO_SETTINGS_MODULE="synnefo.project.settings",
    SYNNEFO_SETTINGS_DIR=f"{_directory}/etc",
    SYNNEFO_DATABASE_URL=os.environ.get("SYNNEFO_TEST_DATABASE_URL", f"sqlite:///{_directory}/test.sqlite3"),
    SYNNEFO_SECRET_KEY="tests only",
    SYNNEFO_SECRET_ENCRYPTION_KEY='["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]',
    SYNNEFO_ALLOWED_HOSTS='["*"]',
    SYNNEFO_SESSION_COOKIE_SECURE="false",
    SYNNEFO_STATE_DIR=_directory,
    SYNNEFO_LOG_DIR=f"{_directory}/log",
    SYNNEFO_SNF_MANAGE_USER="",
    SYNNEFO_EVENTS_URL=f'["spool://{_directory}/events"]',
    SYNNEFO_ASTAKOS_BASE_URL="http://testserver/astakos",
    SYNNEFO_CYCLADES_BASE_URL="http://testserver/cyclades",
    SYNNEFO_PITHOS_BASE_URL="http://testserver/pithos",
)
# pytest-django reads the environment before this file is loaded, so it finds nothing to set up by itself.
django.setup()


@pytest.fixture
def settings_override() -> Iterator[object]:
    """Change registry settings for one test: `settings_override(PITHOS_BACKEND_VERSIONING="none")`."""
    from synnefo.common.settings import conf

    previous: dict[str, object] = {}

    def change(**values: object) -> None:
        for name, value in conf.override(**values).items():
            previous.setdefault(name, value)

    yield change
    conf.override(**previous)
