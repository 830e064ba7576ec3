"""What becomes of one message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from synnefo.common.errors import BrokenInvariant, DependencyUnavailable, InvalidInput, NotFound, OutcomeUnknown
from synnefo.cyclades.consumers import messages, topology
from synnefo.cyclades.consumers.delivery import Outcome, deliver, is_passing
from tests.support.events import body, op_event

SCHEMA = Path(__file__).resolve().parents[2] / "docs/reference/events.schema.json"


@pytest.fixture(autouse=True)
def _short_waits(settings_override: Any) -> None:
    settings_override(EVENT_RETRY_SECONDS=1.0, EVENT_RETRY_LIMIT=5)


def run(raw: bytes, errors: list[Exception], *, stop_after: int = 99) -> tuple[Any, list[float], int]:
    """Deliver one message to a handler that raises these errors in turn, then succeeds."""
    waits: list[float] = []
    calls = [0]

    def handle(_message: dict[str, Any]) -> None:
        calls[0] += 1
        if len(errors) >= calls[0]:
            raise errors[calls[0] - 1]

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) >= stop_after

    return deliver("snf-events-op", raw, handle, wait), waits, calls[0]


def test_handled_at_once() -> None:
    verdict, waits, calls = run(body(op_event(1)), [])
    assert (verdict.outcome, waits, calls) == (Outcome.DONE, [], 1)


def test_passing_failures_are_tried_again_with_growing_waits() -> None:
    down = DependencyUnavailable("quota is away")
    verdict, waits, calls = run(body(op_event(1)), [down] * 3)
    assert (verdict.outcome, verdict.attempts, waits, calls) == (Outcome.DONE, 4, [1.0, 2.0, 4.0], 4)


def test_too_many_passing_failures_are_death() -> None:
    verdict, waits, calls = run(body(op_event(1)), [DependencyUnavailable("away")] * 50)
    assert (verdict.outcome, verdict.attempts, calls) == (Outcome.DEAD, 6, 6)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert "away" in verdict.error


@pytest.mark.parametrize("error", [NotFound("x"), BrokenInvariant("x"), ValueError("bug"), KeyError("bug")])
def test_other_failures_are_death_at_once(error: Exception) -> None:
    verdict, waits, calls = run(body(op_event(1)), [error])
    assert (verdict.outcome, waits, calls) == (Outcome.DEAD, [], 1)
    assert type(error).__name__ in verdict.error


def test_handler_may_drop_a_message() -> None:
    assert run(body(op_event(1)), [InvalidInput("no such field")])[0].outcome is Outcome.DROPPED


def test_stopping_gives_the_message_back() -> None:
    verdict, _, calls = run(body(op_event(1)), [DependencyUnavailable("away")] * 50, stop_after=1)
    assert (verdict.outcome, calls) == (Outcome.STOPPED, 1)


def test_unknown_outcomes_pass() -> None:
    assert is_passing(OutcomeUnknown("cut off"))
    assert not is_passing(RuntimeError())


@pytest.mark.parametrize("raw", [
    b"", b"{", b"\xff\xfe", b"[]", b"null", b"[" * 5000,
    body({"type": "something-else"}), body({}),
    body(op_event(1, event_time=None)), body(op_event(1, event_time=[1])), body(op_event(1, event_time=[1, 2_000_000])),
    body(op_event(1, event_time=["x", 1])), body(op_event(1, status="done")), body(op_event(1, instance="")),
    body(op_event(1, jobId="x")), body(op_event(1, jobId=-1)), body(op_event(1, instance_nics=[{"name": "x"}])),
    body({key: value for key, value in op_event(1).items() if key != "operation"}),
])
def test_malformed_messages_are_dropped(raw: bytes) -> None:
    verdict, _, calls = run(raw, [])
    assert (verdict.outcome, calls) == (Outcome.DROPPED, 0)
    assert verdict.error


def test_unknown_keys_are_tolerated() -> None:
    assert messages.check(op_event(1, added_later={"x": 1}))["added_later"] == {"x": 1}


def test_schema_file_is_current() -> None:
    assert SCHEMA.read_text("utf-8") == messages.schema_text(), "write it again: messages.schema_text()"


def test_schema_names_every_type() -> None:
    mapping = json.loads(SCHEMA.read_text("utf-8"))["discriminator"]["mapping"]
    assert set(mapping) == messages.KNOWN_TYPES


@pytest.mark.parametrize(("prefix", "name"), [("snf-", "snf"), ("my-cloud-", "my")])
def test_queues_are_named_for_the_deployment(settings_override: Any, prefix: str, name: str) -> None:
    settings_override(BACKEND_PREFIX_ID=prefix)
    assert [(spec.name, spec.routing_key) for spec in topology.queues()] == [
        (f"{name}-events-op", f"ganeti.{name}.event.op"), (f"{name}-events-network", f"ganeti.{name}.event.network"),
        (f"{name}-events-progress", f"ganeti.{name}.event.progress"), (f"{name}-events-cluster", "ganeti.event.cluster")]
    assert topology.find_queue(f"{name}-events-op-dl") is not None
    assert topology.find_queue("foreign") is None


@pytest.mark.parametrize("prefix", ["", "snf", "Snf-", "sn f-", "-snf", "snf_-"])
def test_bad_prefixes_are_refused(settings_override: Any, prefix: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        settings_override(BACKEND_PREFIX_ID=prefix)
