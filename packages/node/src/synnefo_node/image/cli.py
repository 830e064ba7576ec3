"""The scripts of the OS definition: create, import, export, rename, verify. Ganeti calls them with everything in the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synnefo_node import config as configuration
from synnefo_node.image import copying, customisation, parameters, progress
from synnefo_node.image.errors import ImageError
from synnefo_node.image.sources import open_source

NODE_CONFIG = Path("/etc/ganeti/synnefo-node.json")


def create() -> None:
    """Fill disk 0 and customise it."""
    config = configuration.load(NODE_CONFIG if NODE_CONFIG.exists() else None)
    wanted = parameters.gather()
    disk = _disk()
    source = open_source(wanted.img_id, config)
    if source is not None:
        copying.copy(source, disk, _size_of(disk))
    customisation.customise(disk, wanted)


def _disk() -> Path:
    path = os.environ.get("DISK_0_PATH", "")
    if not path:
        raise ImageError("The machine has no disk that can be written here")
    return Path(path)


def _size_of(disk: Path) -> int:
    with disk.open("rb") as stream:
        return stream.seek(0, os.SEEK_END)


def verify() -> None:
    """Check parameters before anything is created. The one-time address is not used up here."""
    if sys.argv[2:] != ["parameters"]:
        raise ImageError("usage: verify parameters")
    values = parameters.from_environment()
    if not values.pop("config_url", ""):
        parameters.parse(values)


def export() -> None:
    """Write disk 0 to standard output."""
    device = Path(os.environ["EXPORT_DEVICE"])
    size_fd = os.environ.get("EXP_SIZE_FD")
    if size_fd:
        os.write(int(size_fd), str(_size_of(device)).encode())
    with device.open("rb") as stream:
        shutil.copyfileobj(stream, sys.stdout.buffer, 2**20)


def import_() -> None:
    """Read a disk from standard input."""
    with Path(os.environ["IMPORT_DEVICE"]).open("r+b") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream, 2**20)


def rename() -> None:
    """Nothing on the disk depends on the name that Ganeti gives the machine."""


SCRIPTS = {"create": create, "verify": verify, "export": export, "import": import_, "rename": rename}


@contextmanager
def _monitor(instance: str) -> Iterator[None]:
    """Messages go to the progress monitor; one that fails or hangs does not hold the deployment up."""
    command = [sys.executable, "-m", "synnefo_node.progress_monitor", instance]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=sys.stderr, text=True)
    progress.to(process.stdin)
    try:
        yield
    finally:
        progress.to(None)
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in SCRIPTS:
        sys.exit(f"usage: snf-image {'|'.join(SCRIPTS)}")
    try:
        if name != "create":
            SCRIPTS[name]()
            return
        with _monitor(os.environ.get("INSTANCE_NAME", "")):
            _create_and_tell()
    except (ImageError, OSError) as error:
        sys.exit(f"snf-image: {error}")


def _create_and_tell() -> None:
    try:
        create()
    except ImageError as error:
        progress.error(str(error))
        raise
    except OSError as error:
        # A full disk of the node is the usual one.
        progress.error(f"The node could not write the disk: {error.strerror}")
        raise


if __name__ == "__main__":
    main()
