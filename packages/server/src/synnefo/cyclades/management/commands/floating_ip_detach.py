from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, object_id
from synnefo.cyclades.services.floating_ips import find_floating_ip
from synnefo.cyclades.services.port_verbs import remove_port


class Command(BaseCommand):
    help = "Take a floating IP off its server; it stays reserved."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("floating_ip", type=object_id("floating-ip"), metavar="FLOATING_IP")

    def handle(self, *args: Any, **options: Any) -> None:
        row = find_floating_ip(options["floating_ip"])
        if row.port_id is None:
            self.fail(f"Floating IP {row.address} is attached to no server.")
        remove_port(row.port_id)
        self.note(f"Floating IP {row.address} is being detached.")
