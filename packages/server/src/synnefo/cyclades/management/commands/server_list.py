from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from synnefo.common.commands import Field, ListCommand
from synnefo.cyclades.models import Server


def _address(version: int) -> Any:
    def first(server: Server) -> str | None:
        return next((address.address for port in server.ports.all() for address in port.addresses.all()
                     if address.ip_version == version and not address.deleted), None)

    return first


class Command(ListCommand):
    help = "List servers."
    kind = "server"
    user_field = "user_id"
    project_field = "project_id"
    deleted_field = "deleted"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "name": Field("name", "Name"),
        "user.uuid": Field("user_id", "Owner"),
        "project": Field("project_id", "Project that is charged"),
        "flavor": Field("flavor__name", "Flavor"),
        "image.id": Field("image_id", "Image it was made from"),
        "operstate": Field("operstate", "State that Ganeti last reported"),
        "task": Field("task", "Action under way"),
        "suspended": Field("suspended", "Whether an operator has suspended it"),
        "deleted": Field("deleted", "Whether it is deleted"),
        "ipv4": Field(_address(4), "First IPv4 address"),
        "ipv6": Field(_address(6), "First IPv6 address"),
        "backend": Field("backend__clustername", "Cluster it runs on"),
        "job": Field("backendjobid", "Last Ganeti job"),
        "job_status": Field("backendjobstatus", "Its status"),
        "created": Field("created_at", "Creation time"),
        "updated": Field("updated_at", "Time of the last change"),
    }
    default_fields: ClassVar[Sequence[str]] = ("id", "name", "user.uuid", "operstate", "task", "ipv4", "flavor", "backend")

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--suspended", action="store_true", help="Only suspended servers")
        parser.add_argument("--build", action="store_true", help="Only servers that are being built")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        rows = Server.objects.select_related("flavor__volume_type", "backend").prefetch_related("ports__addresses")
        if options["suspended"]:
            rows = rows.filter(suspended=True)
        return rows.filter(operstate="BUILD") if options["build"] else rows
