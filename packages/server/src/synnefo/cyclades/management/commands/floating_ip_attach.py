from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, object_id
from synnefo.cyclades.services.port_verbs import attach_floating_ip_for_operator


class Command(BaseCommand):
    help = "Attach a floating IP to a server, as a NIC of its own."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("floating_ip", type=object_id("floating-ip"), metavar="FLOATING_IP")
        parser.add_argument("--machine", "--server", dest="server", type=object_id("server"), required=True, help="The server.")

    def handle(self, *args: Any, **options: Any) -> None:
        port = attach_floating_ip_for_operator(options["floating_ip"], options["server"])
        self.note(f"Port {port.pk} attaches floating IP {options['floating_ip']} to server {options['server']}.")
