"""Block hashes and the root hash of an object, as the object store computes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

BLOCK_SIZE = 4 * 2**20


def hash_block(block: bytes) -> bytes:
    """Digest of a block; trailing zero bytes do not count, so that sparse files share the empty block."""
    return hashlib.sha256(block.rstrip(b"\0")).digest()


def hash_blocks(stream: BinaryIO, block_size: int = BLOCK_SIZE) -> Iterator[bytes]:
    """Digests of a file's blocks in order. Reads one block at a time."""
    while block := stream.read(block_size):
        yield hash_block(block)


def root_hash(digests: Sequence[bytes]) -> str:
    """Merkle root in hex: pad with zero digests to a power of two, then hash neighbours until one is left."""
    if not digests:
        return hashlib.sha256(b"").hexdigest()
    level = list(digests)
    size = 1
    while size < len(level):
        size *= 2
    level += [bytes(32)] * (size - len(level))
    while len(level) > 1:
        level = [hashlib.sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0].hex()
