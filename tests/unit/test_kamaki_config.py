"""The client's configuration file and what it says when something is missing."""

from pathlib import Path

import pytest

from kamaki.cli.containers import parse_size
from kamaki.config import Config
from kamaki.errors import UsageError


def test_options_survive_being_written_and_only_the_owner_may_read_them(tmp_path: Path) -> None:
    config = Config(tmp_path / "kamakirc")
    config.set("cloud.my~cloud.url", "https://example.org/identity/v2.0")
    config.set("cloud.my~cloud.token", "t0ken")
    config.write()

    again = Config(tmp_path / "kamakirc")
    assert again.get("cloud.my~cloud.token") == "t0ken"
    assert again.choose_cloud() == ("my~cloud", {"url": "https://example.org/identity/v2.0", "token": "t0ken"})
    assert (tmp_path / "kamakirc").stat().st_mode & 0o777 == 0o600
    assert not again.is_exposed()


def test_an_exposed_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "kamakirc"
    path.write_text("[global]\n")
    path.chmod(0o644)
    assert Config(path).is_exposed()


def test_the_guides_spelling_of_sections_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "kamakirc"
    path.write_text('[cloud "a"]\nurl = u\n[cloud.b]\nurl = v\n')
    assert set(Config(path).clouds) == {"a", "b"}


@pytest.mark.parametrize("key", ["nonsense", "global.nonsense", "cloud.bad name.url"])
def test_an_unknown_key_is_refused_with_the_known_ones(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Config(tmp_path / "none").set(key, "x")
    assert refusal.value.hints


def test_several_clouds_and_no_choice_name_the_clouds(tmp_path: Path) -> None:
    path = tmp_path / "kamakirc"
    path.write_text("[cloud.a]\nurl = u\n[cloud.b]\nurl = v\n")
    with pytest.raises(UsageError) as refusal:
        Config(path).choose_cloud()
    assert "a, b" in refusal.value.hints[0]


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("2GiB", 2 * 2**30), ("500 MB", 500 * 10**6), ("1.5KiB", 1536)])
def test_sizes_are_read_with_their_units(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "GiB", "5 parsecs"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)
