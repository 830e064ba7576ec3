"""Where images come from: the blocks of the object store by files, HTTP, or a file of the node. All are read in pieces."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlparse

import httpx

from synnefo_node.config import NodeConfig
from synnefo_node.image.errors import ImageError

BLOCK_SIZE = 4 * 2**20
DIGEST_SIZE = 32
EMPTY = hashlib.sha256(b"").hexdigest()
_MAP_NAME = re.compile(r"^[A-Za-z0-9_.-]{6,200}$")


class Source(Protocol):
    """`size` in bytes; `pieces` gives (offset, data) in order and leaves out what is known to be zero."""

    size: int

    def pieces(self) -> Iterator[tuple[int, bytes]]: ...


class BlockMap:
    """An object of the object store, its map and blocks read from the store's directory."""

    def __init__(self, root: Path, name: str, size: int) -> None:
        if not _MAP_NAME.match(name):
            raise ImageError("The image's map has no proper name")
        self.blocks, self.size = root / "blocks", size
        try:
            raw = self._path(root / "maps", name).read_bytes()
        except OSError as error:
            raise ImageError(f"The image's block map cannot be read: {error.strerror}") from error
        self.hashes = [raw[start : start + DIGEST_SIZE].hex() for start in range(0, len(raw), DIGEST_SIZE)]
        if len(self.hashes) != -(-size // BLOCK_SIZE):
            raise ImageError("The image's block map does not fit its size")

    @staticmethod
    def _path(base: Path, name: str) -> Path:
        return base / name[0:2] / name[2:4] / name[4:6] / name

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Each block is checked against its name, so that a damaged one never reaches a disk."""
        for index, name in enumerate(self.hashes):
            if name == EMPTY:
                continue
            try:
                data = self._path(self.blocks, name).read_bytes()
            except OSError as error:
                raise ImageError(f"Block {index} of the image cannot be read: {error.strerror}") from error
            if hashlib.sha256(data).hexdigest() != name:
                raise ImageError(f"Block {index} of the image is damaged")
            yield index * BLOCK_SIZE, data[: self.size - index * BLOCK_SIZE]


class LocalFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.size = path.stat().st_size
        except OSError as error:
            raise ImageError(f"The image {path.name} cannot be read: {error.strerror}") from error

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        with self.path.open("rb") as stream:
            offset = 0
            while data := stream.read(BLOCK_SIZE):
                yield offset, data
                offset += len(data)


class WebFile:
    """An image behind an address that tells its length."""

    def __init__(self, url: str, limit: int) -> None:
        self.url = url
        try:
            response = httpx.head(url, follow_redirects=True, timeout=30)
            response.raise_for_status()
            self.size = int(response.headers["Content-Length"])
        except (httpx.HTTPError, KeyError, ValueError) as error:
            raise ImageError(f"The image cannot be fetched: {type(error).__name__}") from error
        if self.size > limit:
            raise ImageError("The image is too large")

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        offset = 0
        try:
            with httpx.stream("GET", self.url, follow_redirects=True, timeout=60) as response:
                response.raise_for_status()
                for data in response.iter_bytes(BLOCK_SIZE):
                    yield offset, data
                    offset += len(data)
        except httpx.HTTPError as error:
            raise ImageError(f"The image cannot be fetched: {type(error).__name__}") from error
        if offset != self.size:
            raise ImageError("The image was cut off while it was fetched")


def open_source(img_id: str, config: NodeConfig) -> Source | None:
    """The source that an img_id names; None for `null`, when the disk is filled already. Raises `ImageError`."""
    if img_id == "null":
        return None
    parsed = urlparse(img_id)
    if parsed.scheme == "pithosmap":
        size = parsed.path.lstrip("/")
        if not (size.isascii() and size.isdigit()) or not 0 < int(size) <= config.IMAGE_MAX_BYTES:
            raise ImageError("The image's address has no proper size")
        return BlockMap(config.PITHOS_BLOCK_PATH, parsed.netloc, int(size))
    if parsed.scheme in {"http", "https"}:
        return WebFile(img_id, config.IMAGE_MAX_BYTES)
    if parsed.scheme in {"local", ""}:
        name = Path(img_id.removeprefix("local://")).name
        return LocalFile(config.IMAGE_DIR / name)
    raise ImageError(f"Images cannot be read from {parsed.scheme}: addresses")
