from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, boolean
from synnefo.common.errors import DomainError
from synnefo.cyclades.management.server_output import trust
from synnefo.cyclades.services import backends


class Command(BaseCommand):
    help = "Add a Ganeti cluster. It starts drained: backend-modify ID --drained False lets it take new servers."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--clustername", required=True, help="The cluster's own name.")
        parser.add_argument("--port", type=int, default=5080, help="Port of its remote API.")
        parser.add_argument("--user", dest="username", required=True, help="User of its remote API, with write access.")
        parser.add_argument("--pass", "--password", dest="password", required=True, help="That user's password; kept encrypted.")
        parser.add_argument("--rapi-host", default="", help="Address to connect to, when it is not the cluster's name.")
        parser.add_argument("--rapi-ca", default="", metavar="FINGERPRINT|FILE",
                            help="SHA-256 fingerprint of the remote API's certificate, or a PEM file with it or its authority.")
        parser.add_argument("--hypervisor", choices=backends.HYPERVISORS, default="kvm", help="Hypervisor of its servers.")
        parser.add_argument("--public", type=boolean, default=True, metavar="BOOL", help="Whether everybody's servers may go there.")
        parser.add_argument("--no-check", dest="check", action="store_false", help="Do not try the login and the name.")
        parser.add_argument("--no-init", dest="init", action="store_false", help="Read no figures and create no networks in it now.")

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("clustername", "username", "password", "rapi_host", "port", "hypervisor", "public", "check", "init")
        added = backends.add_backend(rapi_ca=trust(options["rapi_ca"]) if options["rapi_ca"] else "", **{name: options[name] for name in names})
        if options["init"]:
            try:
                backends.refresh(added)
            except DomainError as error:
                self.note(f"Its figures could not be read yet: {error.public}")
        self.note(f"Added backend {added.pk}, drained. Next: snf-manage backend-modify {added.pk} --drained False")
        self.detail({"id": added.pk, "clustername": added.clustername, "index": added.index, "drained": added.drained}, options)
