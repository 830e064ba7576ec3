"""The checks that precede a change of a server's NICs."""

from __future__ import annotations

from synnefo.common.errors import NotFound
from synnefo.common.ports import Caller
from synnefo.cyclades import policy
from synnefo.cyclades.models import Server
from synnefo.cyclades.services import operations


def access_server_for_nics(caller: Caller, server_id: int) -> Server:
    """The caller's server, locked, in a state in which NICs may change. In the caller's transaction.

    Raises `NotFound`, `Forbidden`, `Busy`, `InvalidInput`, `DependencyUnavailable`.
    """
    server = policy.access_server(caller, server_id, lock=True)
    _require(server)
    return server


def lock_server_for_nics(server_id: int) -> Server:
    """As `access_server_for_nics`, for operators."""
    server = Server.objects.select_for_update(of=("self",)).select_related("backend", "flavor__volume_type").filter(pk=server_id).first()
    if server is None:
        raise NotFound(f"There is no server {server_id}.")
    _require(server)
    return server


def _require(server: Server) -> None:
    policy.require_possible(server, "CONNECT")
    operations.require_online(server.backend)
