"""Small disks with a file system that looks enough like a system's, made with the same tools and without mounting anything."""

from __future__ import annotations

import hashlib
import io
import subprocess
from pathlib import Path
from typing import IO

from synnefo_node.image.ext import ExtFilesystem

MIB = 2**20
FIRST = MIB
"""Where the root partition begins, in bytes."""
BLOCK = 4 * MIB
FILES = {
    "etc/hostname": "image\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\timage\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nuser:x:1000:1001:A user:/home/user:/bin/bash\n",
    "etc/group": "root:x:0:\nshadow:x:42:\nuser:x:1001:\n",
    "etc/shadow": "root:*:18000:0:99999:7:::\nuser:!:18000:0:99999:7:::\n",
    "etc/network/interfaces": "auto lo\n",
    "etc/ssh/sshd_config": "# nothing\n",
    "etc/ssh/ssh_host_ed25519_key": "the key of the image, known to everybody\n",
    "etc/ssh/ssh_host_rsa_key": "the key of the image, known to everybody\n",
}


def system_tree(directory: Path) -> Path:
    """The directory that becomes the root file system; change it before `disk`."""
    for name, content in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name in ("root", "home/user"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    return directory


def disk(path: Path, tree: Path, *, size_mib: int = 16, label: str = "dos") -> Path:
    """A disk with one partition from 1 MiB on, an ext4 file system in it."""
    with path.open("wb") as stream:
        stream.truncate((size_mib + 2) * MIB)
    kind = "83" if label == "dos" else "L"
    run("sfdisk", "--quiet", str(path), stdin=f"label: {label}\nstart=2048, size={size_mib * 2048}, type={kind}\n")
    run("mke2fs", "-q", "-t", "ext4", "-E", f"offset={FIRST},root_owner=0:0", "-d", str(tree), str(path), f"{size_mib}M")
    return path


def run(*command: str, stdin: str = "") -> str:
    return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True).stdout


def read(path: Path, name: str) -> str | None:
    """A file of the disk's root file system."""
    filesystem = ExtFilesystem(path, FIRST)
    try:
        content = filesystem.read(name)
        return None if content is None else content.decode()
    finally:
        filesystem.close()


def attributes(path: Path, name: str) -> tuple[int, int, int]:
    """(mode, uid, gid), as debugfs itself tells."""
    words = run("debugfs", "-R", f"stat {name}", f"{path}?offset={FIRST}").split()
    after = {word: words[index + 1] for index, word in enumerate(words[:-1]) if word in {"Mode:", "User:", "Group:"}}
    return int(after["Mode:"], 8), int(after["User:"]), int(after["Group:"])


def is_clean(path: Path) -> bool:
    """Whether e2fsck finds nothing to repair."""
    return subprocess.run(["e2fsck", "-f", "-n", f"{path}?offset={FIRST}"], capture_output=True, check=False).returncode == 0


def store(root: Path, content: bytes) -> str:
    """Put an image into a block store's directory as the object store lays it out. Returns its pithosmap address."""
    return store_stream(root, io.BytesIO(content))


def store_stream(root: Path, content: IO[bytes]) -> str:
    """The same for an image that is too large for memory."""
    hashes = []
    while block := content.read(BLOCK):
        # A block is named for its content without trailing zeros.
        trimmed = block.rstrip(b"\0")
        digest = hashlib.sha256(trimmed)
        hashes.append(digest.digest())
        _file(root / "blocks", digest.hexdigest(), trimmed)
    raw = b"".join(hashes)
    name = hashlib.sha256(raw).hexdigest()
    _file(root / "maps", name, raw)
    return f"pithosmap://{name}/{content.tell()}"


def _file(base: Path, name: str, content: bytes) -> None:
    path = base / name[0:2] / name[2:4] / name[4:6] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
