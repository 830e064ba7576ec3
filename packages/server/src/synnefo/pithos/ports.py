"""Where blocks and maps lie. `adapters.file_blocks` and `adapters.memory_blocks` pass one contract suite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol


class BlockStore(Protocol):
    """Content-addressed blocks and the maps that list them. What a write returned from survives a power cut."""

    def put_block(self, data: bytes) -> str:
        """Store a block of at most the block size; returns its hex name. Repeating it, also concurrently, is harmless.

        Raises `DependencyUnavailable` when the disk is full or gone; then nothing is stored.
        """

    def get_block(self, name: str) -> bytes:
        """The content without trailing zeros. Raises `NotFound`. The empty block always exists."""

    def missing_blocks(self, names: Iterable[str]) -> list[str]:
        """Those that are not stored, without duplicates, in order of first appearance."""

    def put_map(self, name: str, hashes: Sequence[str]) -> None:
        """Store the ordered block names of one object's content."""

    def get_map(self, name: str) -> list[str]:
        """Raises `NotFound`."""

    def delete_map(self, name: str) -> None:
        """Repeatable."""
