"""Where everything of a one-box cloud lies, and the facts that outlive a run."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent


def default_directory() -> Path:
    if "SYNNEFO_STATE_DIR" in os.environ:
        return Path(os.environ["SYNNEFO_STATE_DIR"])
    if os.geteuid() == 0:
        return Path("/var/lib/synnefo")
    return Path.home() / ".local/state/synnefo"


@dataclass(frozen=True)
class State:
    """The state directory. All paths below it are properties, so that nothing else spells them."""

    directory: Path

    @property
    def settings_dir(self) -> Path:
        return self.directory / "etc"

    @property
    def run(self) -> Path:
        return self.directory / "run"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def database(self) -> Path:
        return self.directory / "db" / "synnefo.sqlite3"

    @property
    def blocks(self) -> Path:
        return self.directory / "blocks"

    @property
    def events(self) -> Path:
        return self.directory / "events"

    @property
    def ganeti(self) -> Path:
        return self.directory / "ganeti"

    @property
    def images(self) -> Path:
        return self.directory / "images"

    @property
    def cache(self) -> Path:
        """Kept by `reset`: downloads and built images."""
        return self.directory / "cache"

    @property
    def ssh_key(self) -> Path:
        return self.directory / "demo_ssh_key"

    @property
    def kamaki_config(self) -> Path:
        return self.directory / "kamakirc"

    @property
    def facts_file(self) -> Path:
        return self.directory / "onebox.json"

    def make(self) -> None:
        """Create the directories; only the owner may look inside."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o711)
        for path in (self.settings_dir, self.run, self.log, self.database.parent, self.blocks, self.events,
                     self.ganeti, self.images, self.cache):
            path.mkdir(parents=True, exist_ok=True)
        for path in (self.settings_dir, self.database.parent, self.run):
            path.chmod(0o700)

    def facts(self) -> dict[str, Any]:
        """What earlier runs decided or learned: port, back end, credentials, finished steps."""
        try:
            return dict(json.loads(self.facts_file.read_text("utf-8")))
        except FileNotFoundError:
            return {}

    def remember(self, **facts: Any) -> dict[str, Any]:
        """Add facts, durably and readable by the owner only. None removes a fact."""
        known = self.facts() | facts
        known = {key: value for key, value in known.items() if value is not None}
        temporary = self.facts_file.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(known, stream, indent=2, sort_keys=True)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.facts_file)
        return known

    def secret(self, name: str) -> str:
        """A random secret made at first use and the same ever after."""
        known = self.facts().get("secrets", {})
        if name not in known:
            known[name] = _SECRETS.get(name, _password)()
            self.remember(secrets=known)
        return str(known[name])


def _password() -> str:
    """Long enough to be safe, short enough to type: 16 characters with every kind the API asks for."""
    alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    while True:
        word = "".join(secrets.choice(alphabet) for _ in range(16))
        if any(c.isdigit() for c in word) and any(c.isupper() for c in word) and any(c.islower() for c in word):
            return word


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


_SECRETS = {"django": lambda: secrets.token_urlsafe(48), "encryption": _fernet_key}
