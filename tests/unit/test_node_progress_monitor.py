"""The messages of a deployment on their way to the dispatcher."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synnefo_node import progress_monitor
from synnefo_node.delivery import DeliveryFailed

json_objects = st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
                                                       lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5), max_size=4)


def read_in_pieces(text: str, cuts: list[int]) -> list[dict[str, Any]]:
    """What comes out when the text arrives in these pieces."""
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    found, pending = [], ""
    for start, end in itertools.pairwise(edges):
        complete, pending = progress_monitor.split(pending + text[start:end])
        found += complete
    return found


@given(st.lists(json_objects, min_size=1, max_size=4), st.sampled_from(["", " ", "\n", "\r\n"]), st.booleans(), st.lists(st.integers(0, 10**6), max_size=8))
def test_objects_are_found_however_the_stream_is_cut(items: list[dict[str, Any]], between: str, is_ascii: bool, cuts: list[int]) -> None:
    text = between.join(json.dumps(item, ensure_ascii=is_ascii, indent=2 if between == "\n" else None) for item in items)
    assert read_in_pieces(text, cuts) == items


def test_an_object_is_passed_on_before_the_next_begins() -> None:
    assert progress_monitor.split('{"a": 1}') == ([{"a": 1}], "")


@pytest.mark.parametrize("rubbish", ["noise ", "12 [] ", "{bad} ", "{'a': 1}\n", "}}}", '{"a": nonsense-that-is-long} '])
def test_what_is_no_json_is_skipped(rubbish: str) -> None:
    found, rest = progress_monitor.split(rubbish + '{"type": "image-info"}')
    assert (found, rest) == ([{"type": "image-info"}], "")


def test_an_endless_message_is_given_up() -> None:
    found, rest = progress_monitor.split('{"a": "' + "x" * progress_monitor.LONGEST_MESSAGE)
    assert (found, rest) == ([], "")


@pytest.mark.parametrize(("now", "event_time"), [(5.0, [5, 0]), (5.9999996, [6, 0]), (1.25, [1, 250000])])
def test_messages_carry_the_instance_and_the_time(now: float, event_time: list[int]) -> None:
    message = progress_monitor.event({"type": "image-info", "messages": []}, "snf-7", now)
    assert message == {"type": "image-info", "messages": [], "instance": "snf-7", "event_time": event_time}


class Broken:
    def send(self, _routing_key: str, _message: dict[str, Any]) -> None:
        raise DeliveryFailed("the broker is away")


@pytest.mark.parametrize(("kind", "kept"), [("image-copy-progress", 0), ("image-error", 1), ("image-helper", 1)])
def test_progress_is_dropped_and_errors_are_kept(tmp_path: Path, kind: str, kept: int) -> None:
    progress_monitor.publish(Broken(), "ganeti.snf.event.progress", {"type": kind}, tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == kept
