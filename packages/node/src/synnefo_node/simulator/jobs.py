"""The job queue: scheduling, dependencies, locks, and the job files that an event daemon watches.

As in Ganeti every change of a job is written to a temporary file which is then renamed to `job-<id>`. Jobs on the same
object run one after another in the order of their numbers. After a restart queued jobs run again; one that was running
has failed, because its process is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synnefo_node.simulator import opcodes
from synnefo_node.simulator.faults import Control, JobFault

FINAL = ("success", "error", "canceled")
KEPT_IN_LIST = 5000
"""Finished jobs beyond this many are archived: still found by number, no longer listed."""
_JOB_FILE = re.compile(r"^job-(\d+)$")


class JobFailed(Exception):
    """The opcode ends in error. `code` is Ganeti's reason code, "" for none."""

    def __init__(self, message: str, code: str = "", kind: str = "OpPrereqError") -> None:
        super().__init__(message)
        self.message, self.code, self.kind = message, code, kind

    @property
    def result(self) -> list[Any]:
        return [self.kind, [self.message, self.code] if self.code else [self.message]]


@dataclass(slots=True)
class Opcode:
    input: dict[str, Any]
    status: str = "queued"
    result: Any = None
    log: list[list[Any]] = field(default_factory=list)
    start: list[int] | None = None
    exec: list[int] | None = None
    end: list[int] | None = None
    secrets: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    id: int
    ops: list[Opcode]
    received: list[int]
    start: list[int] | None = None
    end: list[int] | None = None
    is_archived: bool = False

    @property
    def status(self) -> str:
        statuses = [op.status for op in self.ops]
        for final in ("error", "canceled", "canceling"):
            if final in statuses:
                return final
        if all(status == "success" for status in statuses):
            return "success"
        return next(status for status in statuses if status != "success")

    @property
    def summary(self) -> list[str]:
        return [opcodes.summary(op.input) for op in self.ops]

    @property
    def targets(self) -> set[str]:
        """What the job locks."""
        keys = ("instance_name", "network_name", "name")
        return {f"{op.input.get('kind', key)}/{op.input[key]}" for op in self.ops for key in keys if op.input.get(key)}


def now() -> list[int]:
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return [seconds, microseconds]


type_execute = Callable[[Opcode, JobFault | None, Callable[[str], None]], Any]


class JobQueue:
    """All jobs of the cluster. `submit`, `cancel` and `get` are the whole interface besides `wait_for_change`."""

    def __init__(
        self, directory: Path, control: Control, execute: type_execute, check_names: Callable[[Opcode], None],
    ) -> None:
        self._check_names = check_names
        self._directory = directory
        self._control = control
        self._execute = execute
        self._jobs: dict[int, Job] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._last_of: dict[str, int] = {}
        self._finished: list[int] = []
        self._written = 0
        self._changed = asyncio.Event()
        self._running = 0
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "archive").mkdir(exist_ok=True)

    def load(self) -> None:
        """Take up the jobs that an earlier process left. Call with the event loop running."""
        for folder, is_archived in ((self._directory / "archive", True), (self._directory, False)):
            for path in folder.iterdir():
                if _JOB_FILE.match(path.name):
                    self._take_up(json.loads(path.read_text("utf-8")), is_archived=is_archived)
        for job_id in sorted(self._jobs):
            job = self._jobs[job_id]
            if job.status == "running":
                self._fail(job, JobFailed("Job process died while running", kind="OpExecError"))
            elif job.status not in FINAL:
                self._schedule(job)
            elif not job.is_archived:
                self._finished.append(job_id)

    def submit(self, inputs: Sequence[dict[str, Any]], secrets: Sequence[dict[str, Any]] = ()) -> int:
        """Queue a job and return its number. `inputs` must hold no secrets; those go in `secrets`, one for each opcode."""
        job_id = max(self._jobs, default=self._serial()) + 1
        ops = []
        for index, given in enumerate(inputs):
            word = given["OP_ID"].removeprefix("OP_").lower()
            trail = [*(given.get("reason") or ()), [f"gnt:opcode:{word}", f"job={job_id};index={index}", time.time_ns()]]
            ops.append(Opcode({**given, "reason": trail}, secrets=secrets[index] if index < len(secrets) else {}))
        job = Job(job_id, ops, now())
        self._jobs[job_id] = job
        (self._directory / "serial").write_text(f"{job_id}\n", "utf-8")
        self._write(job)
        self._schedule(job)
        return job_id

    def get(self, job_id: int) -> Job | None:
        return self._jobs.get(job_id)

    def listed(self) -> list[Job]:
        return [job for job in self._jobs.values() if not job.is_archived]

    def cancel(self, job_id: int) -> tuple[bool, str]:
        job = self._jobs.get(job_id)
        if job is None or job.status in FINAL:
            return False, f"Job {job_id} not found in queue"
        if job.status == "running":
            return False, f"Job {job_id} is already running"
        task = self._tasks.get(job_id)
        if task:
            task.cancel()
        for op in job.ops:
            op.status, op.result, op.end = "canceled", None, now()
        self._finish(job)
        return True, f"Dequeued job {job_id}"

    async def wait_for_change(self, timeout_s: float) -> None:
        """Returns when any job changed, or after the time."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return

    async def close(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    # How

    def _serial(self) -> int:
        path = self._directory / "serial"
        return int(path.read_text("utf-8") or 0) if path.exists() else 0

    def _schedule(self, job: Job) -> None:
        before = {self._last_of[target] for target in job.targets if target in self._last_of}
        for target in job.targets:
            self._last_of[target] = job.id
        task = asyncio.get_running_loop().create_task(self._run(job, before))
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    async def _run(self, job: Job, before: set[int]) -> None:
        await asyncio.sleep(self._control.queue_s)
        self._set(job, "waiting")
        try:
            await self._dependencies(job)
            for op in job.ops:
                self._check_names(op)
            for earlier in before:
                await self._until(lambda earlier=earlier: self._is_final(earlier))  # type: ignore[misc]
            await self._until(lambda: self._running < self._control.max_running)
            self._running += 1
            try:
                await self._work(job)
            finally:
                self._running -= 1
                self._notify()
        except JobFailed as failure:
            self._fail(job, failure)

    async def _dependencies(self, job: Job) -> None:
        for op in job.ops:
            for number, wanted in op.input.get("depends") or ():
                await self._until(lambda number=number: self._is_final(number))  # type: ignore[misc]
                other = self._jobs.get(number)
                if other is not None and wanted and other.status not in wanted:
                    raise JobFailed(
                        f"Dependency job {number} finished with status '{other.status}', not one of "
                        f"'{', '.join(wanted)}' as required", kind="OpExecError")

    async def _work(self, job: Job) -> None:
        for op in job.ops:
            fault = self._control.job_fault(opcodes.summary(op.input))
            op.exec = now()
            self._set(job, "running", op)
            while fault and fault.action == "hang" and any(fault is ordered for ordered in self._control.jobs):
                await self.wait_for_change(0.05)
            if fault and fault.action == "fail":
                op.status, op.result, op.end = "error", fault.result, now()
                break
            await asyncio.sleep(self._control.work_s)
            op.result = self._execute(op, fault, lambda text, op=op: self._say(job, op, text))  # type: ignore[misc]
            op.status, op.end = "success", now()
        self._finish(job)

    def _is_final(self, job_id: int) -> bool:
        job = self._jobs.get(job_id)
        return job is None or job.status in FINAL

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self.wait_for_change(1.0)

    def _set(self, job: Job, status: str, op: Opcode | None = None) -> None:
        moment = now()
        for each in job.ops if op is None else (op,):
            each.status = status
            each.start = each.start or moment
        job.start = job.start or moment
        self._write(job)

    def _say(self, job: Job, op: Opcode, text: str) -> None:
        op.log.append([len(op.log) + 1, now(), "message", text])
        self._write(job)

    def _fail(self, job: Job, failure: JobFailed) -> None:
        for op in job.ops:
            if op.status not in FINAL:
                op.status, op.result, op.end = "error", failure.result, now()
        self._finish(job)

    def _finish(self, job: Job) -> None:
        for op in job.ops:
            op.secrets = {}
        job.end = now()
        self._write(job)
        self._finished.append(job.id)
        while len(self._finished) > KEPT_IN_LIST:
            self._archive(self._jobs[self._finished.pop(0)])

    def _archive(self, job: Job) -> None:
        job.is_archived = True
        (self._directory / f"job-{job.id}").rename(self._directory / "archive" / f"job-{job.id}")

    def _write(self, job: Job) -> None:
        self._written += 1
        temporary = self._directory / f"job-{job.id}-{os.getpid()}-{self._written}.tmp"
        temporary.write_text(json.dumps(_as_file(job)), "utf-8")
        temporary.rename(self._directory / f"job-{job.id}")
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _take_up(self, data: dict[str, Any], *, is_archived: bool) -> None:
        ops = [Opcode(item["input"], item["status"], item["result"], item["log"], item["start_timestamp"],
                      item["exec_timestamp"], item["end_timestamp"]) for item in data["ops"]]
        self._jobs[data["id"]] = Job(data["id"], ops, data["received_timestamp"], data["start_timestamp"],
                                     data["end_timestamp"], is_archived)


def _as_file(job: Job) -> dict[str, Any]:
    ops = [{"input": op.input, "status": op.status, "result": op.result, "log": op.log, "start_timestamp": op.start,
            "exec_timestamp": op.exec, "end_timestamp": op.end, "priority": 0} for op in job.ops]
    return {"id": job.id, "ops": ops, "start_timestamp": job.start, "end_timestamp": job.end,
            "received_timestamp": job.received, "livelock": None, "process_id": os.getpid() if job.start else None}
