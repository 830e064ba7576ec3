"""Applying what Ganeti's jobs on networks report. At least once, in any order: older news never undo newer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from synnefo.common.db import transactional
from synnefo.common.errors import DomainError, InvalidInput
from synnefo.cyclades import ganeti_names, macs
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.network_locks import lock_address_pools, lock_network
from synnefo.cyclades.models.networks import BackendNetwork, Network
from synnefo.cyclades.models.operations import Operation
from synnefo.cyclades.services import network_operations, networks, pools

log = structlog.get_logger(__name__)

ADD, CONNECT, DISCONNECT, REMOVE, SET_PARAMS = (
    "OP_NETWORK_ADD", "OP_NETWORK_CONNECT", "OP_NETWORK_DISCONNECT", "OP_NETWORK_REMOVE", "OP_NETWORK_SET_PARAMS",
)
STATUSES = {"queued", "waiting", "canceling", "running", "canceled", "success", "error"}
AFTER_SUCCESS = {
    ADD: BackendNetwork.PENDING, CONNECT: BackendNetwork.ACTIVE, DISCONNECT: BackendNetwork.PENDING,
    REMOVE: BackendNetwork.DELETED,
}
MAX_LOG_LENGTH = 4096


def handle_network_event(message: Mapping[str, Any]) -> None:
    """Apply one `ganeti-network-status` message. Opens its own transaction; repeating is safe.

    Raises `InvalidInput` for a message of the wrong shape. Networks and clusters we do not know are passed over.
    """
    event = _Event(message)
    network_id = ganeti_names.network_id_of(event.network)
    if network_id is None:
        log.info("network.event.foreign", network=event.network)
        return
    backend = Backend.objects.filter(clustername=event.cluster).first()
    if backend is None or not Network.objects.filter(pk=network_id, deleted=False).exists():
        log.info("network.event.unknown", network=event.network, cluster=event.cluster)
        return
    # Asked before the transaction, since it calls the cluster: a removal that failed because the network is gone is done.
    is_gone = event.opcode == REMOVE and event.status in {"error", "canceled"} and network_operations.is_gone(
        backend, network_id)
    network_operations.start(_apply(network_id, backend, event, is_gone=is_gone))
    if event.opcode == CONNECT and event.status == "success":
        import_reservations(backend, network_id)


def import_reservations(backend: Backend, network_id: int) -> None:
    """Keep back the addresses that the cluster reserved by itself on a public network (its nodes', its master's).

    Calls the cluster. What cannot be asked now is found by `reconcile-networks`.
    """
    if not Network.objects.filter(pk=network_id, public=True, deleted=False).exists():
        return
    try:
        there = cluster_for(backend).get_network(ganeti_names.network_name(network_id))
    except DomainError as error:
        log.warning("network.reservations.unknown", network=network_id, backend=backend.pk, reason=error.public)
        return
    news = _reserve(network_id, list(there.external_reservations))
    if news:
        log.info("network.reservations.imported", network=network_id, backend=backend.pk, addresses=news)


@transactional()
def _reserve(network_id: int, addresses: list[str]) -> list[str]:
    return reserve_outside(lock_network(network_id), addresses)


def apply_observed(network_id: int, backend: Backend, opcode: str, *, at: datetime) -> None:
    """Do as if a successful job with this opcode had just been reported (reconciliation)."""
    event = _Event({
        "operation": opcode, "network": ganeti_names.network_name(network_id), "status": "success",
        "cluster": backend.clustername, "jobId": 0, "logmsg": "reconciled", "event_time": _split(at), "job_fields": {},
    })
    network_operations.start(_apply(network_id, backend, event, is_gone=False))


def _split(at: datetime) -> list[int]:
    return [int(at.timestamp()), at.microsecond]


class _Event:
    """A message, its shape checked. Unknown statuses count as errors."""

    def __init__(self, message: Mapping[str, Any]) -> None:
        try:
            self.opcode = str(message["operation"])
            self.network = str(message["network"])
            self.status = message["status"] if message["status"] in STATUSES else "error"
            self.cluster = str(message["cluster"])
            self.job_id = int(message["jobId"])
            seconds, microseconds = message["event_time"]
            self.at = datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=int(microseconds) % 1_000_000)
            self.log_message = str(message.get("logmsg") or "")[:MAX_LOG_LENGTH]
            fields = message.get("job_fields") or {}
            self.reserved = [str(address) for address in fields.get("add_reserved_ips") or []]
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise InvalidInput(f"Malformed network event: {error!r}") from error


@transactional()
def _apply(
    network_id: int, backend: Backend, event: _Event, *, is_gone: bool
) -> list[Operation]:
    network = lock_network(network_id)
    if network.deleted:
        return []
    row = _backend_network(network, backend)
    if row.event_at is not None and event.at <= row.event_at:
        return []
    succeeded = event.status == "success" or is_gone
    failed_add = event.opcode == ADD and event.status in {"error", "canceled"} and not _exists_already(event)
    row.job_id, row.opcode, row.job_status = event.job_id or row.job_id, event.opcode, event.status
    row.log_message = event.log_message
    if succeeded and event.opcode in AFTER_SUCCESS:
        row.state = AFTER_SUCCESS[event.opcode]
        row.deleted = row.state == BackendNetwork.DELETED
    elif failed_add:
        row.state = BackendNetwork.ERROR
    if succeeded or failed_add:
        # Only news that settles something moves the clock, so that a late failure cannot hide a success.
        row.event_at = event.at
    row.save()
    log.info("network.event.applied", network=network.pk, backend=backend.pk, opcode=event.opcode, status=event.status,
             job=event.job_id, state=row.state)
    if event.status == "success" and event.opcode == SET_PARAMS:
        reserve_outside(network, event.reserved)
    return network_operations.quota_release(network) if networks.recompute_state(network) else []


def _exists_already(event: _Event) -> bool:
    return "already exists" in event.log_message or "already_exists" in event.log_message


def _backend_network(network: Network, backend: Backend) -> BackendNetwork:
    row = BackendNetwork.objects.select_for_update(of=("self",)).filter(network=network, backend=backend).first()
    if row is None:
        prefix = macs.backend_prefix(network.mac_prefix, backend.index)
        row = BackendNetwork.objects.create(network=network, backend=backend, mac_prefix=prefix)
    return row


def reserve_outside(network: Network, reserved: list[str]) -> list[str]:
    """Keep addresses that Ganeti reserves out of the pools; those newly kept are returned. The network is locked."""
    news = []
    for pool in lock_address_pools(network):
        mine = [value for value in reserved if pool.index_of(value) is not None and not pools.is_reserved(pool, value)]
        if mine:
            pools.reserve(pool, mine)
            news += mine
    return news
