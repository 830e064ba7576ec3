from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from synnefo.common.commands import Amount, Field, TableCommand
from synnefo.common.ids import ProjectID, UserID
from synnefo.common.ports import Caller
from synnefo.cyclades.services import images

EVERYBODY = Caller(UserID("*"), "", "", ProjectID("*"))
"""Sees what is public."""


class Command(TableCommand):
    help = "List public images, or with --user also those that a user may use."
    kind = "image"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"), "name": Field("name", "Name"), "user.uuid": Field("owner", "Owner"),
        "public": Field("is_public", "Whether everybody may use it"), "size": Field(lambda image: Amount(image.size_bytes, "bytes"), "Size"),
        "disk_format": Field("disk_format", "Format"), "mapfile": Field("mapfile", "Its block map"), "location": Field("location", "Its file"),
        "created": Field("created_at", "Creation time"),
    }
    default_fields: ClassVar[Sequence[str]] = ("id", "name", "user.uuid", "public", "size", "disk_format")

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--of-user", help="Show what this user (uuid) may use")

    def get_rows(self, options: Mapping[str, Any]) -> Iterable[object]:
        user = options.get("of_user")
        return images.list_images(Caller(UserID(user), "", "", ProjectID(user)) if user else EVERYBODY)
