"""MD5 of objects that were made from block names, and were too large to be read at once."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from synnefo.common.errors import NotFound
from synnefo.pithos.models import Version
from synnefo.pithos.services import blocks, objects

log = structlog.get_logger(__name__)


def compute_missing(*, limit: int) -> Iterator[Version]:
    """Read versions without an MD5, the newest first, and store it. Repeatable, and safe beside everything else."""
    keys = Version.objects.filter(etag="", is_deletion=False).order_by("-pk").values_list("pk", flat=True)[:limit]
    for key in list(keys):
        version = Version.objects.filter(pk=key, etag="").first()
        if version is None:
            continue  # done with another version, or replaced meanwhile
        content = blocks.Content()
        try:
            for data in blocks.read_range(objects.hashes_of(version), version.bytes, 0, version.bytes):
                content.add(data, "")
        except NotFound as error:
            log.warning("object.content_missing", version=version.pk, **error.context)
            continue
        version.etag = content.etag
        # All versions with this map have this content.
        Version.objects.filter(mapfile=version.mapfile, bytes=version.bytes, etag="").update(etag=content.etag)
        yield version
