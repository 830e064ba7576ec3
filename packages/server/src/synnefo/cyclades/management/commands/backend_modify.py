from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, CommandError, boolean
from synnefo.cyclades.management.server_output import trust
from synnefo.cyclades.services import backends

PLAIN = ("clustername", "port", "username", "rapi_host", "hypervisor", "drained", "offline", "public")


class Command(BaseCommand):
    help = "Change a backend. New ways to connect are tried before they are kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backend", metavar="BACKEND", help="Number or cluster name.")
        parser.add_argument("--clustername", help="The cluster's own name.")
        parser.add_argument("--port", type=int, help="Port of its remote API.")
        parser.add_argument("--username", "--user", help="User of its remote API.")
        parser.add_argument("--password", "--pass", help="That user's password.")
        parser.add_argument("--rapi-host", help="Address to connect to.")
        parser.add_argument("--rapi-ca", metavar="FINGERPRINT|FILE", help="Fingerprint of its certificate, or a PEM file.")
        parser.add_argument("--hypervisor", choices=backends.HYPERVISORS, help="Hypervisor of new servers.")
        parser.add_argument("--drained", type=boolean, metavar="BOOL", help="Whether it gets no new servers.")
        parser.add_argument("--offline", type=boolean, metavar="BOOL", help="Whether it is never called.")
        parser.add_argument("--public", type=boolean, metavar="BOOL", help="Whether everybody's servers may go there.")

    def handle(self, *args: Any, **options: Any) -> None:
        changes = {name: options[name] for name in PLAIN if options[name] is not None}
        if options["rapi_ca"] is not None:
            changes["rapi_ca"] = trust(options["rapi_ca"]) if options["rapi_ca"] else ""
        if not changes and options["password"] is None:
            raise CommandError("Nothing to change: see --help for what can be.")
        backends.modify_backend(backends.get_backend(options["backend"]), password=options["password"], **changes)
        self.note(f"Changed backend {options['backend']}.")
