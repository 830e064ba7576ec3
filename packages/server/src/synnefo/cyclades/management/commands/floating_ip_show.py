from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from synnefo.common.commands import Field, ShowCommand, object_id
from synnefo.cyclades.models.networks import IPAddress
from synnefo.cyclades.services.floating_ips import find_floating_ip


class Command(ShowCommand):
    help = "Show a floating IP."
    kind = "floating IP"
    argument = "floating_ip"
    argument_type = staticmethod(object_id("floating-ip"))
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "address": Field("address", "Address"),
        "network": Field("network_id", "Its network"),
        "subnet": Field("subnet_id", "Its subnet"),
        "user": Field("user_id", "Owner"),
        "project": Field("project_id", "Project that is charged"),
        "shared_to_project": Field("shared_to_project", "Whether members of the project may use it"),
        "port": Field("port_id", "Its port"),
        "server": Field("port__server_id", "Its server"),
        "created": Field("created_at", "Creation time"),
        "updated": Field("updated_at", "Time of the last change"),
        "deleted": Field("deleted", "Whether it is released"),
    }

    def find(self, key: Any, options: Mapping[str, Any]) -> IPAddress:
        return find_floating_ip(key)
