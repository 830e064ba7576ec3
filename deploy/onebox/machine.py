"""What this machine is and can do, and the installation of system packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
MINIMUM_FREE_BYTES = 3 * 2**30


class Problem(Exception):
    """Something a person must know or do. `log` names a file whose end is shown."""

    def __init__(self, text: str, *, hint: str = "", log: Path | None = None) -> None:
        super().__init__(text)
        self.hint, self.log = hint, log


@dataclass(frozen=True)
class Machine:
    """What was found out about this machine."""

    is_root: bool
    has_namespaces: bool
    has_apt: bool

    @property
    def carries_ganeti(self) -> bool:
        return self.is_root and self.has_namespaces and self.has_apt

    @property
    def why_no_ganeti(self) -> str:
        if not self.is_root:
            return "this is not root"
        if not self.has_namespaces:
            return "Linux namespaces are not available here"
        return "this is not a Debian machine (no apt-get)"


def inspect() -> Machine:
    is_root = os.geteuid() == 0
    namespaces = is_root and shutil.which("unshare") is not None and subprocess.run(
        ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "true"], capture_output=True, check=False
    ).returncode == 0
    return Machine(is_root, namespaces, shutil.which("apt-get") is not None)


def package_list(name: str) -> list[str]:
    """The Debian packages of `packages-<name>.txt`, comments removed."""
    lines = (HERE / f"packages-{name}.txt").read_text("utf-8").splitlines()
    return [word for line in lines if (word := line.split("#")[0].strip())]


def missing_packages(packages: list[str]) -> list[str]:
    if shutil.which("dpkg-query") is None:
        return []
    answer = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages],
                            capture_output=True, text=True, check=False)
    present = {line.split()[0] for line in answer.stdout.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in present]


def install_packages(packages: list[str], log: Path) -> None:
    """Install Debian packages without starting a single service of theirs."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    policy = Path("/usr/sbin/policy-rc.d")
    made_policy = not policy.exists()
    if made_policy:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        with log.open("ab") as stream:
            for command in (["apt-get", "update", "-q"],
                            ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages]):
                if subprocess.run(command, stdout=stream, stderr=stream, env=environment, check=False).returncode:
                    raise Problem(f"`{' '.join(command[:3])}` failed.", log=log,
                                  hint="Check the network and the package sources, then run the command again.")
    finally:
        if made_policy:
            policy.unlink(missing_ok=True)


def check_disk(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < MINIMUM_FREE_BYTES:
        raise Problem(f"Only {free / 2**30:.1f} GiB are free below {directory}; 3 GiB are needed.",
                      hint="Free some space or choose another place with --state-dir.")
