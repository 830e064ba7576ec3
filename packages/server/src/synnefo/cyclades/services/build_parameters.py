"""The one-time parameters that a node fetches to build a server: encrypted at rest, short-lived, bound to the server."""

from __future__ import annotations

import datetime
import ipaddress
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlparse

import structlog
from django.db.models import Q
from django.utils import timezone

from synnefo.common.crypto import decrypt, encrypt, hash_token
from synnefo.common.db import transactional
from synnefo.common.errors import NotFound
from synnefo.common.settings import conf
from synnefo.cyclades.models import BuildParameters, OperState, Server
from synnefo.cyclades.models.build_parameters import new_uuid

log = structlog.get_logger(__name__)


def store(server: Server, data: Mapping[str, Any]) -> None:
    """Keep the parameters for the server's node. In the transaction that creates the server."""
    uuid = new_uuid()
    BuildParameters.objects.create(
        uuid_hash=hash_token(uuid), server=server, uuid_encrypted=encrypt(uuid), data_encrypted=encrypt(json.dumps(data)),
        expires_at=timezone.now() + datetime.timedelta(seconds=conf.VMAPI_TTL_SECONDS))


def url_for(server_id: int) -> str | None:
    """The one-time address, or None when the parameters have expired."""
    row = BuildParameters.objects.filter(server_id=server_id, expires_at__gt=timezone.now()).order_by("-created_at").first()
    if row is None:
        return None
    root = conf.VMAPI_BASE_HOST.rstrip("/") + urlparse(conf.CYCLADES_BASE_URL).path if conf.VMAPI_BASE_HOST else conf.CYCLADES_BASE_URL
    return f"{root.rstrip('/')}/vmapi/v1.0/server-params/{decrypt(row.uuid_encrypted)}"


@transactional()
def read(uuid: str, *, reader: str) -> dict[str, Any]:
    """The parameters, once: of several readers exactly one gets them. Raises `NotFound` otherwise.

    Without VMAPI_RESET_PARAMS they may be read again until the build ends. `reader` is the address of the node. Every read is logged,
    without content.
    """
    if not _may_read(reader):
        log.warning("vmapi.refused", reader=reader, known=None)
        raise NotFound("Not found.")
    row = BuildParameters.objects.select_for_update(of=("self",)).select_related("server").filter(
        uuid_hash=hash_token(uuid), expires_at__gt=timezone.now()).first()
    if row is None or row.server.operstate != OperState.BUILD or not row.data_encrypted:
        log.warning("vmapi.refused", reader=reader, known=row is not None)
        raise NotFound("Not found.")
    found = dict(json.loads(decrypt(row.data_encrypted)))
    row.first_read_at, row.reader = row.first_read_at or timezone.now(), reader
    if conf.VMAPI_RESET_PARAMS:
        row.data_encrypted = ""
    row.save(update_fields=["first_read_at", "reader", "data_encrypted"])
    log.info("vmapi.read", server=row.server_id, reader=reader)
    return found


def _may_read(reader: str) -> bool:
    """Whether the address is in the networks of the nodes, where those are set."""
    try:
        address = ipaddress.ip_address(reader)
    except ValueError:
        return not conf.VMAPI_ALLOWED_NETWORKS
    return not conf.VMAPI_ALLOWED_NETWORKS or any(address in network for network in conf.VMAPI_ALLOWED_NETWORKS)


def forget(server_id: int) -> None:
    """The build has ended: nobody needs the parameters any more."""
    BuildParameters.objects.filter(server_id=server_id).delete()


def forget_expired() -> int:
    """Drop what is too old, or belongs to servers that are gone. Returns how many."""
    return BuildParameters.objects.filter(Q(expires_at__lt=timezone.now()) | Q(server__deleted=True)).delete()[0]
