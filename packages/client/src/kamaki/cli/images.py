"""kamaki image: what machines are made from."""

from __future__ import annotations

from typing import Annotated

import typer

from kamaki import errors
from kamaki.cli.context import OutputFormat, cloud
from kamaki.cli.files import locate
from kamaki.cli.output import Format, say, show_item, show_list, size

image = typer.Typer(no_args_is_help=True, help="Images to make servers from.")
GROUPS = {"image": image}
ImageID = Annotated[str, typer.Argument(metavar="ID", help="The image's uuid.")]


@image.command("list")
def list_images(context: typer.Context, output_format: OutputFormat = Format.TABLE) -> None:
    """Public images and one's own."""
    found = cloud(context).images.list_images()
    rows = found if output_format is Format.JSON else [
        item | {"size": size(int(item.get("size") or 0)), "os": (item.get("properties") or {}).get("OS", "")} for item in found]
    show_list(rows, ("id", "name", "size", "os", "disk_format", "status"), output_format)


@image.command("info")
def info(context: typer.Context, image_id: ImageID, output_format: OutputFormat = Format.TABLE) -> None:
    """One image with its properties."""
    show_item(cloud(context).images.get_image(image_id), output_format)


@image.command("register")
def register(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="Name of the image.")],
    location: Annotated[str, typer.Option("--location", help="The object: /CONTAINER/PATH or pithos://...")],
    public: Annotated[bool, typer.Option("--public", help="Everybody may use it.")] = False,
    properties: Annotated[list[str] | None, typer.Option("--property", "-p", metavar="KEY=VALUE")] = None,
    disk_format: Annotated[str, typer.Option("--disk-format")] = "diskdump",
    container_format: Annotated[str, typer.Option("--container-format")] = "bare",
    output_format: OutputFormat = Format.TABLE,
) -> None:
    """Make an uploaded file an image."""
    found = cloud(context)
    storage, container, path = locate(found.storage, location)
    parsed = {}
    for item in properties or []:
        key, equals, value = item.partition("=")
        if not equals:
            raise errors.UsageError(f"--property {item}: KEY=VALUE is needed.")
        parsed[key.upper().replace("-", "_")] = value
    image_ = found.images.register_image(name, f"pithos://{storage.account}/{container}/{path}", properties=parsed,
                                         is_public=public, disk_format=disk_format, container_format=container_format)
    show_item(image_, output_format)


@image.command("unregister")
def unregister(context: typer.Context, image_id: ImageID) -> None:
    """Take the image off the list; the file stays."""
    cloud(context).images.unregister_image(image_id)
    say("Unregistered. The file is still in the object store.")
