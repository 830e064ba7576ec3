"""Run a command of `snf-manage` in this process, as the command line would, and look at what it left."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from typing import Any
from unittest import mock

from synnefo.project.manage import Utility


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


def run(*arguments: str, stdin: str | None = None) -> Result:
    """`run("user-list", "--output-format", "json")`. Without `stdin` there is no terminal to ask."""
    out, err = io.StringIO(), io.StringIO()
    source = io.StringIO(stdin or "")
    source.isatty = lambda: stdin is not None  # type: ignore[method-assign]
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch("sys.stdin", source):
        try:
            Utility(["snf-manage", *arguments]).execute()
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
    return Result(code, out.getvalue(), err.getvalue())
