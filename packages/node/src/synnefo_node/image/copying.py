"""Writing an image to a disk: sparsely, with progress, refusing what does not fit before a byte is written."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from synnefo_node.image import progress
from synnefo_node.image.errors import ImageError
from synnefo_node.image.sources import LocalFile, Source

QCOW2_MAGIC = b"QFI\xfb"
PROGRESS_EVERY_S = 3.0
CONVERT_TIMEOUT_S = 3600
HOLE = 64 * 1024


def copy(source: Source, disk: Path, size: int) -> None:
    """Fill the disk of `size` bytes. Raises `ImageError`."""
    first = next(iter(source.pieces()), (0, b""))
    if first[0] == 0 and first[1].startswith(QCOW2_MAGIC):
        _copy_qcow2(source, disk, size)
        return
    if source.size > size:
        raise ImageError(f"The image has {source.size} bytes, the disk only {size}")
    _write(source, disk)


def _write(source: Source, disk: Path) -> None:
    last_told = 0.0
    with disk.open("r+b") as target:
        position = 0
        for offset, data in source.pieces():
            _write_sparsely(target.fileno(), offset, data)
            position = offset + len(data)
            if time.monotonic() - last_told > PROGRESS_EVERY_S:
                progress.copied(position, source.size)
                last_told = time.monotonic()
        os.fsync(target.fileno())
    progress.copied(source.size, source.size)


def _write_sparsely(descriptor: int, offset: int, data: bytes) -> None:
    """Leave out runs of zeros: a new disk reads as zeros."""
    for start in range(0, len(data), HOLE):
        piece = data[start : start + HOLE]
        if piece.count(0) != len(piece):
            os.pwrite(descriptor, piece, offset + start)


def _copy_qcow2(source: Source, disk: Path, size: int) -> None:
    """Unpack through a temporary file beside the disk. An image that refers to other files is refused: it could name any file of the node."""
    with tempfile.TemporaryDirectory(dir=disk.parent, prefix=".snf-image-") as directory:
        packed = Path(directory) / "image.qcow2"
        packed.touch()
        _write(source, packed)
        os.truncate(packed, source.size)
        info = _inspect(packed)
        if info.get("format") != "qcow2" or info.get("backing-filename") or "data-file" in json.dumps(info.get("format-specific", {})):
            raise ImageError("The image refers to other files")
        if info["virtual-size"] > size:
            raise ImageError(f"The image unpacks to {info['virtual-size']} bytes, the disk has only {size}")
        raw = Path(directory) / "image.raw"
        _run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", "-S", "64k", str(packed), str(raw))
        _write(LocalFile(raw), disk)


def _inspect(path: Path) -> dict[str, Any]:
    return dict(json.loads(_run("qemu-img", "info", "--output=json", "-f", "qcow2", str(path))))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CONVERT_TIMEOUT_S)
    if done.returncode:
        raise ImageError(f"{command[0]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout
