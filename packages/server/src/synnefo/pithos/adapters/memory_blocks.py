"""Blocks and maps in memory: the twin that tests use where the disk does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from synnefo.common.errors import NotFound
from synnefo.pithos.hashing import EMPTY, hash_block, trim


class MemoryBlocks:
    """Implements `synnefo.pithos.ports.BlockStore`."""

    def __init__(self, *, block_size: int) -> None:
        self.block_size = block_size
        self.blocks: dict[str, bytes] = {}
        self.maps: dict[str, list[str]] = {}

    def put_block(self, data: bytes) -> str:
        if len(data) > self.block_size:
            raise ValueError("a block is at most the block size")
        name = hash_block(data)
        self.blocks[name] = trim(data)
        return name

    def get_block(self, name: str) -> bytes:
        if name == EMPTY:
            return b""
        try:
            return self.blocks[name]
        except KeyError as error:
            raise NotFound("Block does not exist.", block=name) from error

    def missing_blocks(self, names: Iterable[str]) -> list[str]:
        return [name for name in dict.fromkeys(names) if name != EMPTY and name not in self.blocks]

    def put_map(self, name: str, hashes: Sequence[str]) -> None:
        self.maps[name] = list(hashes)

    def get_map(self, name: str) -> list[str]:
        try:
            return list(self.maps[name])
        except KeyError as error:
            raise NotFound("Map does not exist.", map=name) from error

    def delete_map(self, name: str) -> None:
        self.maps.pop(name, None)
