"""kamaki config: the configuration file."""

from __future__ import annotations

from typing import Annotated

import typer

from kamaki.cli.context import OutputFormat, session
from kamaki.cli.output import Format, say, show_item
from kamaki.config import SECRET_OPTIONS

config = typer.Typer(no_args_is_help=True, help="Read and change the configuration file.")
GROUPS = {"config": config}
Key = Annotated[str, typer.Argument(help="global.OPTION or cloud.NAME.OPTION")]


@config.command("list")
def list_options(
    context: typer.Context, output_format: OutputFormat = Format.TABLE,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print tokens instead of masking them.")] = False,
) -> None:
    """Every option with its value, defaults included."""
    items = session(context).config.items()
    if not show_secrets:
        items = {key: "********" if key.split(".")[-1] in SECRET_OPTIONS else value for key, value in items.items()}
    show_item(items, output_format)


@config.command("get")
def get_option(context: typer.Context, key: Key) -> None:
    """One option's value."""
    typer.echo(session(context).config.get(key))


@config.command("set")
def set_option(context: typer.Context, key: Key, value: Annotated[str, typer.Argument()]) -> None:
    """Set an option and write the file."""
    found = session(context).config
    found.set(key, value)
    found.write()
    say(f"{key} is set in {found.path}")


@config.command("delete")
def delete_option(context: typer.Context, key: Key) -> None:
    """Remove an option, so that its default holds again."""
    found = session(context).config
    found.delete(key)
    found.write()
