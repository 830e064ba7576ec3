from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from synnefo.common.commands import Field, ShowCommand, object_id
from synnefo.common.errors import NotFound
from synnefo.cyclades.models.networks import Port


class Command(ShowCommand):
    help = "Show a port and its addresses."
    kind = "port"
    argument_type = staticmethod(object_id("nic"))
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "name": Field("name", "Name"),
        "user": Field("user_id", "Owner"),
        "server": Field("server_id", "Its server"),
        "network": Field("network_id", "Its network"),
        "device_owner": Field("device_owner", "Kind of device"),
        "mac": Field("mac", "MAC address"),
        "index": Field("index", "Place in the server"),
        "firewall_profile": Field("firewall_profile", "Firewall profile"),
        "state": Field("state", "State"),
        "detaching": Field("detaching", "Whether it is being removed"),
    }

    def find(self, key: Any, options: Mapping[str, Any]) -> Port:
        port = Port.objects.filter(pk=key).first()
        if port is None:
            raise NotFound(f"Port with ID {key} does not exist. Try: snf-manage port-list")
        return port

    def sections(
        self, found: Any, options: Mapping[str, Any]
    ) -> list[tuple[str, Sequence[str], Iterable[Sequence[Any]]]]:
        rows = found.addresses.filter(deleted=False).select_related("subnet").order_by("id")
        cells = [(row.address, row.network_id, row.subnet_id, row.subnet.cidr, row.floating_ip) for row in rows]
        return [("IPs", ("Address", "Network", "Subnet", "CIDR", "is_floating"), cells)]
