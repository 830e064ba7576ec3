"""The Python environment: made from the locks, hashes checked, renewed when a lock changes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from onebox.machine import Problem
from onebox.state import ROOT

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
DISTRIBUTIONS = ("server", "node", "client")


def program(name: str) -> str:
    """Path of a command that the environment installs."""
    return str(VENV / "bin" / name)


def _stamp(lock: str) -> tuple[Path, str]:
    digest = hashlib.sha256((ROOT / "requirements" / f"{lock}.lock").read_bytes())
    for name in DISTRIBUTIONS:
        digest.update((ROOT / "packages" / name / "pyproject.toml").read_bytes())
    return VENV / f".stamp-{lock}", digest.hexdigest()


def is_ready(lock: str) -> bool:
    stamp, digest = _stamp(lock)
    return PYTHON.exists() and stamp.exists() and stamp.read_text() == digest


def make(lock: str, log: Path) -> None:
    """Install `requirements/<lock>.lock` and our three distributions into `.venv`. Raises `Problem`."""
    with log.open("ab") as stream:

        def run(*command: str) -> None:
            if subprocess.run(command, stdout=stream, stderr=stream, check=False, cwd=ROOT).returncode:
                raise Problem(f"`{' '.join(command[:5])} ...` failed.", log=log,
                              hint="Check that Python packages can be downloaded, then run the command again.")

        if not PYTHON.exists():
            run(sys.executable, "-m", "venv", str(VENV))
        pip = (str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        run(*pip, "--require-hashes", "-r", f"requirements/{lock}.lock")
        for name in DISTRIBUTIONS:
            run(*pip, "--no-deps", "--no-build-isolation", "-e", f"packages/{name}")
    stamp, digest = _stamp(lock)
    stamp.write_text(digest)
