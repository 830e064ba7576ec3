"""Reading and writing files of an ext2/3/4 file system inside a disk file, with debugfs: the node's kernel never mounts it.

Everything a user gave (names, contents) reaches debugfs as a file of its own or is refused when it could be taken for a command.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from synnefo_node.image.confined import execute, run
from synnefo_node.image.errors import ImageError

_SAFE = re.compile(r'/[^"\n\r\0\\]*')
_BANNER = re.compile(r"debugfs \d[^\n]*\n?")
_TYPE = re.compile(r"Type: (\w+(?: \w+)?)\s+Mode:\s+(\d+)")
_SIZE = re.compile(r"^User:.*\bSize: (\d+)$", re.M)
READ_LIMIT = 2**20
"""Bytes; what is read are lists of users and the like."""
FIFO, DIRECTORY, REGULAR, SYMLINK = 0o010000, 0o040000, 0o100000, 0o120000


def is_ext(disk: Path, offset: int) -> bool:
    with disk.open("rb") as stream:
        stream.seek(offset + 1024 + 56)
        return stream.read(2) == b"\x53\xef"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a name stands for: `kind` as in a mode, `size` in bytes, `link` where a symbolic link leads."""

    kind: int
    size: int = 0
    link: str = ""


class ExtFilesystem:
    """One file system, `offset` bytes into the disk. Changes are collected and written by `commit`."""

    def __init__(self, disk: Path, offset: int) -> None:
        self.device = f"{disk}?offset={offset}"
        self.disk = disk
        self._commands: list[str] = []
        self._made: set[str] = set()
        self._written: set[str] = set()
        self._removed: set[str] = set()
        self._entries: dict[str, Entry | None] = {}
        self._scratch = tempfile.TemporaryDirectory(prefix="snf-image-")

    def close(self) -> None:
        self._scratch.cleanup()

    def check(self) -> None:
        """Repair what can safely be repaired. Raises `ImageError` for a broken file system."""
        run("e2fsck", "-f", "-p", self.device, ok=(0, 1))

    def grow(self, size: int) -> None:
        """Grow to `size` bytes. The tool cuts a file that it finds behind an offset, so its length is restored."""
        length = self.disk.stat().st_size
        run("resize2fs", self.device, f"{size // 1024}K")
        if self.disk.is_file():
            os.truncate(self.disk, length)

    # Reading

    def read(self, path: str) -> bytes | None:
        """The content of a regular file, following symbolic links inside the file system; None when there is none."""
        resolved = self.resolve(path)
        entry = self._entry(resolved) if resolved is not None else None
        if resolved is None or entry is None or entry.kind != REGULAR:
            return None
        if entry.size > READ_LIMIT:
            raise ImageError(f"{path} of the image is too large")
        target = Path(self._scratch.name) / "read"
        target.unlink(missing_ok=True)
        self._debugfs(f'dump "{resolved}" "{target}"')
        return target.read_bytes() if target.exists() else None

    def resolve(self, path: str, depth: int = 0) -> str | None:
        """The path without symbolic links, all read as links of the image, never of the node. None when something is missing."""
        if depth > 16:
            raise ImageError("The image has a circle of symbolic links")
        done = ""
        parts = [part for part in path.split("/") if part not in {"", "."}]
        for index, part in enumerate(parts):
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            here = f"{done}/{part}"
            entry = self._entry(here)
            if entry is None:
                return None
            if entry.kind == SYMLINK:
                base = entry.link if entry.link.startswith("/") else f"{done}/{entry.link}"
                return self.resolve("/".join([base, *parts[index + 1:]]), depth + 1)
            done = here
        return done or "/"

    def _entry(self, path: str) -> Entry | None:
        """What is there now; writing happens at the end, so it is asked once."""
        if path not in self._entries:
            self._entries[path] = self._stat(path)
        return self._entries[path]

    def _stat(self, path: str) -> Entry | None:
        self._require_safe(path)
        output = self._debugfs(f'stat "{path}"')
        found, size = _TYPE.search(output), _SIZE.search(output)
        if found is None:
            return None
        kind = {"regular": REGULAR, "directory": DIRECTORY, "symlink": SYMLINK}.get(found[1], FIFO)
        if kind != SYMLINK:
            return Entry(kind, int(size[1]) if size else READ_LIMIT + 1)
        fast = re.search(r'Fast link dest: "([^"]*)"', output)
        return Entry(kind, link=(fast[1] if fast else self._debugfs(f'cat "{path}"')).strip())

    # Writing

    def write(self, path: str, content: bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Make or replace a regular file; missing directories are made. The path is followed inside the image."""
        self._require_safe(path)
        parent, _, name = path.rpartition("/")
        base = self.make_directories(parent or "/")
        target = f"{base.rstrip('/')}/{name}"
        self._require_safe(target)
        source = Path(self._scratch.name) / f"write-{len(self._commands)}"
        source.write_bytes(content)
        if target in self._written or self._entry(target) is not None:
            self.remove(target)
        self._commands += [f'write "{source}" "{target}"', *self._owned(target, REGULAR | mode, uid, gid)]
        self._written.add(target)

    def remove(self, path: str) -> None:
        """Remove a file that is there."""
        self._require_safe(path)
        if path not in self._removed or path in self._written:
            self._commands.append(f'rm "{path}"')
        self._removed.add(path)
        self._written.discard(path)

    def make_directories(self, path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> str:
        """The directory's path without links, made where missing."""
        done = "/"
        for part in [part for part in path.split("/") if part]:
            here = f"{done.rstrip('/')}/{part}"
            self._require_safe(here)
            resolved = self.resolve(here)
            if resolved is None and here not in self._made:
                self._commands += [f'mkdir "{here}"', *self._owned(here, DIRECTORY | mode, uid, gid)]
                self._made.add(here)
            done = resolved or here
        return done

    @staticmethod
    def _owned(path: str, mode: int, uid: int, gid: int) -> list[str]:
        return [f'sif "{path}" mode 0{mode:o}', f'sif "{path}" uid {uid}', f'sif "{path}" gid {gid}']

    def list_directory(self, path: str) -> list[str]:
        """Names in a directory; empty when there is none."""
        resolved = self.resolve(path)
        if resolved is None:
            return []
        rows = self._debugfs(f'ls -p "{resolved}"').splitlines()
        names = [row.split("/")[5] for row in rows if row.count("/") >= 6]
        return [name for name in names if name not in {"", ".", ".."}]

    def commit(self) -> None:
        """Write what was collected. Raises `ImageError` when a command failed: each was meant to succeed."""
        if not self._commands:
            return
        script = Path(self._scratch.name) / "script"
        script.write_text("\n".join(self._commands) + "\n", "utf-8")
        self._commands = []
        self._entries.clear()
        done = execute("debugfs", "-w", "-f", str(script), self.device)
        complaint = _BANNER.sub("", done.stderr, count=1).strip()
        if "No space left" in complaint or "Could not allocate" in complaint:
            raise ImageError("The image's file system is full")
        if done.returncode or complaint:
            raise ImageError(f"The image could not be changed: {complaint[-300:]}")

    def _debugfs(self, command: str) -> str:
        """Output of one command. Its complaints are answers, too: that a file is not there."""
        return run("debugfs", "-R", command, self.device)

    @staticmethod
    def _require_safe(path: str) -> None:
        if not _SAFE.fullmatch(path) or len(path) > 4096:
            raise ImageError(f"A path in the image cannot be used: {path[:100]!r}")
