"""Writing an image to a disk: sparsely, with progress, refusing what does not fit before a byte is written."""

from __future__ import annotations

import os
import struct
import tempfile
import time
from pathlib import Path

from synnefo_node.image import confined, progress
from synnefo_node.image.errors import ImageError
from synnefo_node.image.sources import LocalFile, Source

QCOW2_MAGIC = b"QFI\xfb"
# Magic, version, backing file offset and length, cluster bits, virtual size, encryption, then seven fields up to the incompatible features.
QCOW2_HEADER = struct.Struct(">4sIQIIQIIQQIIQQ")
QCOW2_EXTERNAL_DATA = 1 << 2
PROGRESS_EVERY_S = 3.0
CONVERT_TIMEOUT_S = 3600
HOLE = 64 * 1024


def copy(source: Source, disk: Path, size: int) -> None:
    """Fill the disk of `size` bytes. Raises `ImageError`."""
    offset, head = next(iter(source.pieces()), (0, b""))
    if offset == 0 and head.startswith(QCOW2_MAGIC):
        _check_qcow2(head, size)
        _copy_qcow2(source, disk, size)
        return
    if source.size > size:
        raise ImageError(f"The image has {source.size} bytes, the disk only {size}: use a flavor with a larger disk")
    _write(source, disk)


def _check_qcow2(head: bytes, size: int) -> None:
    """Refuse by the header alone: an image that refers to other files could name any file of the node, and opening it is enough to open them."""
    if len(head) < QCOW2_HEADER.size:
        raise ImageError("The image is cut off")
    _, version, backing_offset, _, _, virtual_size, encryption, *_, incompatible = QCOW2_HEADER.unpack_from(head)
    if version not in {2, 3}:
        raise ImageError(f"The image is of an unknown qcow2 version, {version}")
    if backing_offset or (version == 3 and incompatible & QCOW2_EXTERNAL_DATA):
        raise ImageError("The image refers to other files")
    if encryption:
        raise ImageError("The image is encrypted")
    if virtual_size > size:
        raise ImageError(f"The image unpacks to {virtual_size} bytes, the disk has only {size}: use a flavor with a larger disk")


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
    """Unpack through temporary files beside the disk."""
    with tempfile.TemporaryDirectory(dir=disk.parent, prefix=".snf-image-") as directory:
        packed, raw = Path(directory) / "image.qcow2", Path(directory) / "image.raw"
        packed.touch()
        _write(source, packed)
        os.truncate(packed, source.size)
        with packed.open("rb") as stream:  # what was written is what is opened; the source might have changed
            _check_qcow2(stream.read(QCOW2_HEADER.size), size)
        confined.run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", "-S", "64k", str(packed), str(raw), timeout_s=CONVERT_TIMEOUT_S)
        packed.unlink()
        _write(LocalFile(raw), disk)
