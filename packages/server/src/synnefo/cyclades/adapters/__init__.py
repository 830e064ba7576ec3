"""The outside world of cyclades: Ganeti's remote API and the transports of its events.

Each port of `synnefo.cyclades.ports` is reached through one function here, so that nothing else knows which
implementation is in use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from synnefo.cyclades.adapters.rapi import RapiCluster
from synnefo.cyclades.adapters.rapi_transport import Target, patience
from synnefo.cyclades.ports import BackendOffline, GanetiCluster

if TYPE_CHECKING:
    from synnefo.cyclades.ports import EventBus


__all__ = ["BackendRecord", "cluster_for", "event_bus", "patience"]


class BackendRecord(Protocol):
    """What a backend's row must offer. `password` is plain text: the model decrypts it."""

    @property
    def clustername(self) -> str: ...
    @property
    def rapi_host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def username(self) -> str: ...
    @property
    def password(self) -> str: ...
    @property
    def rapi_ca(self) -> str: ...
    @property
    def offline(self) -> bool: ...


def cluster_for(backend: BackendRecord) -> GanetiCluster:
    """The cluster of a backend. Raises `BackendOffline` for one that an operator has marked offline.

    `rapi_ca` is the SHA-256 fingerprint of the certificate (hex, colons allowed) or PEM text of the certificate or of
    the authority that signed it. An empty `rapi_host` means the cluster's name.
    """
    if backend.offline:
        raise BackendOffline("The servers of this backend cannot be managed now: it is offline.",
                             backend=backend.clustername)
    target = Target(
        host=backend.rapi_host or backend.clustername, port=backend.port, username=backend.username,
        password=backend.password, trust=backend.rapi_ca,
    )
    return RapiCluster.shared(target)


def event_bus() -> EventBus:
    """The bus that EVENTS_URL (or AMQP_HOSTS) names."""
    from synnefo.cyclades.adapters import events

    return events.configured_bus()
