"""What an object's readers get: its own blocks, or the parts that its manifest names, one after another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from synnefo.common.errors import InvalidInput, StateConflict
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.models import StoredObject, Version
from synnefo.pithos.services import blocks, containers, names, objects
from synnefo.pithos.services.listings import readable


@dataclass(frozen=True, slots=True)
class Content:
    """The versions that make up the bytes; they stay the same while they are read, whatever is written meanwhile."""

    versions: Sequence[Version]
    size: int
    etag: str

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes [start, end), a block at a time. Raises `NotFound` when a block is gone."""
        base = 0
        for version in self.versions:
            first, last = max(start, base), min(end, base + version.bytes)
            if first < last:
                yield from blocks.read_range(objects.hashes_of(version), version.bytes, first - base, last - base)
            base += version.bytes


def parse(value: str) -> str:
    """A manifest, `container/prefix`, as it is stored; empty for none. Raises `InvalidInput`."""
    container, slash, prefix = unquote(value).lstrip("/").partition("/")
    if value and not (container and slash and prefix):
        raise InvalidInput("X-Object-Manifest: container/prefix is needed.")
    return f"{container}/{prefix}" if value else ""


def content_of(caller: Caller, item: StoredObject, version: Version) -> Content:
    """The content of a version. Parts of a manifest are those that the caller may read, current at this moment."""
    if not version.manifest:
        return Content([version], version.bytes, version.served_etag)
    container, _, prefix = version.manifest.partition("/")
    where = containers.find(item.container.account, container)
    most = int(conf.PITHOS_LISTING_LIMIT)
    rows = list(readable(caller, where).filter(names.within(prefix))[: most + 1]) if where is not None else []
    if len(rows) > most:
        raise StateConflict(f"The manifest names more than {most} parts.")
    parts = [row.current for row in rows if row.current is not None and row.pk != item.pk]
    joined = "".join(part.served_etag for part in parts)
    return Content(parts, sum(part.bytes for part in parts), hashlib.md5(joined.encode(), usedforsecurity=False).hexdigest())
