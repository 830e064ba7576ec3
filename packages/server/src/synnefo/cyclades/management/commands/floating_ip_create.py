from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, object_id, resolve_user
from synnefo.common.ports import identity
from synnefo.cyclades.management.network_output import floating_ip_values
from synnefo.cyclades.services.floating_ips import FloatingIPSpec, create_floating_ips


class Command(BaseCommand):
    help = "Reserve a floating IP for a user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--network", type=object_id("network"), help="The pool; any by default.")
        parser.add_argument("--address", help="The address; the lowest free one by default.")
        parser.add_argument("--user", "--owner", dest="user", required=True, help="Owner (uuid or e-mail).")
        parser.add_argument("--project", help="Project that is charged; the owner's own by default.")

    def handle(self, *args: Any, **options: Any) -> None:
        caller = identity().caller_of(resolve_user(options["user"]))
        spec = FloatingIPSpec(project_id=options["project"] or caller.project_id, network_id=options["network"],
                              address=options["address"])
        row, = create_floating_ips(caller, [spec])
        self.detail(floating_ip_values(row), options)
