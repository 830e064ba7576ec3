"""The supervisor of a one-box cloud: what dies comes back, what is no longer wanted goes, nothing outlives it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "deploy"))

from onebox import supervisor  # noqa: E402
from onebox.state import State  # noqa: E402
from onebox.supervisor import Process  # noqa: E402

SLEEPER = [sys.executable, "-c", "import time; time.sleep(3600)"]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    made = State(tmp_path / "state")
    made.make()
    yield made
    supervisor.stop(made)


def until(condition: Callable[[], object], what: str, timeout_s: float = 20) -> object:
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return value


def pid_of(state: State, name: str) -> int | None:
    item = supervisor.status(state).get("processes", {}).get(name)
    return item["pid"] if item else None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie still answers signals; its parent has not looked yet.
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_a_process_that_dies_is_started_again(state: State) -> None:
    supervisor.apply(state, [Process("sleeper", SLEEPER)])
    first = until(lambda: pid_of(state, "sleeper"), "the process runs")
    os.kill(first, 9)
    second = until(lambda: (pid := pid_of(state, "sleeper")) and pid != first and pid, "another process runs")
    assert is_alive(second)


def test_a_changed_list_stops_what_is_gone_and_leaves_the_rest_alone(state: State) -> None:
    assert supervisor.apply(state, [Process("a", SLEEPER), Process("b", SLEEPER)])
    a, b = (until(lambda name=name: pid_of(state, name), "both run") for name in ("a", "b"))
    assert not supervisor.apply(state, [Process("b", SLEEPER)])
    until(lambda: not is_alive(a), "a is stopped")
    assert pid_of(state, "b") == b


def test_stopping_leaves_no_process_behind(state: State) -> None:
    supervisor.apply(state, [Process("a", SLEEPER), Process("b", SLEEPER)])
    pids = [until(lambda name=name: pid_of(state, name), "both run") for name in ("a", "b")]
    assert supervisor.stop(state)
    assert not any(is_alive(pid) for pid in pids)
    assert supervisor.running_pid(state) is None
    assert not supervisor.stop(state)


def test_status_of_an_empty_directory_says_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run([ROOT / "synnefo", "--state-dir", tmp_path / "none", "status"], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "./synnefo up" in done.stdout


def test_logs_of_an_unknown_process_name_the_known_ones(state: State) -> None:
    (state.log / "web.log").write_text("hello\n")
    command = [ROOT / "synnefo", "--state-dir", state.directory, "logs"]
    assert "hello" in subprocess.run([*command, "web"], capture_output=True, text=True, check=True).stdout
    refused = subprocess.run([*command, "nonsense"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "web" in refused.stderr
