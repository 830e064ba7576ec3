"""Hashes of blocks and of whole objects. A block's hash ignores trailing zero bytes, so all empty blocks are one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").hexdigest()
DIGEST_SIZE = 32


def trim(block: bytes) -> bytes:
    return block.rstrip(b"\0")


def hash_block(block: bytes) -> str:
    """Hex hash, which is the block's name."""
    return hashlib.sha256(trim(block)).hexdigest()


def root_hash(hashes: Sequence[str]) -> str:
    """Merkle root in hex: padded with zero digests to a power of two, neighbours hashed until one is left."""
    if not hashes:
        return EMPTY
    level = [bytes.fromhex(item) for item in hashes]
    size = 1
    while size < len(level):
        size *= 2
    level += [bytes(DIGEST_SIZE)] * (size - len(level))
    while len(level) > 1:
        level = [hashlib.sha256(level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0].hex()


def block_count(size_bytes: int, block_size: int) -> int:
    return -(-size_bytes // block_size)
