"""The record of who used which public address on which server, and when. For abuse handling; append-only."""

from __future__ import annotations

import structlog

from synnefo.cyclades.models.networks import IPAddress, IPHistory

log = structlog.get_logger(__name__)


def record(address: IPAddress, server_id: int, action: str, *, reason: str = "", user_id: str | None = None) -> None:
    """Note that an address came to or left a server. Only public networks are recorded. Within the caller's transaction."""
    if not address.network.public:
        return
    IPHistory(
        address=address.address, server_id=server_id, network_id=address.network_id,
        user_id=user_id or address.user_id, action=action, action_reason=reason[:1024],
    ).save()
    log.info("address.history", action=action, address=address.address, server=server_id, network=address.network_id,
             user=user_id or address.user_id)
