"""Messages as nodes send them, and a dispatcher's ear that remembers what it heard."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from synnefo.cyclades.consumers import topology
from synnefo.cyclades.ports import EventBus, type_handle

OP_KEY = "ganeti.snf.event.op"
WAIT_S = 30.0


def op_event(job: int, **changes: Any) -> dict[str, Any]:
    """A valid message about an instance."""
    return {"type": "ganeti-op-status", "event_time": [1_700_000_000 + job, 5], "operation": "OP_INSTANCE_STARTUP", "status": "success",
            "cluster": "c.test", "logmsg": None, "result": None, "jobId": job, "instance": "snf-1", "tags": [], "job_fields": {}, **changes}


class Ear:
    """Consumes in a thread. `fail` decides what the handler raises for a message; None is success."""

    def __init__(self, bus: EventBus, fail: Callable[[dict[str, Any], int], Exception | None] = lambda _m, _n: None, *,
                 debug: bool = False) -> None:
        self.debug_heard: list[int] = []
        self._debug = debug
        self.heard: list[int] = []
        self.tries: dict[int, int] = {}
        self._fail = fail
        self._stop = threading.Event()
        self._bus = bus
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        handlers: dict[str, type_handle] = {spec.name: self._handle for spec in topology.queues()}
        if self._debug:
            handlers[topology.debug_queue().name] = lambda message: self.debug_heard.append(message["jobId"])
        self._bus.consume(handlers, self._stop.is_set)

    def _handle(self, message: dict[str, Any]) -> None:
        number = message["jobId"]
        self.tries[number] = self.tries.get(number, 0) + 1
        error = self._fail(message, self.tries[number])
        if error is not None:
            raise error
        self.heard.append(number)

    def __enter__(self) -> Ear:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "the consumer does not stop"


def eventually(condition: Callable[[], bool], what: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"did not happen: {what()}"
        time.sleep(0.02)


def body(message: Any) -> bytes:
    return json.dumps(message).encode()
