"""The one-time parameters that a node fetches to build a server: encrypted at rest, short-lived, bound to the server."""

from __future__ import annotations

import datetime
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
    """The parameters, for the node that asks first; it may ask again until the build has ended. Raises `NotFound` otherwise.

    `reader` is the address of the node. Every read is logged, without content.
    """
    row = BuildParameters.objects.select_for_update(of=("self",)).select_related("server").filter(
        uuid_hash=hash_token(uuid), expires_at__gt=timezone.now()).first()
    if row is None or row.server.operstate != OperState.BUILD or (row.reader and row.reader != reader):
        log.warning("vmapi.refused", reader=reader, known=row is not None)
        raise NotFound("Not found.")
    if row.first_read_at is None:
        row.first_read_at, row.reader = timezone.now(), reader
        row.save(update_fields=["first_read_at", "reader"])
    log.info("vmapi.read", server=row.server_id, reader=reader)
    return dict(json.loads(decrypt(row.data_encrypted)))


def forget(server_id: int) -> None:
    """The build has ended: nobody needs the parameters any more."""
    if conf.VMAPI_RESET_PARAMS:
        BuildParameters.objects.filter(server_id=server_id).delete()


def forget_expired() -> int:
    """Drop what is too old, or belongs to servers that are gone. Returns how many."""
    return BuildParameters.objects.filter(Q(expires_at__lt=timezone.now()) | Q(server__deleted=True)).delete()[0]
