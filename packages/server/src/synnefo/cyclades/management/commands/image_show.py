from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from synnefo.common.commands import Amount, Field, ShowCommand
from synnefo.common.errors import NotFound
from synnefo.common.ports import object_store
from synnefo.cyclades.management.commands.image_list import EVERYBODY
from synnefo.cyclades.services import images


class Command(ShowCommand):
    help = "Show an image with its properties."
    kind = "image"
    argument = "image"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"), "name": Field("name", "Name"), "user.uuid": Field("owner", "Owner"),
        "public": Field("is_public", "Whether everybody may use it"), "size": Field(lambda image: Amount(image.size_bytes, "bytes"), "Size"),
        "disk_format": Field("disk_format", "Format"), "container_format": Field("container_format", "Container format"),
        "mapfile": Field("mapfile", "Its block map"), "location": Field("location", "Its file"), "properties": Field("properties", "Properties"),
        "created": Field("created_at", "Creation time"), "updated": Field("updated_at", "Time of the last change"),
    }

    def find(self, text: str, options: Mapping[str, Any]) -> object:
        item = object_store().get_object_by_uuid(EVERYBODY, text.lower(), domain=images.DOMAIN, check_permissions=False)
        if images.PREFIX + "name" not in item.meta:
            raise NotFound(f"Image {text} does not exist. Try: snf-manage image-list")
        return images.as_image(item)
