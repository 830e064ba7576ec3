"""Images reach a disk whole, sparse, or not at all."""

from __future__ import annotations

import hashlib
import os
import random
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from synnefo_node.config import NodeConfig
from synnefo_node.image import copying, progress
from synnefo_node.image.errors import ImageError
from synnefo_node.image.sources import open_source
from tests.support import guest_images

MIB = guest_images.MIB
RAW = bytearray(10 * MIB)
RAW[0:4] = b"boot"
RAW[5 * MIB : 5 * MIB + 5] = b"inner"
RAW[-3:] = b"end"


@pytest.fixture
def config(tmp_path: Path) -> NodeConfig:
    return NodeConfig.model_validate({"PITHOS_BLOCK_PATH": tmp_path / "blocks", "IMAGE_DIR": tmp_path / "images", "IMAGE_MAX_BYTES": 64 * MIB})


def copy(address: str, config: NodeConfig, disk: Path) -> None:
    source = open_source(address, config)
    assert source is not None
    copying.copy(source, disk, disk.stat().st_size)


def new_disk(tmp_path: Path, size: int) -> Path:
    path = tmp_path / "instance" / "disk"
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as stream:
        stream.truncate(size)
    return path


def local(config: NodeConfig, content: bytes) -> str:
    config.IMAGE_DIR.mkdir(exist_ok=True)
    (config.IMAGE_DIR / "image").write_bytes(content)
    return "local://image"


def packed(tmp_path: Path, content: bytes, *options: str) -> bytes:
    """The image as qcow2."""
    raw, target = tmp_path / "raw", tmp_path / "qcow2"
    raw.write_bytes(content)
    guest_images.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, str(raw), str(target))
    return target.read_bytes()


def assert_untouched(disk: Path) -> None:
    assert disk.stat().st_blocks == 0, "something was written"
    assert sorted(os.listdir(disk.parent)) == ["disk"]


@pytest.mark.parametrize("extra", [0, 1, 3 * MIB])
def test_a_block_map_becomes_the_disk(tmp_path: Path, config: NodeConfig, extra: int) -> None:
    disk = new_disk(tmp_path, len(RAW) + extra)
    copy(guest_images.store(config.PITHOS_BLOCK_PATH, bytes(RAW)), config, disk)
    assert disk.read_bytes() == bytes(RAW) + bytes(extra)
    assert disk.stat().st_blocks * 512 < MIB, "zeros take no room"


def test_any_content_survives(tmp_path: Path, config: NodeConfig) -> None:
    generator = random.Random(7)
    content = b"".join(generator.choice([bytes(65536), generator.randbytes(65536), bytes(100) + generator.randbytes(50)]) for _ in range(150))
    disk = new_disk(tmp_path, len(content))
    copy(guest_images.store(config.PITHOS_BLOCK_PATH, content), config, disk)
    assert disk.read_bytes() == content


def test_an_image_of_zeros(tmp_path: Path, config: NodeConfig) -> None:
    disk = new_disk(tmp_path, 9 * MIB)
    copy(guest_images.store(config.PITHOS_BLOCK_PATH, bytes(9 * MIB)), config, disk)
    assert_untouched(disk)


def test_an_image_larger_than_the_disk_changes_nothing(tmp_path: Path, config: NodeConfig) -> None:
    disk = new_disk(tmp_path, len(RAW) - 1)
    with pytest.raises(ImageError, match="larger disk"):
        copy(guest_images.store(config.PITHOS_BLOCK_PATH, bytes(RAW)), config, disk)
    assert_untouched(disk)


@pytest.mark.parametrize("options", [(), ("-c",), ("-o", "compat=0.10")])
def test_qcow2_is_unpacked(tmp_path: Path, config: NodeConfig, options: tuple[str, ...]) -> None:
    disk = new_disk(tmp_path, 12 * MIB)
    copy(guest_images.store(config.PITHOS_BLOCK_PATH, packed(tmp_path, bytes(RAW), *options)), config, disk)
    assert disk.read_bytes() == bytes(RAW) + bytes(2 * MIB)
    assert sorted(os.listdir(disk.parent)) == ["disk"], "temporary files are gone"


def test_qcow2_that_unpacks_to_more_than_the_disk_changes_nothing(tmp_path: Path, config: NodeConfig) -> None:
    disk = new_disk(tmp_path, 9 * MIB)
    with pytest.raises(ImageError, match=f"unpacks to {10 * MIB} bytes"):
        copy(local(config, packed(tmp_path, bytes(RAW))), config, disk)
    assert_untouched(disk)


def test_qcow2_with_a_backing_file_of_the_node_is_refused(tmp_path: Path, config: NodeConfig) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"of the node" + bytes(MIB))
    image = tmp_path / "hostile"
    guest_images.run("qemu-img", "create", "-f", "qcow2", "-b", str(secret), "-F", "raw", str(image))
    disk = new_disk(tmp_path, 4 * MIB)
    with pytest.raises(ImageError, match="other files"):
        copy(local(config, image.read_bytes()), config, disk)
    assert_untouched(disk)


def test_qcow2_with_an_external_data_file_is_refused(tmp_path: Path, config: NodeConfig) -> None:
    image = tmp_path / "hostile"
    guest_images.run("qemu-img", "create", "-f", "qcow2", "-o", f"data_file={tmp_path}/data,data_file_raw=on", str(image), "1M")
    disk = new_disk(tmp_path, 4 * MIB)
    with pytest.raises(ImageError, match="other files"):
        copy(local(config, image.read_bytes()), config, disk)
    assert_untouched(disk)


@pytest.mark.parametrize("content", [b"QFI\xfb", b"QFI\xfb" + struct.pack(">I", 9) + bytes(100), b"QFI\xfb" + struct.pack(">I", 3) + bytes(100)])
def test_damaged_qcow2_is_refused(tmp_path: Path, config: NodeConfig, content: bytes) -> None:
    disk = new_disk(tmp_path, 4 * MIB)
    with pytest.raises(ImageError):
        copy(local(config, content), config, disk)
    assert_untouched(disk)


def test_a_damaged_block_never_reaches_the_disk(tmp_path: Path, config: NodeConfig) -> None:
    address = guest_images.store(config.PITHOS_BLOCK_PATH, bytes(RAW))
    name = hashlib.sha256(bytes(RAW[0 : 4 * MIB]).rstrip(b"\0")).hexdigest()
    block = config.PITHOS_BLOCK_PATH / "blocks" / name[0:2] / name[2:4] / name[4:6] / name
    block.write_bytes(b"boo!")
    disk = new_disk(tmp_path, len(RAW))
    with pytest.raises(ImageError, match="Block 0 of the image is damaged"):
        copy(address, config, disk)
    assert_untouched(disk)
    block.unlink()
    with pytest.raises(ImageError, match="Block 0 of the image cannot be read"):
        copy(address, config, disk)


@pytest.mark.parametrize(("address", "reason"), [
    ("pithosmap://no-such-map/10", "cannot be read"), ("pithosmap://../../etc/10", "proper"), ("pithosmap://aaaaaaaa/0", "proper size"),
    ("pithosmap://aaaaaaaa/-1", "proper size"), ("pithosmap://aaaaaaaa/99999999999999999", "proper size"), ("pithosmap://aaaaaaaa/", "proper size"),
    ("pithos://account/container/object", "pithos"), ("file:///etc/shadow", "file"), ("local://missing", "cannot be read"),
    ("local:///etc/shadow", "cannot be read"), ("http://127.0.0.1:1/x", "cannot be fetched"),
])
def test_addresses_that_name_no_image(config: NodeConfig, address: str, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        open_source(address, config)


def test_a_map_of_another_size_is_refused(config: NodeConfig) -> None:
    address = guest_images.store(config.PITHOS_BLOCK_PATH, bytes(RAW))
    with pytest.raises(ImageError, match="does not fit"):
        open_source(address.rpartition("/")[0] + f"/{len(RAW) + 4 * MIB}", config)


def test_null_copies_nothing(config: NodeConfig) -> None:
    assert open_source("null", config) is None


class _Handler(BaseHTTPRequestHandler):
    """/image is whole, /short ends early, /huge claims too much, /silent tells no length."""

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        self._head()
        self.wfile.write(bytes(RAW[: MIB if self.path == "/short" else len(RAW)]))

    def _head(self) -> None:
        self.send_response(404 if self.path == "/none" else 200)
        if self.path != "/silent":
            self.send_header("Content-Length", str(2**40 if self.path == "/huge" else len(RAW)))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Tests speak for themselves."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_an_image_from_the_web(tmp_path: Path, config: NodeConfig, server: str) -> None:
    disk = new_disk(tmp_path, len(RAW))
    copy(f"{server}/image", config, disk)
    assert disk.read_bytes() == bytes(RAW)


@pytest.mark.parametrize("path", ["/short", "/huge", "/silent", "/none"])
def test_web_images_that_cannot_be_had(tmp_path: Path, config: NodeConfig, server: str, path: str) -> None:
    with pytest.raises(ImageError):
        copy(f"{server}{path}", config, new_disk(tmp_path, len(RAW)))


def test_progress_is_told_to_the_end(tmp_path: Path, config: NodeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(copying, "PROGRESS_EVERY_S", -1.0)
    monkeypatch.setattr(progress, "copied", lambda position, total: told.append((position, total)))
    copy(guest_images.store(config.PITHOS_BLOCK_PATH, bytes(RAW)), config, new_disk(tmp_path, len(RAW)))
    positions = [position for position, _ in told]
    assert len(told) == 4, "one for each block, and the end"
    assert positions == sorted(positions)
    assert told[-1] == (len(RAW), len(RAW))
