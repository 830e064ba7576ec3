"""What every command shares: the chosen cloud, the output format, and how errors are explained."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated

import typer

from kamaki.cli.output import Format, stderr
from kamaki.cloud import Cloud
from kamaki.config import Config
from kamaki.errors import KamakiError, RequestFailed, UsageError

OutputFormat = Annotated[Format, typer.Option("--output-format", help="How the result is printed.")]
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait until it is done.")]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds to wait at most.")]
NoProgress = Annotated[bool, typer.Option("--no-progress-bar", "-N", help="Show no progress bar.")]


@dataclass
class Session:
    """The options before the command."""

    config_path: Path | None = None
    cloud_name: str | None = None
    ca_certs: str | None = None
    ignore_ssl: bool = False
    overrides: dict[str, str] = field(default_factory=dict)

    @cached_property
    def config(self) -> Config:
        config = Config(self.config_path)
        for key, value in self.overrides.items():
            config.set(key, value)
        return config

    @cached_property
    def cloud(self) -> Cloud:
        """Raises `UsageError` when no cloud is configured."""
        name, options = self.config.choose_cloud(self.cloud_name)
        if self.config.is_exposed():
            stderr.print(f"[yellow]Others can read {self.config.path}, which holds your token: chmod 600 it.[/yellow]")
        token = os.environ.get("KAMAKI_TOKEN") or options.get("token", "").split(" ")[0]
        if not options.get("url") or not token:
            raise UsageError(f"The cloud {name!r} has no url or no token.",
                             hints=(f"kamaki config set cloud.{name}.url IDENTITY_URL",
                                    f"kamaki config set cloud.{name}.token TOKEN"))
        verify: bool | str = self.ca_certs or self.config.get("ca_certs") or True
        if self.ignore_ssl or self.config.get("ignore_ssl") == "on":
            verify = False
        endpoints = {_TYPES[key.removesuffix("_url")]: value for key, value in options.items()
                     if key.removesuffix("_url") in _TYPES}
        return Cloud(options["url"], token, endpoints=endpoints, verify=verify)


_TYPES = {"cyclades": "compute", "pithos": "object-store", "network": "network", "plankton": "image", "astakos": "account"}


def session(context: typer.Context) -> Session:
    found: Session = context.find_root().obj
    return found


def cloud(context: typer.Context) -> Cloud:
    return session(context).cloud


def explain(error: KamakiError) -> None:
    """The message, then lines starting with a bar: details and what to do."""
    status = f" ({error.status})" if isinstance(error, RequestFailed) else ""
    stderr.print(f"[red]{_plain(str(error))}{status}[/red]", highlight=False)
    details = error.details if isinstance(error, RequestFailed) else ""
    for line in [*details.splitlines(), *error.hints]:
        stderr.print(f"|  {_plain(line)}", highlight=False)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
