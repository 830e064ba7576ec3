from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet

from synnefo.common.commands import Field, ListCommand
from synnefo.cyclades.models.networks import IPAddress


class Command(ListCommand):
    help = "List floating IPs."
    kind = "floating IP"
    user_field = "user_id"
    project_field = "project_id"
    deleted_field = "deleted"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "user.uuid": Field("user_id", "Owner"),
        "address": Field("address", "Address"),
        "network": Field("network_id", "Its network"),
        "port": Field("port_id", "Its port"),
        "server": Field("port__server_id", "Its server"),
        "created": Field("created_at", "Creation time"),
        "deleted": Field("deleted", "Whether it is released"),
        "project": Field("project_id", "Project that is charged"),
    }
    default_fields: ClassVar[Sequence[str]] = ("id", "address", "network", "server", "port", "user.uuid", "created")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        return IPAddress.objects.filter(floating_ip=True).select_related("port")
