"""Plugs the services together: direct adapters for those in this process, HTTP clients for those elsewhere."""

from __future__ import annotations

from synnefo.common import ports
from synnefo.common.settings import conf


def connect() -> None:
    """Provide every port that the enabled services ask for."""
    if "astakos" in conf.SYNNEFO_SERVICES:
        _identity()
        _quota()
    if "pithos" in conf.SYNNEFO_SERVICES:
        _object_store()


def _identity() -> None:
    from synnefo.astakos.adapters.identity import LocalIdentity

    ports.provide("identity", LocalIdentity())


def _quota() -> None:
    from synnefo.astakos.adapters.quota import DirectQuota

    for component in ("astakos", "pithos", "cyclades"):
        ports.provide(f"quota:{component}", DirectQuota(component))


def _object_store() -> None:
    from synnefo.pithos.adapters.object_store import DirectObjectStore

    ports.provide("object_store", DirectObjectStore())
