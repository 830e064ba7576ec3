"""The partition table of a disk file, read and grown with sfdisk: it knows MBR and GPT and mounts nothing."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from synnefo_node.image.errors import ImageError

TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Partition:
    """`start` and `size` in bytes; `number` counts from 1."""

    number: int
    start: int
    size: int


def run(*command: str, input_: str | None = None, ok: tuple[int, ...] = (0,)) -> str:
    """Run a tool without network, with bounded time. Raises `ImageError` with the end of what it said."""
    confined = ["unshare", "--net", "--", *command]
    try:
        done = subprocess.run(confined, input=input_, capture_output=True, text=True, errors="replace", check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"{command[0]} took too long") from error
    if done.returncode not in ok:
        raise ImageError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def read(disk: Path) -> list[Partition]:
    """Raises `ImageError` when there is no partition table."""
    table = json.loads(run("sfdisk", "--json", str(disk)))["partitiontable"]
    sector = int(table.get("sectorsize", 512))
    return [Partition(index, item["start"] * sector, item["size"] * sector) for index, item in enumerate(table.get("partitions", []), 1)]


def choose_root(partitions: list[Partition], wanted: str) -> Partition:
    """The partition that the image's property names, else the only one, else the largest."""
    if wanted:
        for item in partitions:
            if str(item.number) == wanted:
                return item
        raise ImageError(f"The image has no partition {wanted}")
    if not partitions:
        raise ImageError("The image has no partitions")
    return max(partitions, key=lambda item: item.size)


def grow_last(disk: Path, partition: Partition, partitions: list[Partition]) -> Partition:
    """Let the partition reach to the end of the disk, if it is the last one."""
    if any(item.start > partition.start for item in partitions):
        return partition
    run("sfdisk", "--no-reread", "--no-tell-kernel", "-N", str(partition.number), str(disk), input_=", +\n")
    return next(item for item in read(disk) if item.number == partition.number)
