"""The `kamaki` command: groups of commands, one module a group."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kamaki import errors
from kamaki.cli import (
    commissions,
    configuration,
    containers,
    files,
    flavors,
    identity,
    images,
    networks,
    projects,
    servers,
)
from kamaki.cli.context import Session, explain
from kamaki.cli.output import stderr

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich",
                  help="Command line of Synnefo clouds.", context_settings={"help_option_names": ["-h", "--help"]})
for module in (configuration, identity, projects, commissions, containers, files, images, flavors, networks, servers):
    for name, group in module.GROUPS.items():
        app.add_typer(group, name=name)


def _version(wanted: bool) -> None:
    if wanted:
        from kamaki import __version__

        typer.echo(f"kamaki {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file (default ~/.kamakirc).")] = None,
    cloud: Annotated[str | None, typer.Option("--cloud", help="Which of the configured clouds.")] = None,
    set_options: Annotated[list[str] | None, typer.Option("--options", "-o", metavar="KEY=VALUE",
                                                          help="Override an option of the file for this run.")] = None,
    ca_certs: Annotated[str | None, typer.Option("--ca-certs", help="File of certificates to trust.")] = None,
    insecure: Annotated[bool, typer.Option("--ignore-ssl", "--insecure", "-k", help="Do not check certificates.")] = False,
    version: Annotated[bool, typer.Option("--version", "-V", callback=_version, is_eager=True)] = False,
) -> None:
    overrides = {}
    for item in set_options or []:
        key, equals, value = item.partition("=")
        if not equals:
            raise errors.UsageError(f"-o {item}: KEY=VALUE is needed.")
        overrides[key] = value
    context.obj = Session(config, cloud, ca_certs, insecure, overrides)


def main() -> None:
    """Run a command. An error is explained in words; its kind is the exit code."""
    try:
        app()
    except errors.KamakiError as error:
        explain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        stderr.print("Canceled by user")
        sys.exit(130)
