"""What a test may order the cluster to do wrong, and how fast it works."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

type_call_action = Literal["refuse", "drop_before", "drop_after", "delay"]
type_job_action = Literal["fail", "fail_os", "hang"]


class Malformed(ValueError):
    """The control request makes no sense."""


@dataclass(slots=True)
class CallFault:
    """Strikes the next `times` requests whose "METHOD /path" matches: `refuse` answers `status`; `drop_before` closes the
    connection and does nothing; `drop_after` does the work, then closes the connection; `delay` waits `seconds`."""

    action: str
    match: str = "."
    times: int = 1
    status: int = 503
    message: str = "Job queue is full, needs archiving"
    seconds: float = 1.0
    struck: int = 0


@dataclass(slots=True)
class JobFault:
    """Strikes the next `times` jobs whose summary matches: `fail` ends them with `result` before any effect; `fail_os` lets
    a create's OS script fail, which leaves the instance behind; `hang` keeps them running until the fault is lifted."""

    action: str
    match: str = "."
    times: int = 1
    result: list[Any] = field(default_factory=lambda: ["OpExecError", ["Failed by order of the test"]])
    struck: int = 0


@dataclass(slots=True)
class Control:
    """`queue_s` passes before a job starts, `work_s` while it runs."""

    queue_s: float = 0.02
    work_s: float = 0.05
    max_running: int = 20
    calls: list[CallFault] = field(default_factory=list)
    jobs: list[JobFault] = field(default_factory=list)

    def change(self, order: dict[str, Any]) -> None:
        """{"queue_s", "work_s", "max_running", "calls": [CallFault...], "jobs": [JobFault...]}; lists replace the old ones.

        Raises `Malformed`, changing nothing."""
        calls = [_fault(CallFault, item, get_args(type_call_action)) for item in order.get("calls", ())]
        jobs = [_fault(JobFault, item, get_args(type_job_action)) for item in order.get("jobs", ())]
        numbers = {key: order[key] for key in ("queue_s", "work_s", "max_running") if key in order}
        if any(not isinstance(value, int | float) or value < 0 for value in numbers.values()):
            raise Malformed("speeds are numbers from 0")
        for key, value in numbers.items():
            setattr(self, key, value)
        self.calls = calls if "calls" in order else self.calls
        self.jobs = jobs if "jobs" in order else self.jobs

    def call_fault(self, method: str, path: str) -> CallFault | None:
        return _strike(self.calls, f"{method} {path}")

    def job_fault(self, summary: str) -> JobFault | None:
        return _strike(self.jobs, summary)


Fault = TypeVar("Fault", CallFault, JobFault)


def _fault(kind: type[Fault], item: dict[str, Any], actions: tuple[str, ...]) -> Fault:
    try:
        fault = kind(**item)
        re.compile(fault.match)
    except (TypeError, re.error) as error:
        raise Malformed(str(error)) from error
    if fault.action not in actions:
        raise Malformed(f"unknown action {fault.action!r}; known: {', '.join(actions)}")
    return fault


def _strike(faults: list[Fault], text: str) -> Fault | None:
    for fault in faults:
        if fault.struck < fault.times and re.search(fault.match, text):
            fault.struck += 1
            return fault
    return None
