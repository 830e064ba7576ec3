"""The partition table of a disk file, read and grown with sfdisk: it knows MBR and GPT and mounts nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from synnefo_node.image.confined import run
from synnefo_node.image.errors import ImageError

_NUMBER = re.compile(r"(\d+)$")


@dataclass(frozen=True, slots=True)
class Partition:
    """`start` and `size` in bytes; `number` counts from 1."""

    number: int
    start: int
    size: int


def read(disk: Path) -> list[Partition]:
    """Raises `ImageError` when there is no partition table."""
    table = json.loads(run("sfdisk", "--json", str(disk)))["partitiontable"]
    sector = int(table.get("sectorsize", 512))
    return [Partition(_number(disk, item["node"]), item["start"] * sector, item["size"] * sector) for item in table.get("partitions", [])]


def _number(disk: Path, node: str) -> int:
    """Tables may leave numbers out, and hold them in any order."""
    match = _NUMBER.search(node.removeprefix(str(disk)))
    if match is None:
        raise ImageError("The image's partition table cannot be read")
    return int(match[1])


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
