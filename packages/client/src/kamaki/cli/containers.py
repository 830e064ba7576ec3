"""kamaki container: the top folders of the object store."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from kamaki import errors
from kamaki.cli.context import OutputFormat, cloud
from kamaki.cli.output import Format, say, show_item, show_list, size

container = typer.Typer(no_args_is_help=True, help="Containers of the object store.")
GROUPS = {"container": container}
_UNITS = {"b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
Name = Annotated[str, typer.Argument(help="Container name.")]


def parse_size(text: str) -> int:
    """`2GiB`, `500 MB`, `1024`. Raises `UsageError`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    unit = match[2].lower() or "b" if match else ""
    if match is None or unit not in _UNITS:
        raise errors.UsageError(f"{text!r} is no size.", hints=("Write a number and a unit: 500MB, 2GiB",))
    return int(float(match[1]) * _UNITS[unit])


@container.command("list")
def list_containers(context: typer.Context, output_format: OutputFormat = Format.TABLE) -> None:
    """All containers with the number and size of their objects."""
    found = cloud(context).storage.list_containers()
    rows = found if output_format is Format.JSON else [item | {"size": size(item.get("bytes"))} for item in found]
    show_list(rows, ("name", "count", "size", "last_modified"), output_format)


@container.command("info")
def info(context: typer.Context, name: Name, output_format: OutputFormat = Format.TABLE) -> None:
    """Size, policies and metadata of a container."""
    headers = cloud(context).storage.get_container(name)
    show_item({key: value for key, value in headers.items() if key.startswith("x-container-") or key == "last-modified"},
              output_format)


@container.command("create")
def create(
    context: typer.Context, name: Name,
    versioning: Annotated[str | None, typer.Option("--versioning", help="auto or none")] = None,
    limit: Annotated[str | None, typer.Option("--limit", help="Most it may hold, such as 2GiB; 0 is no limit.")] = None,
    project_id: Annotated[str | None, typer.Option("--project-id", help="The project that pays.")] = None,
) -> None:
    """Create a container."""
    quota = parse_size(limit) if limit else None
    new = cloud(context).storage.create_container(name, versioning=versioning, quota_bytes=quota, project=project_id)
    say(f"Created {name}" if new else f"{name} existed already; its options were set")


@container.command("delete")
def delete(
    context: typer.Context, name: Name,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Delete its objects too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a container."""
    if recursive and not yes:
        typer.confirm(f"Delete {name} and everything in it?", abort=True, err=True)
    try:
        cloud(context).storage.delete_container(name, contents=recursive)
    except errors.Conflict as error:
        raise errors.Conflict(str(error), status=409, hints=("Delete the objects with it: -r",)) from error
