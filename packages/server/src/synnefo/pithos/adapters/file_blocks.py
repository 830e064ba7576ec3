"""Blocks and maps as files: `blocks/ab/cd/ef/abcdef...` and `maps/...` likewise; a map is its raw 32-byte digests in a row.

Every file is written under a temporary name, flushed, renamed into place, and its directory flushed, so that a name either has its whole content
or does not exist, also after a power cut.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from synnefo.common.errors import DependencyUnavailable, NotFound
from synnefo.pithos.hashing import DIGEST_SIZE, EMPTY, hash_block, trim


class FileBlocks:
    """Implements `synnefo.pithos.ports.BlockStore`. Safe to use from several threads, processes and hosts on a shared file system."""

    def __init__(self, root: Path, *, block_size: int, umask: int = 0o022) -> None:
        self.block_size = block_size
        self.mode = 0o666 & ~umask
        self.directory_mode = 0o777 & ~umask
        self.blocks, self.maps = root / "blocks", root / "maps"

    @staticmethod
    def path(base: Path, name: str) -> Path:
        """Where the file of a name lies."""
        return base / name[0:2] / name[2:4] / name[4:6] / name

    def put_block(self, data: bytes) -> str:
        if len(data) > self.block_size:
            raise ValueError("a block is at most the block size")
        content = trim(data)
        name = hash_block(content)
        if not content:
            return name
        target = self.path(self.blocks, name)
        try:
            if target.stat().st_size == len(content):
                return name
        except FileNotFoundError:
            pass
        self._write(target, content)
        return name

    def get_block(self, name: str) -> bytes:
        if name == EMPTY:
            return b""
        try:
            return self.path(self.blocks, name).read_bytes()
        except FileNotFoundError as error:
            raise NotFound("Block does not exist.", block=name) from error

    def missing_blocks(self, names: Iterable[str]) -> list[str]:
        return [name for name in dict.fromkeys(names) if name != EMPTY and not self.path(self.blocks, name).exists()]

    def put_map(self, name: str, hashes: Sequence[str]) -> None:
        self._write(self.path(self.maps, name), bytes.fromhex("".join(hashes)))

    def get_map(self, name: str) -> list[str]:
        try:
            raw = self.path(self.maps, name).read_bytes()
        except FileNotFoundError as error:
            raise NotFound("Map does not exist.", map=name) from error
        return [raw[start : start + DIGEST_SIZE].hex() for start in range(0, len(raw), DIGEST_SIZE)]

    def delete_map(self, name: str) -> None:
        self.path(self.maps, name).unlink(missing_ok=True)

    def _write(self, target: Path, content: bytes) -> None:
        temporary = target.with_name(f".{target.name[:64]}.{secrets.token_hex(8)}")
        try:
            self._make_directories(target.parent)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self.mode)
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(descriptor, view):]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            temporary.replace(target)
            _flush_directory(target.parent)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise DependencyUnavailable("The object store cannot write now. Try again later.", reason=str(error)) from error

    def _make_directories(self, directory: Path) -> None:
        """Make missing directories, each entered durably into its parent."""
        if directory.is_dir():
            return
        self._make_directories(directory.parent)
        try:
            directory.mkdir(mode=self.directory_mode)
        except FileExistsError:
            return
        _flush_directory(directory.parent)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
