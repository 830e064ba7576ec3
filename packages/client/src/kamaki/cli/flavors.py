"""kamaki flavor: sizes of servers."""

from __future__ import annotations

from typing import Annotated

import typer

from kamaki.cli.context import OutputFormat, cloud
from kamaki.cli.output import Format, show_item, show_list

flavor = typer.Typer(no_args_is_help=True, help="Sizes of servers.")
GROUPS = {"flavor": flavor}


@flavor.command("list")
def list_flavors(
    context: typer.Context, output_format: OutputFormat = Format.TABLE,
    detail: Annotated[bool, typer.Option("--detail", "-l", help="Accepted for old scripts; details are always shown.")] = True,
    ram: Annotated[int | None, typer.Option("--ram", help="Only with this many MiB.")] = None,
    vcpus: Annotated[int | None, typer.Option("--vcpus")] = None,
    disk: Annotated[int | None, typer.Option("--disk", help="Only with this many GiB.")] = None,
) -> None:
    """All flavors."""
    wanted = {key: value for key, value in (("ram", ram), ("vcpus", vcpus), ("disk", disk)) if value is not None}
    found = [item for item in cloud(context).compute.list_flavors()
             if all(item[key] == value for key, value in wanted.items())]
    show_list(found, ("id", "name", "vcpus", "ram", "disk", "SNF:disk_template"), output_format)


@flavor.command("info")
def info(context: typer.Context, flavor_id: Annotated[str, typer.Argument(metavar="ID")],
         output_format: OutputFormat = Format.TABLE) -> None:
    """One flavor."""
    show_item(cloud(context).compute.get_flavor(flavor_id), output_format)
