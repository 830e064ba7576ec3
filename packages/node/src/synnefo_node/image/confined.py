"""Running the tools that read what a user made: without network and privileges, with bounded time and memory.

An image may be made to attack the tool that reads it. What it could then reach is the disk of the machine itself and files that every
program may read; it gets no network and cannot become more than it is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from synnefo_node.image.errors import ImageError

TIMEOUT_S = 120.0
MEMORY_BYTES = 2 * 2**30
_CONFINED = ("unshare", "--net", "--", "prlimit", "--core=0", "--nofile=256", f"--as={MEMORY_BYTES}", "--",
             "setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--")


def execute(*command: str, input_: str | None = None, timeout_s: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a tool and everything that it starts. Raises `ImageError` when it takes too long."""
    process = subprocess.Popen([*_CONFINED, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               errors="replace", start_new_session=True)
    try:
        stdout, stderr = process.communicate(input_, timeout_s or TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"{command[0]} took too long") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def run(*command: str, input_: str | None = None, ok: tuple[int, ...] = (0,), timeout_s: float | None = None) -> str:
    """What a tool prints. Raises `ImageError` with the end of its complaint."""
    done = execute(*command, input_=input_, timeout_s=timeout_s)
    if done.returncode not in ok:
        raise ImageError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout
