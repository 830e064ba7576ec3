"""kamaki file: objects, with progress bars and transfers of missing blocks only."""

from __future__ import annotations

import mimetypes
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kamaki import errors
from kamaki.cli.context import NoProgress, OutputFormat, cloud
from kamaki.cli.output import Format, progress, say, show_item, show_list, size
from kamaki.storage import THREADS, Storage

file = typer.Typer(no_args_is_help=True, help="Objects of the object store.")
GROUPS = {"file": file}
DEFAULT_CONTAINER = "pithos"
Location = Annotated[str, typer.Argument(help="pithos://ACCOUNT/CONTAINER/PATH, /CONTAINER/PATH, or PATH in 'pithos'.")]
Threads = Annotated[int, typer.Option("--threads", min=1, max=32, help="Blocks in flight at once.")]


def locate(storage: Storage, location: str) -> tuple[Storage, str, str]:
    """The storage (of the account named), the container and the path of a location."""
    if location.startswith("pithos://"):
        account, _, rest = location.removeprefix("pithos://").partition("/")
        storage = Storage(storage.api, account)
        location = "/" + rest
    if location.startswith("/"):
        container, _, name = location[1:].partition("/")
        if not container:
            raise errors.UsageError("The location names no container.", hints=("Write /CONTAINER/PATH",))
        return storage, container, name
    return storage, DEFAULT_CONTAINER, location


@file.command("list")
def list_files(
    context: typer.Context, location: Annotated[str, typer.Argument()] = "/" + DEFAULT_CONTAINER,
    output_format: OutputFormat = Format.TABLE,
    delimiter: Annotated[str, typer.Option("--delimiter", help="Fold names at this character.")] = "",
    prefix: Annotated[str, typer.Option("--name-prefix", help="Only names that start so.")] = "",
) -> None:
    """Objects of a container, or below a path."""
    storage, container, path = locate(cloud(context).storage, location)
    found = storage.list_objects(container, prefix=path + prefix, delimiter=delimiter)
    if output_format is Format.JSON:
        show_list(found, (), output_format)
        return
    rows = ({"name": item.get("name") or item["subdir"], "size": size(item["bytes"]) if "bytes" in item else "D",
             "type": item.get("content_type", ""), "modified": item.get("last_modified", "")} for item in found)
    show_list(rows, ("size", "modified", "type", "name"), output_format)


@file.command("info")
def info(
    context: typer.Context, location: Location, output_format: OutputFormat = Format.TABLE,
    hashmap: Annotated[bool, typer.Option("--hashmap", help="The blocks instead of the headers.")] = False,
) -> None:
    """Size, type, version and metadata of an object."""
    storage, container, name = locate(cloud(context).storage, location)
    show_item(storage.get_hashmap(container, name) if hashmap else storage.get_object(container, name), output_format)


@file.command("upload")
def upload(
    context: typer.Context, local: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File to upload.")],
    location: Annotated[str | None, typer.Argument(help="Where to; default /pithos/NAME.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite what is there.")] = False,
    content_type: Annotated[str | None, typer.Option("--content-type", help="Guessed from the name by default.")] = None,
    threads: Threads = THREADS, no_progress: NoProgress = False, output_format: OutputFormat = Format.TABLE,
) -> None:
    """Upload a file: only the blocks that the cloud does not have are sent; an interrupted upload goes on."""
    storage, container, name = locate(cloud(context).storage, location or local.name)
    if not name or name.endswith("/"):
        name += local.name
    kind = content_type or mimetypes.guess_type(local.name)[0]
    total = local.stat().st_size
    with progress(shown=not no_progress) as bars:
        hashing = bars.add_task("hashing  ", total=total)
        sending = bars.add_task("uploading", total=total)
        stored = storage.upload(local, container, name, overwrite=force, content_type=kind, threads=threads,
                                on_hash=lambda amount: bars.advance(hashing, amount),
                                on_block=lambda amount: bars.advance(sending, amount))
    if output_format is Format.JSON:
        show_item(stored, output_format)
    else:
        say(f"Uploaded {local} to /{container}/{name} ({size(total)})")


@file.command("download")
def download(
    context: typer.Context, location: Location,
    local: Annotated[Path | None, typer.Argument(help="File or directory; default the object's base name here.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", "--resume", help="Replace the file, keeping blocks that match.")] = False,
    threads: Threads = THREADS, no_progress: NoProgress = False,
) -> None:
    """Download an object: distinct blocks once, several at a time."""
    storage, container, name = locate(cloud(context).storage, location)
    target = local or Path(Path(name).name)
    if target.is_dir():
        target = target / Path(name).name
    if target.exists() and not force:
        raise errors.UsageError(f"{target} exists.", hints=("Use -f to replace it; blocks that match are kept",))
    with progress(shown=not no_progress) as bars:
        total = int(storage.get_object(container, name).get("content-length", 0))
        task = bars.add_task("downloading", total=total)
        done = storage.download(container, name, target, resume=force, threads=threads,
                                on_block=lambda amount: bars.advance(task, amount))
    say(f"Downloaded /{container}/{name} to {target} ({size(done)})")


@file.command("cat")
def cat(context: typer.Context, location: Location) -> None:
    """Write an object's content to standard output."""
    storage, container, name = locate(cloud(context).storage, location)
    for piece in storage.read_object(container, name):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


@file.command("delete")
def delete(context: typer.Context, location: Location,
           yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Delete an object. Older versions are kept if the container keeps versions."""
    storage, container, name = locate(cloud(context).storage, location)
    if not name:
        raise errors.UsageError("This names a container.", hints=(f"kamaki container delete {container}",))
    if not yes:
        typer.confirm(f"Delete /{container}/{name}?", abort=True, err=True)
    storage.delete_object(container, name)


def meta_of(headers: dict[str, str]) -> dict[str, Any]:
    """The object's own metadata out of its headers."""
    return {key.removeprefix("x-object-meta-"): value for key, value in headers.items() if key.startswith("x-object-meta-")}
