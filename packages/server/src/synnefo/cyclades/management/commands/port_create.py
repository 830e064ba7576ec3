from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, object_id, resolve_user
from synnefo.cyclades.services import port_verbs


class Command(BaseCommand):
    help = "Create a port, on a public network too, and attach it to a server if one is given."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", default="", help="Name.")
        parser.add_argument("--user", "--owner", dest="user", help="Owner (uuid or e-mail); the server's by default.")
        parser.add_argument("--network", type=object_id("network"), required=True, help="The network.")
        parser.add_argument("--server", type=object_id("server"), help="The server to attach it to.")
        parser.add_argument("--ipv4-address", help="Its address; the lowest free one by default.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["user"] and not options["server"]:
            self.fail("Give the port an owner with --user, or a --server.", code=2)
        spec = port_verbs.PortSpec(
            network_id=options["network"], server_id=options["server"], address=options["ipv4_address"],
            name=options["name"])
        user_id = resolve_user(options["user"]) if options["user"] else None
        port = port_verbs.create_for_operator(spec, user_id=user_id)
        self.detail({
            "id": port.pk, "name": port.name, "user": port.user_id, "network": port.network_id,
            "server": port.server_id, "state": port.state,
            "ips": [row.address for row in port.addresses.filter(deleted=False)],
        }, options)
