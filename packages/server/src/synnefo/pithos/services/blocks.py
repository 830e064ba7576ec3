"""The block store in use, the blocks of a stream, and which blocks an account may name without sending them."""

from __future__ import annotations

import datetime
import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from django.utils import timezone

from synnefo.common.errors import RequestTooLarge
from synnefo.common.settings import conf
from synnefo.pithos.adapters.file_blocks import FileBlocks
from synnefo.pithos.hashing import EMPTY
from synnefo.pithos.models import BlockLease, BlockUse
from synnefo.pithos.ports import BlockStore

BATCH = 500


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def store() -> BlockStore:
    """The block store in use: files are the only kind there is so far."""
    return _file_store(conf.PITHOS_BACKEND_BLOCK_PATH, conf.PITHOS_BACKEND_BLOCK_SIZE, conf.PITHOS_BACKEND_BLOCK_UMASK)


@lru_cache(maxsize=4)
def _file_store(path: str, block_size: int, umask: int) -> BlockStore:
    return FileBlocks(Path(path), block_size=block_size, umask=umask)


def cut(stream: Readable, block_size: int) -> Iterator[bytes]:
    """Consecutive pieces of the block size, the last one shorter. Holds one block in memory."""
    while True:
        pieces = []
        left = block_size
        while left and (piece := stream.read(min(left, 2**18))):
            pieces.append(piece)
            left -= len(piece)
        if not pieces:
            return
        yield b"".join(pieces)
        if left:
            return


class Content:
    """What a stream became: block names, size, MD5."""

    def __init__(self) -> None:
        self.hashes: list[str] = []
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)

    def add(self, data: bytes, name: str) -> None:
        self.hashes.append(name)
        self.size += len(data)
        self._md5.update(data)

    @property
    def etag(self) -> str:
        return self._md5.hexdigest()


def receive(stream: Readable, *, limit: int) -> Content:
    """Store a stream's blocks as they come. Raises `RequestTooLarge` beyond the limit; stored blocks then are garbage for the collector."""
    content, blocks = Content(), store()
    for data in cut(stream, conf.PITHOS_BACKEND_BLOCK_SIZE):
        if content.size + len(data) > limit:
            raise RequestTooLarge(f"An upload has at most {limit} bytes; use an upload by hashes for larger objects.")
        content.add(data, blocks.put_block(data))
    return content


def read_range(hashes: Sequence[str], size: int, start: int, end: int) -> Iterator[bytes]:
    """The bytes [start, end) of an object, a block at a time; short blocks are filled with zeros, the last one cut."""
    block_size, blocks = conf.PITHOS_BACKEND_BLOCK_SIZE, store()
    for index in range(start // block_size, -(-end // block_size)):
        base = index * block_size
        data = blocks.get_block(hashes[index]).ljust(min(block_size, size - base), b"\0")
        yield data[max(0, start - base) : end - base]


def new_map(hashes: Sequence[str]) -> str:
    """Store a map durably under a new name."""
    name = f"{conf.PITHOS_BACKEND_MAPFILE_PREFIX}{uuid.uuid4().hex}"
    store().put_map(name, hashes)
    return name


def missing_for(accounts: Sequence[str], names: Sequence[str]) -> list[str]:
    """Blocks that must be sent: not stored, or stored for others only (whoever knows a hash must not get the content by it)."""
    wanted = [name for name in dict.fromkeys(names) if name != EMPTY]
    absent = set(store().missing_blocks(wanted))
    if conf.PITHOS_DEDUP_SCOPE == "global":
        return [name for name in wanted if name in absent]
    known: set[str] = set()
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        known |= set(BlockUse.objects.filter(account__in=accounts, block__in=part).values_list("block", flat=True))
        known |= set(BlockLease.objects.filter(account__in=accounts, block__in=part, expires_at__gt=timezone.now()).values_list("block", flat=True))
    return [name for name in wanted if name in absent or name not in known]


def _ordered(names: Iterable[str]) -> list[str]:
    """Each once, in one order for all, so that two uploads of the same blocks do not wait for each other."""
    return sorted({name for name in names if name != EMPTY})


def lease(account: str, names: Iterable[str]) -> None:
    """The account has sent these blocks. Leases that have run out go."""
    BlockLease.objects.filter(account=account, expires_at__lt=timezone.now()).delete()
    expires = timezone.now() + datetime.timedelta(seconds=conf.PITHOS_BLOCK_LEASE_SECONDS)
    BlockLease.objects.bulk_create(
        [BlockLease(account=account, block=name, expires_at=expires) for name in _ordered(names)],
        update_conflicts=True, unique_fields=["account", "block"], update_fields=["expires_at"], batch_size=BATCH)


def record_use(account: str, names: Iterable[str]) -> None:
    """An object of the account has these blocks. In the transaction that writes the object."""
    BlockUse.objects.bulk_create([BlockUse(account=account, block=name) for name in _ordered(names)],
                                 ignore_conflicts=True, batch_size=BATCH)
