from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import Count, Q, QuerySet

from synnefo.common.commands import Field, ListCommand
from synnefo.cyclades.models import Flavor


class Command(ListCommand):
    help = "List flavors."
    kind = "flavor"
    deleted_field = "deleted"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "name": Field("name", "Name"),
        "cpu": Field("cpu", "CPUs"),
        "ram": Field("ram", "Memory, MiB"),
        "disk": Field("disk", "Disk, GiB"),
        "template": Field("volume_type__disk_template", "Disk template"),
        "allow_create": Field("allow_create", "Whether new servers may be made from it"),
        "public": Field("public", "Whether everybody may use it"),
        "deleted": Field("deleted", "Whether it is deleted"),
        "servers": Field("live_servers", "Servers that have it"),
    }
    default_fields: ClassVar[Sequence[str]] = ("id", "name", "cpu", "ram", "disk", "template", "allow_create", "public")

    def add_list_arguments(self, parser: CommandParser) -> None:
        """No further options."""

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        return Flavor.objects.select_related("volume_type").annotate(live_servers=Count("servers", filter=Q(servers__deleted=False)))
