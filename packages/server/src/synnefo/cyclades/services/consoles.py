"""Consoles: a ticket for one connection, checked and used up by the proxy."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from urllib.parse import urlparse

import structlog
from django.utils import timezone

from synnefo.common.crypto import hash_token, new_token
from synnefo.common.db import transactional
from synnefo.common.errors import DependencyUnavailable, NotFound
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades import ganeti_names, policy
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models import ConsoleTicket, Server
from synnefo.cyclades.services import operations

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Console:
    """Where a client connects: a page for people, a socket for programs. Both work once, within a minute."""

    page_url: str
    socket_url: str
    host: str
    port: int
    token: str


def open_console(caller: Caller, server_id: int) -> Console:
    """A ticket for the screen of a running server. Raises `NotFound`, `InvalidInput` (not running), `Forbidden`, `DependencyUnavailable`."""
    server = policy.access_server(caller, server_id)
    policy.require_possible(server, "CONSOLE")
    host, port = _screen(server)
    token = new_token()
    now = timezone.now()
    ConsoleTicket.objects.create(token_hash=hash_token(token), server=server, user_id=caller.user_id, host=host, port=port,
                                 expires_at=now + datetime.timedelta(seconds=conf.CONSOLE_TOKEN_SECONDS))
    log.info("console.opened", server=server_id, user=caller.user_id)
    proxy = urlparse(conf.CONSOLE_PROXY_URL)
    root = urlparse(conf.CYCLADES_BASE_URL)
    return Console(f"{root.scheme}://{root.netloc}/console?token={token}", f"{conf.CONSOLE_PROXY_URL.rstrip('/')}/console/ws?token={token}",
                   proxy.hostname or "", proxy.port or (443 if proxy.scheme == "wss" else 80), token)


def _screen(server: Server) -> tuple[str, int]:
    backend = operations.require_online(server.backend)
    cluster = cluster_for(backend)
    instance = cluster.get_instance(ganeti_names.instance_name(server.pk), live=True)
    if not instance.is_running:
        raise policy.WrongState("The server is not running, so it has no screen.")
    if not instance.network_port:
        raise DependencyUnavailable("The server has no console at the moment. Try again later.")
    return cluster.node_address(instance.primary_node), instance.network_port


@transactional()
def use_ticket(token: str) -> ConsoleTicket:
    """The ticket, used up. Raises `NotFound` for one that is unknown, used or too old, or whose server is gone or stopped."""
    row = ConsoleTicket.objects.select_for_update(of=("self",)).select_related("server").filter(token_hash=hash_token(token)).first()
    if row is None:
        raise NotFound("Unknown ticket.")
    row.delete()
    if row.expires_at < timezone.now() or row.server.deleted or row.server.suspended:
        raise NotFound("The ticket has expired.")
    return row


def forget_expired() -> int:
    return ConsoleTicket.objects.filter(expires_at__lt=timezone.now()).delete()[0]
