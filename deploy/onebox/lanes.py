"""`./synnefo test`, `check` and `bench`: every lane that this machine can carry, and at the end what could not run and why."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from onebox import environment, machine, postgresql, progress
from onebox.machine import Problem
from onebox.state import ROOT, State

DATA_TESTS = ("tests/integration", "tests/properties")
PYTEST = ("-q", "--no-header", "-o", "console_output_style=count")


@dataclass
class Result:
    """What came of one lane. A lane without tests (lint, types) counts each of its tools as one test."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Lane:
    name: str
    help: str
    run: Callable[[Path, bool], Result]
    unavailable: Callable[[machine.Machine], str | None] = lambda _machine: None
    """Why the machine cannot carry the lane, or None."""
    quick: bool = False
    """Whether `--quick` runs it (without the tests marked slow)."""


def _tools(_directory: Path, _quick: bool) -> Result:
    result = Result()
    sources = ["packages/server/src/synnefo", "packages/node/src/synnefo_node", "packages/client/src/kamaki"]
    for command in (["ruff", "check", "."], ["mypy", *sources], ["lint-imports"]):
        # The type checker starts Django, which must not read the settings of a cloud on this machine.
        code = subprocess.run([environment.program(command[0]), *command[1:]], cwd=ROOT, check=False,
                              env=os.environ | {"SYNNEFO_SETTINGS_DIR": "/nonexistent"}).returncode
        result.passed, result.failed = result.passed + (code == 0), result.failed + (code != 0)
    return result


def _pytest(*arguments: str, **extra: str) -> Callable[[Path, bool], Result]:
    def run(directory: Path, quick: bool) -> Result:
        report = directory / f"{time.monotonic_ns()}.xml"
        marks = ["-m", "not slow and not ganeti and not browser and not rabbitmq"] if quick else []
        command = [str(environment.PYTHON), "-m", "pytest", *PYTEST, f"--junitxml={report}", *arguments, *marks]
        code = subprocess.run(command, cwd=ROOT, env=os.environ | extra, check=False).returncode
        return _read_report(report, code)

    return run


def _read_report(report: Path, code: int) -> Result:
    if not report.exists():
        return Result(failed=1)
    suite = ElementTree.parse(report).getroot()[0]
    numbers = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    failed = numbers["failures"] + numbers["errors"]
    if code not in {0, 5} and failed == 0:
        failed = 1
    reasons = sorted({str(item.get("message")) for item in suite.iter("skipped")})
    return Result(numbers["tests"] - failed - numbers["skipped"], failed, numbers["skipped"], reasons)


def _on_postgresql(directory: Path, quick: bool) -> Result:
    with postgresql.server(directory / "postgresql.log") as url:
        return _pytest("-n", "2", *DATA_TESTS, "-m", "not ganeti and not browser and not rabbitmq and not slow",
                       SYNNEFO_TEST_DATABASE_URL=url)(directory, False)


def _needs_postgresql(_machine: machine.Machine) -> str | None:
    return None if postgresql.binaries() else "PostgreSQL is not installed"


def _needs_root(found: machine.Machine) -> str | None:
    return None if found.carries_ganeti else f"real Ganeti cannot run here: {found.why_no_ganeti}"


LANES = [
    Lane("check", "lint, types, import contracts", _tools, quick=True),
    Lane("unit", "pure functions", _pytest("tests/unit"), quick=True),
    Lane("sqlite", "services and APIs on SQLite, with the simulated cluster", _pytest("-n", "2", *DATA_TESTS), quick=True),
    Lane("postgresql", "the same on a real PostgreSQL", _on_postgresql, _needs_postgresql),
    Lane("faults", "processes killed, messages lost and doubled, then healed", _pytest("tests/faults")),
    Lane("ganeti", "the contract suite on the simulated and on real Ganeti", _pytest("tests/ganeti"), _needs_root),
    Lane("e2e", "a whole cloud by ./synnefo up, stock clients, a browser", _pytest("tests/e2e"), _needs_root),
]


def add_arguments(add: Callable[..., argparse.ArgumentParser]) -> None:
    test = add("test", _test, "run every test lane that this machine can carry")
    test.add_argument("lanes", nargs="*", metavar="LANE", help="only these: " + ", ".join(lane.name for lane in LANES))
    test.add_argument("--quick", action="store_true", help="only what takes less than three minutes")
    add("check", _check, "lint, types, contracts and unit tests")
    bench = add("bench", _bench, "measure the running code beside what it is compared with")
    bench.add_argument("names", nargs="*", metavar="NAME", help="only these benchmarks (files in bench/)")


def _prepare(state: State, *, packages: bool) -> machine.Machine:
    """Install what tests need. Raises `Problem`."""
    found = machine.inspect()
    log = Path(tempfile.gettempdir()) / "synnefo-test-install.log"
    if packages and found.is_root and found.has_apt:
        names = [name for kind in ("server", "node", "test") for name in machine.package_list(kind)]
        missing = machine.missing_packages(names)
        if missing:
            print(f"Installing {len(missing)} Debian packages ...", flush=True)
            machine.install_packages(missing, log)
    if not environment.is_ready("dev"):
        print("Installing the Python environment ...", flush=True)
        environment.make("dev", log)
    return machine.inspect()


def _test(state: State, args: argparse.Namespace) -> int:
    unknown = set(args.lanes) - {lane.name for lane in LANES}
    if unknown:
        raise Problem(f"There is no lane {', '.join(sorted(unknown))}.", hint="Lanes: " + ", ".join(x.name for x in LANES))
    found = _prepare(state, packages=not args.quick)
    chosen = [lane for lane in LANES if (lane.name in args.lanes if args.lanes else lane.quick or not args.quick)]
    return _run(chosen, found, quick=args.quick)


def _check(state: State, _args: argparse.Namespace) -> int:
    found = _prepare(state, packages=False)
    return _run([lane for lane in LANES if lane.name in {"check", "unit"}], found, quick=True)


def _run(lanes: list[Lane], found: machine.Machine, *, quick: bool) -> int:
    results: dict[str, Result] = {}
    times: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="synnefo-lanes-") as directory:
        for lane in lanes:
            why = lane.unavailable(found)
            if why:
                results[lane.name] = Result(reasons=[why])
                continue
            print(progress.bold(f"\n== {lane.name}: {lane.help}"), flush=True)
            started = time.monotonic()
            results[lane.name] = lane.run(Path(directory), quick)
            times[lane.name] = time.monotonic() - started
    return _summary(results, times)


def _summary(results: dict[str, Result], times: dict[str, float]) -> int:
    print(progress.bold("\n== summary"))
    for name, result in results.items():
        if name not in times:
            print(f"  {name:<12} left out: {'; '.join(result.reasons)}")
            continue
        print(f"  {name:<12} {result.passed:>5} passed {result.failed:>3} failed {result.skipped:>3} skipped "
              f"{progress.seconds(times[name]):>14}")
        for reason in result.reasons:
            print(f"  {'':<12}   skipped: {reason}")
    total = [sum(getattr(result, kind) for result in results.values()) for kind in ("passed", "failed", "skipped")]
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


def _bench(state: State, args: argparse.Namespace) -> int:
    _prepare(state, packages=True)
    files = sorted((ROOT / "bench").glob("bench_*.py"))
    chosen = [path for path in files if not args.names or path.stem.removeprefix("bench_") in args.names]
    if not chosen:
        raise Problem("There is no such benchmark.", hint=", ".join(path.stem.removeprefix("bench_") for path in files))
    codes = [subprocess.run([str(environment.PYTHON), str(path)], cwd=ROOT, check=False).returncode for path in chosen]
    return max(codes)


