"""The Python environment: made from the locks, hashes checked, renewed when a lock changes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from onebox import machine
from onebox.machine import Problem
from onebox.state import ROOT

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
DISTRIBUTIONS = ("server", "node", "client")
WITH_LDAP = ("dev", "onebox")


def program(name: str) -> str:
    """Path of a command that the environment installs."""
    return str(VENV / "bin" / name)


def _stamp(lock: str) -> tuple[Path, str]:
    digest = hashlib.sha256((ROOT / "requirements" / f"{lock}.lock").read_bytes())
    digest.update((ROOT / "requirements" / "ldap.lock").read_bytes())
    for name in DISTRIBUTIONS:
        digest.update((ROOT / "packages" / name / "pyproject.toml").read_bytes())
    return VENV / f".stamp-{lock}", digest.hexdigest()


def is_ready(lock: str) -> bool:
    stamp, digest = _stamp(lock)
    return PYTHON.exists() and stamp.exists() and stamp.read_text() == digest


def _can_compile_ldap(log: Path) -> bool:
    """Whether the compiler and the headers for python-ldap are there, installing them where that is possible."""
    found = machine.inspect()
    packages = machine.package_list("ldap")
    if found.is_root and found.has_apt and (missing := machine.missing_packages(packages)):
        try:
            machine.install_packages(missing, log)
        except Problem as problem:
            print(f"{problem} Sign-in by LDAP is left out.", flush=True)
            return False
    if Path("/usr/include/ldap.h").exists() and Path("/usr/include/sasl/sasl.h").exists() and shutil.which("gcc"):
        return True
    print(f"Sign-in by LDAP is left out: it needs {' '.join(packages)}.", flush=True)
    return False


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
        if lock in WITH_LDAP and _can_compile_ldap(log):
            # It fails here and not at the first sign-in; nothing else needs it.
            done = subprocess.run([*pip, "--require-hashes", "--no-build-isolation", "-r", "requirements/ldap.lock"], stdout=stream,
                                  stderr=stream, check=False, cwd=ROOT)
            if done.returncode:
                print(f"python-ldap could not be compiled: sign-in by LDAP is left out. See {log}.", flush=True)
        for name in DISTRIBUTIONS:
            run(*pip, "--no-deps", "--no-build-isolation", "-e", f"packages/{name}")
    stamp, digest = _stamp(lock)
    stamp.write_text(digest)
