"""The typed registry of settings: the only code that reads setting files and the environment.

Each service declares its settings in its `app_settings.py` with `declare(...)`. Sources, later ones win: declared
defaults, `/etc/synnefo/*.conf` (Python fragments executed in name order in one namespace; `SYNNEFO_SETTINGS_DIR` moves
the directory), environment variables `SYNNEFO_<NAME>` (JSON, or plain text for string settings) and
`SYNNEFO_<NAME>_FILE` (a file holding the value). All wrong values are reported at once.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

DEFAULT_DIRECTORY = "/etc/synnefo"
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `type` is any type pydantic can validate; `unit` and `help` are for people."""

    name: str
    type: Any
    default: Any
    help: str
    service: str
    unit: str = ""
    secret: bool = False

    def parse(self, value: Any) -> Any:
        return TypeAdapter(self.type).validate_python(value)


class SettingsError(Exception):
    """Start-up must stop. The text lists every problem found, one a line."""


@dataclass(slots=True)
class _Value:
    value: Any
    origin: str


class Registry:
    """All declared settings and their values. Values are read as attributes: `conf.PITHOS_BASE_URL`."""

    def __init__(self) -> None:
        self._settings: dict[str, Setting] = {}
        self._families: list[tuple[re.Pattern[str], Setting]] = []
        self._obsolete: dict[str, str] = {}
        self._values: dict[str, _Value] = {}
        self.warnings: list[str] = []

    def declare(
        self, service: str, name: str, type_: Any, default: Any, help_: str, *, unit: str = "", secret: bool = False
    ) -> None:
        """Add a setting. Declaring the same name twice with another meaning is a programming error."""
        setting = Setting(name, type_, default, help_, service, unit, secret)
        known = self._settings.get(name)
        if known is not None and known != setting:
            raise RuntimeError(f"setting {name} is declared twice")
        self._settings[name] = setting
        self._values.setdefault(name, _Value(default, "default"))

    def declare_family(self, service: str, pattern: str, type_: Any, help_: str, *, secret: bool = False) -> None:
        """Allow settings whose names are open, such as `ASTAKOS_<MESSAGE>_MESSAGE`. `pattern` is a regular expression
        for the whole name, with one group for each open part; `find` reads them.
        """
        setting = Setting(pattern, type_, None, help_, service, secret=secret)
        if all(known.name != pattern for _, known in self._families):
            self._families.append((re.compile(pattern), setting))

    def declare_obsolete(self, name: str, advice: str) -> None:
        """A name of old installations that means nothing now; `advice` tells what to do in its place."""
        self._obsolete[name] = advice

    def find(self, name: str) -> Any:
        """The value of a setting of a family, None while it is not set."""
        known = self._values.get(name)
        return None if known is None else known.value

    def _setting(self, name: str) -> Setting | None:
        """The setting of that name, made on the spot for a member of a family."""
        if name in self._settings:
            return self._settings[name]
        family = next((setting for pattern, setting in self._families if pattern.fullmatch(name)), None)
        return None if family is None else replace(family, name=name)

    def load(self, directory: str | None = None, environ: Mapping[str, str] | None = None) -> None:
        """Read every source. Raises `SettingsError` naming all bad values; unknown names only warn."""
        environ = os.environ if environ is None else environ
        directory = directory or environ.get("SYNNEFO_SETTINGS_DIR", DEFAULT_DIRECTORY)
        problems: list[str] = []
        self.warnings = []
        self._values = {name: _Value(setting.default, "default") for name, setting in self._settings.items()}
        for name, value, origin in self._sources(directory, environ, problems):
            self._apply(name, value, origin, problems)
        if problems:
            raise SettingsError("\n".join(problems))

    def _sources(
        self, directory: str, environ: Mapping[str, str], problems: list[str]
    ) -> Iterator[tuple[str, Any, str]]:
        namespace: dict[str, Any] = {}
        for path in sorted(Path(directory).glob("*.conf")):
            before = dict(namespace)
            try:
                exec(compile(path.read_text("utf-8"), str(path), "exec"), namespace)  # noqa: S102 - operators' own files
            except Exception as error:  # noqa: BLE001 - a process boundary: the file is reported and start-up stops
                problems.append(f"{path}: {type(error).__name__}: {error}")
                continue
            for name, value in namespace.items():
                if name.isupper() and before.get(name, _MISSING) is not value:
                    yield name, value, str(path)
        for name, setting in self._environment_settings(environ):
            key = f"SYNNEFO_{name}"
            if f"{key}_FILE" in environ:
                yield name, _from_text(setting, Path(environ[f"{key}_FILE"]).read_text("utf-8").strip()), f"${key}_FILE"
            if key in environ:
                yield name, _from_text(setting, environ[key]), f"${key}"

    def _environment_settings(self, environ: Mapping[str, str]) -> Iterator[tuple[str, Setting]]:
        yield from self._settings.items()
        for name in dict.fromkeys(key.removeprefix("SYNNEFO_").removesuffix("_FILE") for key in sorted(environ) if key.startswith("SYNNEFO_")):
            if name not in self._settings and (setting := self._setting(name)) is not None:
                yield name, setting

    def _apply(self, name: str, value: Any, origin: str, problems: list[str]) -> None:
        setting = self._setting(name)
        if setting is None:
            if name in self._obsolete:
                self.warnings.append(f"{origin}: {name} is obsolete: {self._obsolete[name]}")
                return
            close = difflib.get_close_matches(name, self._settings, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            self.warnings.append(f"{origin}: unknown setting {name}{hint}")
            return
        try:
            self._values[name] = _Value(setting.parse(value), origin)
        except ValidationError as error:
            reason = "; ".join(item["msg"] for item in error.errors(include_url=False, include_input=False))
            problems.append(f"{origin}: {name}: {reason}")

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name].value
        except KeyError:
            raise AttributeError(f"no setting named {name} is declared") from None

    def override(self, **values: Any) -> dict[str, Any]:
        """Set values directly (tests, command line). Returns the previous ones, to be set back."""
        previous = {name: self.find(name) for name in values}
        for name, value in values.items():
            setting = self._setting(name)
            if setting is None:
                raise AttributeError(f"no setting named {name} is declared")
            if value is None and name not in self._settings:
                self._values.pop(name, None)
            else:
                self._values[name] = _Value(setting.parse(value), "override")
        return previous

    def families(self) -> list[Setting]:
        """The settings with open names, their patterns in place of a name."""
        return [setting for _, setting in self._families]

    def describe(self) -> Iterator[tuple[Setting, Any, str]]:
        """Every setting with its value (secrets masked) and where the value came from, by service and name."""
        for setting in sorted(self._settings.values(), key=lambda item: (item.service, item.name)):
            current = self._values[setting.name]
            masked = "********" if setting.secret and current.value else current.value
            yield setting, masked, current.origin


def _from_text(setting: Setting, text: str) -> Any:
    if setting.type is str or setting.type == (str | None):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


conf = Registry()
