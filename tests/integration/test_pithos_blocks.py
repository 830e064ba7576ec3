"""One contract for the places where blocks can lie: files and memory."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from synnefo.common.errors import DependencyUnavailable, NotFound
from synnefo.pithos.adapters.file_blocks import FileBlocks
from synnefo.pithos.adapters.memory_blocks import MemoryBlocks
from synnefo.pithos.hashing import EMPTY
from synnefo.pithos.ports import BlockStore

SIZE = 64
OTHER = "ab" * 32


@pytest.fixture(params=["files", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlockStore:
    return FileBlocks(tmp_path, block_size=SIZE) if request.param == "files" else MemoryBlocks(block_size=SIZE)


@pytest.mark.parametrize("data", [b"x", b"x" * SIZE, b"\0x", b"x\n\0"])
def test_a_block_comes_back_without_its_trailing_zeros(store: BlockStore, data: bytes) -> None:
    name = store.put_block(data)
    assert name == hashlib.sha256(data.rstrip(b"\0")).hexdigest()
    assert store.get_block(name) == data.rstrip(b"\0")
    assert store.put_block(data) == name


def test_the_empty_block_always_exists(store: BlockStore) -> None:
    assert store.get_block(EMPTY) == b""
    assert store.put_block(bytes(SIZE)) == EMPTY
    assert store.missing_blocks([EMPTY]) == []


def test_missing_blocks_are_named_once_in_order(store: BlockStore) -> None:
    here, gone = store.put_block(b"here"), hashlib.sha256(b"gone").hexdigest()
    assert store.missing_blocks([OTHER, here, gone, OTHER]) == [OTHER, gone]
    with pytest.raises(NotFound):
        store.get_block(gone)


def test_a_block_is_not_larger_than_a_block(store: BlockStore) -> None:
    with pytest.raises(ValueError, match="block size"):
        store.put_block(bytes(SIZE + 1))


def test_maps_come_back_in_order_and_go(store: BlockStore) -> None:
    hashes = [OTHER, EMPTY, OTHER]
    store.put_map("snf_file_1", hashes)
    assert store.get_map("snf_file_1") == hashes
    store.delete_map("snf_file_1")
    store.delete_map("snf_file_1")
    with pytest.raises(NotFound):
        store.get_map("snf_file_1")


def test_writers_of_one_block_do_not_disturb_each_other(store: BlockStore) -> None:
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(store.put_block(b"same"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(names) == {hashlib.sha256(b"same").hexdigest()}
    assert store.get_block(names[0]) == b"same"


# What only files can promise --------------------------------------------------------------------------------------


def test_a_torn_file_is_written_again(tmp_path: Path) -> None:
    store = FileBlocks(tmp_path, block_size=SIZE)
    name = store.put_block(b"whole")
    path = store.path(store.blocks, name)
    path.write_bytes(b"wh")
    assert store.put_block(b"whole") == name
    assert store.get_block(name) == b"whole"


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_failing_disk_leaves_no_name_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    store = FileBlocks(tmp_path, block_size=SIZE)
    store.put_block(b"before")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"os.{step}" if step != "replace" else "pathlib.Path.replace", fail)
        with pytest.raises(DependencyUnavailable):
            store.put_block(b"after")
    assert store.missing_blocks([hashlib.sha256(b"after").hexdigest()]) == [hashlib.sha256(b"after").hexdigest()]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [hashlib.sha256(b"before").hexdigest()]


def test_a_name_is_durable_before_it_is_given_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is flushed before the rename, the directory after it."""
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        steps.append("directory" if os.readlink(f"/proc/self/fd/{descriptor}").count(".") == 0 else "content")
        real_fsync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return real_replace(self, target)

    store = FileBlocks(tmp_path / "data", block_size=SIZE)
    store.put_block(b"first")
    monkeypatch.setattr("os.fsync", fsync)
    monkeypatch.setattr("pathlib.Path.replace", replace)
    store.put_map("snf_file_1", [OTHER])
    assert steps[-3:] == ["content", "rename", "directory"]
    assert "directory" in steps[:-3]


def umask_case(tmp_path: Path, umask: int) -> Callable[[str], int]:
    store = FileBlocks(tmp_path / oct(umask), block_size=SIZE, umask=umask)
    name = store.put_block(b"x")
    path = store.path(store.blocks, name)
    return lambda kind: (path if kind == "file" else path.parent).stat().st_mode & 0o777


def test_modes_follow_the_setting(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        narrow = umask_case(tmp_path, 0o007)
    finally:
        os.umask(before)
    assert (narrow("file"), narrow("directory")) == (0o660, 0o770)
