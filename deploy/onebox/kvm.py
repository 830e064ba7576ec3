"""Whether the processor really runs guests.

`/dev/kvm` may be there without working: some hosts offer one to their guests that runs a boot sector and then hangs in a Linux kernel. So
the processor must say that it can, and a guest must boot, without QEMU complaining of features that are missing.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

TIMEOUT_S = 10
# A boot sector of three instructions: write 0x10 to the port that ends QEMU, then wait for ever.
BOOT_SECTOR = bytes.fromhex("b010e6f4ebfe").ljust(510, b"\0") + b"\x55\xaa"
EXIT_STATUS = 0x10 << 1 | 1
"""What QEMU's debug exit makes of the value written."""


def works(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether guests may use KVM; emulation is the safe answer."""
    return has_extensions(cpuinfo) and os.access("/dev/kvm", os.R_OK | os.W_OK) and boots("kvm")


def has_extensions(cpuinfo: Path) -> bool:
    """Whether the processor has Intel's or AMD's virtualisation."""
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any({"vmx", "svm"} & set(line.partition(":")[2].split()) for line in lines if line.startswith("flags"))


def boots(accelerator: str, program: str = "qemu-system-x86_64") -> bool:
    """Whether a guest runs to its end. Never raises, never hangs."""
    with tempfile.NamedTemporaryFile(prefix="snf-boot-") as disk:
        disk.write(BOOT_SECTOR)
        disk.flush()
        command = [program, "-nodefaults", "-no-user-config", "-display", "none", "-m", "16", "-accel", accelerator, "-device",
                   "isa-debug-exit,iobase=0xf4,iosize=1", "-drive", f"file={disk.name},format=raw,if=ide"]
        try:
            done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired):
            return False
    is_complete = accelerator != "kvm" or b"doesn't support requested feature" not in done.stderr
    return done.returncode == EXIT_STATUS and is_complete
