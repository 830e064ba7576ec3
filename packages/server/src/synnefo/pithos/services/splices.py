"""Overwriting a part of an object, appending to it, cutting it: always a new list of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synnefo.common.settings import conf
from synnefo.pithos.services import blocks


@dataclass(frozen=True, slots=True)
class Blocks:
    """A content as its block names and its size."""

    hashes: Sequence[str]
    size: int

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes [start, end)."""
        return blocks.read_range(self.hashes, self.size, start, end)


class PieceReader:
    """Pieces of bytes as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int, /) -> bytes:
        while not self._rest:
            try:
                self._rest = next(self._pieces)
            except StopIteration:
                return b""
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def splice(old: Blocks, start: int, stream: blocks.Readable) -> Blocks:
    """The old content with the stream written over it from `start`, at most its size, on. Stores the blocks that change."""
    block_size = int(conf.PITHOS_BACKEND_BLOCK_SIZE)
    first = start // block_size
    hashes, size = list(old.hashes[:first]), first * block_size
    store = blocks.store()
    for piece in blocks.cut(_Joined(old.read(size, start), stream), block_size):
        end = size + len(piece)
        rest = old.read(end, min(size + block_size, old.size)) if len(piece) < block_size and end < old.size else iter(())
        block = b"".join([piece, *rest])
        hashes.append(store.put_block(block))
        size += len(block)
    if size < old.size:
        return Blocks([*hashes, *old.hashes[len(hashes):]], old.size)
    return Blocks(hashes, size)


class _Joined:
    """Some pieces, then a stream."""

    def __init__(self, lead: Iterator[bytes], stream: blocks.Readable) -> None:
        self._lead, self._stream = PieceReader(lead), stream

    def read(self, size: int, /) -> bytes:
        return self._lead.read(size) or self._stream.read(size)


def link(old: Blocks, start: int, source: Blocks, length: int) -> Blocks:
    """As `splice` with the first `length` bytes of another content; whole blocks are named again, not copied."""
    block_size = int(conf.PITHOS_BACKEND_BLOCK_SIZE)
    whole = length // block_size if start % block_size == 0 else 0
    if whole:
        first = start // block_size
        hashes = [*old.hashes[:first], *source.hashes[:whole], *old.hashes[first + whole:]]
        old = Blocks(hashes, max(old.size, start + whole * block_size))
    done = whole * block_size
    return splice(old, start + done, PieceReader(source.read(done, length))) if length > done else old


def cut(content: Blocks, size: int) -> Blocks:
    """The first `size` bytes. The last block is stored anew, so that nothing behind the end comes back with a later append."""
    if size >= content.size:
        return content
    block_size = int(conf.PITHOS_BACKEND_BLOCK_SIZE)
    whole, rest = divmod(size, block_size)
    hashes = list(content.hashes[:whole])
    if rest:
        hashes.append(blocks.store().put_block(b"".join(content.read(whole * block_size, size))))
    return Blocks(hashes, size)
