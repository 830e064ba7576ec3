from __future__ import annotations

import argparse
import re
import time
from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, boolean, object_id, resolve_user
from synnefo.common.errors import NotFound
from synnefo.common.ports import identity
from synnefo.cyclades.api import requests
from synnefo.cyclades.models import Backend, OperState, Server
from synnefo.cyclades.services import servers

POLL_S = 0.5


class Command(BaseCommand):
    help = "Create a server for a user, whose quota it uses; on a given backend, or where the allocator puts it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="Name.")
        parser.add_argument("--user", "--user-id", dest="user", required=True, help="Owner (uuid or e-mail).")
        parser.add_argument("--image", "--image-id", dest="image", required=True, help="Image that the owner may use. Try: snf-manage image-list")
        parser.add_argument("--flavor", "--flavor-id", dest="flavor", required=True, help="Flavor. Try: snf-manage flavor-list")
        parser.add_argument("--password", required=True, help="Password of the server's administrator.")
        parser.add_argument("--project", help="Project that is charged; the owner's own by default.")
        parser.add_argument("--backend-id", type=object_id("backend"), help="Cluster, drained or not; chosen by the allocator by default.")
        parser.add_argument("--port", action="append", metavar="network:ID[,address=IP]|id:PORT", type=_port,
                            help="Connect it to a network, or take a port; may be repeated. The default networks unless given.")
        parser.add_argument("--wait", metavar="BOOL", type=boolean, nargs="?", const=True, default=False, help="Wait until it is built (default: False).")

    def handle(self, *args: Any, **options: Any) -> None:
        caller = identity().caller_of(resolve_user(options["user"]))
        body = {"name": options["name"], "imageRef": options["image"], "flavorRef": options["flavor"], "adminPass": options["password"]}
        if options["project"]:
            body["project"] = options["project"]
        request = requests.server_request(caller, body, networks=options["port"], idempotency_key="")
        server = servers.create_server(caller, request, backend=_backend(options["backend_id"]))
        if options["wait"]:
            server = _built(server)
        self.detail({"id": server.pk, "name": server.name, "user": server.user_id, "project": server.project_id, "flavor": server.flavor.name,
                     "image": server.image_id, "backend": server.backend_id, "operstate": server.operstate}, options)
        if server.operstate == OperState.ERROR:
            self.fail("The server could not be built.", hint=f"Try: snf-manage server-inspect {server.pk}")


def _port(text: str) -> dict[str, Any]:
    """A member of a request's `networks`."""
    found = re.fullmatch(r"network:([0-9]+)(?:,address=([0-9.]+))?|id:([0-9]+)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"invalid port {text!r}: use network:ID, network:ID,address=IP or id:PORT")
    network, address, port = found.groups()
    return {"port": port} if port else {"uuid": network} | ({"fixed_ip": address} if address else {})


def _backend(key: int | None) -> Backend | None:
    if key is None:
        return None
    backend = Backend.objects.filter(pk=key).first()
    if backend is None:
        raise NotFound(f"Backend with ID {key} does not exist. Try: snf-manage backend-list")
    return backend


def _built(server: Server) -> Server:
    while server.operstate == OperState.BUILD:
        time.sleep(POLL_S)
        server = Server.objects.select_related("flavor__volume_type").get(pk=server.pk)
    return server
