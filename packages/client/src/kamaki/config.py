"""The configuration file: `[global]` and one `[cloud.NAME]` section a cloud, readable by its owner only."""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path

from kamaki.errors import UsageError

HEADER = "# kamaki configuration file, version 1\n"
DEFAULT_PATH = Path("~/.kamakirc")
GLOBAL_DEFAULTS = {"default_cloud": "", "ca_certs": "", "ignore_ssl": "off"}
SECRET_OPTIONS = {"token"}
_CLOUD_NAME = re.compile(r"^[A-Za-z0-9_~@#$.:-]+$")
_SECTION = re.compile(r'^cloud[ .]"?([^"]+)"?$')


class Config:
    """Options by key: `global.OPTION` (or bare `OPTION`) and `cloud.NAME.OPTION`."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = (path or Path(os.environ.get("KAMAKI_CONFIG", DEFAULT_PATH))).expanduser()
        self.globals: dict[str, str] = {}
        self.clouds: dict[str, dict[str, str]] = {}
        self._read()

    def _read(self) -> None:
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(self.path.read_text("utf-8"), str(self.path))
        except FileNotFoundError:
            return
        except (OSError, configparser.Error, UnicodeDecodeError) as error:
            raise UsageError(f"The configuration file {self.path} cannot be read: {error}") from error
        for section in parser.sections():
            match = _SECTION.match(section)
            if match:
                self.clouds[match[1]] = dict(parser[section])
            elif section == "global":
                self.globals = dict(parser[section])

    def write(self) -> None:
        """Replace the file in one step, mode 0600."""
        parser = configparser.RawConfigParser()
        parser["global"] = self.globals
        for name, options in self.clouds.items():
            parser[f'cloud "{name}"'] = options
        temporary = self.path.with_name(self.path.name + ".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(HEADER)
            parser.write(stream)
        temporary.replace(self.path)

    def is_exposed(self) -> bool:
        """Whether others than the owner may read the file."""
        return self.path.exists() and bool(self.path.stat().st_mode & 0o077)

    def _place(self, key: str) -> tuple[dict[str, str], str]:
        parts = key.split(".")
        if parts[0] == "cloud" and len(parts) >= 3:
            name = ".".join(parts[1:-1])
            if not _CLOUD_NAME.match(name):
                raise UsageError(f"{name!r} is no name for a cloud.", hints=("Use letters, digits and _ ~ @ # $ . : -",))
            return self.clouds.setdefault(name, {}), parts[-1]
        option = key.removeprefix("global.")
        if "." in option or option not in GLOBAL_DEFAULTS:
            known = ", ".join([*(f"global.{name}" for name in GLOBAL_DEFAULTS), "cloud.NAME.url", "cloud.NAME.token"])
            raise UsageError(f"There is no option {key!r}.", hints=(f"Options: {known}",))
        return self.globals, option

    def get(self, key: str) -> str:
        """Raises `UsageError` when the option has no value."""
        section, option = self._place(key)
        value = section.get(option, GLOBAL_DEFAULTS.get(option) if section is self.globals else None)
        if value is None:
            raise UsageError(f"The option {key} is not set.", hints=(f"To set it: kamaki config set {key} VALUE",))
        return value

    def set(self, key: str, value: str) -> None:
        section, option = self._place(key)
        section[option] = value

    def delete(self, key: str) -> None:
        section, option = self._place(key)
        section.pop(option, None)

    def items(self) -> dict[str, str]:
        """Every option with its value, defaults included."""
        found = {f"global.{name}": value for name, value in (GLOBAL_DEFAULTS | self.globals).items()}
        for cloud, options in self.clouds.items():
            found |= {f"cloud.{cloud}.{name}": value for name, value in options.items()}
        return found

    def choose_cloud(self, name: str | None = None) -> tuple[str, dict[str, str]]:
        """The cloud named, else the default, else the only one. Raises `UsageError` saying what to do."""
        name = name or self.globals.get("default_cloud") or os.environ.get("KAMAKI_DEFAULT_CLOUD")
        if not name and len(self.clouds) == 1:
            name = next(iter(self.clouds))
        if not name:
            hints = ("kamaki config set cloud.default.url IDENTITY_URL", "kamaki config set cloud.default.token TOKEN")
            if self.clouds:
                hints = (f"Clouds: {', '.join(self.clouds)}", "kamaki config set global.default_cloud NAME")
            raise UsageError("No cloud is chosen.", hints=hints)
        if name not in self.clouds:
            raise UsageError(f"There is no cloud named {name!r} in {self.path}.",
                             hints=(f"Clouds: {', '.join(self.clouds) or 'none'}",))
        return name, self.clouds[name]
