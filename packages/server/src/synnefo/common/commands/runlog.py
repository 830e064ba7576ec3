"""The command log: a file for each run of a command, with everything it printed and logged, secrets masked."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import os
import re
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from synnefo.common.logging import MASK
from synnefo.common.settings import conf

_SECRET_OPTION = re.compile(r"^--?[\w-]*(password|pass|secret|token|private-key)[\w-]*$", re.IGNORECASE)
_FLAGS = ("--renew-password", "--renew-token")
_secrets: set[str] = set()


def mask(value: str) -> None:
    """From now on hide this value in the log of the run."""
    if len(value) >= 4:
        _secrets.add(value)


def masked_arguments(argv: Sequence[str]) -> list[str]:
    """The command line with the values of secret options hidden."""
    result: list[str] = []
    hide = False
    for argument in argv:
        name, equals, _ = argument.partition("=")
        secret = bool(_SECRET_OPTION.match(name)) and name not in _FLAGS
        if hide and not argument.startswith("-"):
            mask(argument)
            result.append(MASK)
        elif secret and equals:
            mask(argument.partition("=")[2])
            result.append(f"{name}={MASK}")
        else:
            result.append(argument)
        hide = secret and not equals
    return result


class _Tee:
    """A stream that also writes each finished line to the log."""

    def __init__(self, stream: TextIO, file: TextIO, level: str) -> None:
        self._stream, self._file, self._level = stream, file, level
        self._rest = ""

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            record(self._file, self._level, line)
        return written

    def close_line(self) -> None:
        if self._rest:
            record(self._file, self._level, self._rest)
            self._rest = ""

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def record(file: TextIO, level: str, text: str) -> None:
    """One dated line."""
    for secret in _secrets:
        text = text.replace(secret, MASK)
    file.write(f"{datetime.datetime.now(datetime.UTC).isoformat(timespec='milliseconds')} {level} {text}\n")
    file.flush()


def open_log(command: str) -> TextIO | None:
    """The file of this run, or None when it is not wanted or cannot be opened (which is said on stderr)."""
    if re.search(conf.LOGGER_EXCLUDE_COMMANDS, command):
        return None
    directory = Path(conf.LOG_DIR) / "commands"
    now = datetime.datetime.now(datetime.UTC)
    name = f"{now:%y%m%d%H%M%S}_{command}_{socket.gethostname()}_{os.getpid()}.log"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        descriptor = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        sys.stderr.write(f"Warning: the command log cannot be written: {error}\n")
        return None


@contextlib.contextmanager
def recorded(command: str, argv: Sequence[str], file: TextIO | None, *, login: str = "") -> Iterator[None]:
    """Copy output and log records of the run to `file`; at the end note exit status and duration."""
    shown = " ".join(masked_arguments(argv))
    started = time.monotonic()
    status: int | str | None = 0
    if file is None:
        yield
        return
    record(file, "INFO", f"{shown} (pid {os.getpid()}, user {login or 'unknown'}, host {socket.gethostname()})")
    handler = _log_handler(file)
    out, err = _Tee(sys.stdout, file, "INFO"), _Tee(sys.stderr, file, "ERROR")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):  # type: ignore[type-var]
            yield
    except SystemExit as leaving:
        status = 0 if leaving.code is None else leaving.code
        raise
    except BaseException:
        status = 1
        raise
    finally:
        out.close_line()
        err.close_line()
        logging.getLogger().removeHandler(handler)
        seconds = time.monotonic() - started
        record(file, "INFO", f"exit status {status}, {seconds:.3f} s")
        file.close()
        _audit({"command": command, "arguments": shown, "status": status, "seconds": round(seconds, 3), "login": login,
                "host": socket.gethostname(), "at": datetime.datetime.now(datetime.UTC).isoformat()})
        _secrets.clear()


def _log_handler(file: TextIO) -> logging.Handler:
    """Send log records to the file too, in the form that the process's own log has."""
    root = logging.getLogger()
    handler = logging.StreamHandler(file)
    if root.handlers:
        handler.setFormatter(root.handlers[0].formatter)
    root.addHandler(handler)
    return handler


def _audit(entry: dict[str, Any]) -> None:
    """One JSON line in `<LOG_DIR>/audit.log`."""
    try:
        descriptor = os.open(Path(conf.LOG_DIR) / "audit.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=True) + "\n")
    except OSError as error:
        sys.stderr.write(f"Warning: the audit log cannot be written: {error}\n")
