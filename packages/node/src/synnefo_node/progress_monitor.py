"""`snf-progress-monitor INSTANCE`: passes the deployment's messages from standard input on to the dispatcher.

The input is a stream of JSON objects, split anywhere. A dead or slow broker must not hold the deployment up: progress is dropped after a bounded wait,
errors are kept on disk.
"""

from __future__ import annotations

import codecs
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from synnefo_node import config as configuration
from synnefo_node.delivery import DeliveryFailed, Transport, transport_for, write_message

NODE_CONFIG = Path("/etc/ganeti/synnefo-node.json")
MARK = "snf-progress-monitor:"
LONGEST_MESSAGE = 2**20
LONGEST_TOKEN = len("\\uD83D\\uDE00")
"""What is cut in the middle of a word, a number or an escape is reported at its beginning."""


def objects(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream, each as soon as it is complete, however the stream is cut. What is no JSON is skipped."""
    pending, text = "", codecs.getincrementaldecoder("utf-8")("replace")
    while piece := os.read(stream.fileno(), 65536):
        found, pending = split(pending + text.decode(piece))
        yield from found


def split(text: str) -> tuple[list[dict[str, Any]], str]:
    """The complete objects at the beginning, and the rest that may become one."""
    found: list[dict[str, Any]] = []
    while (start := text.find("{")) >= 0:
        text = text[start:]
        try:
            item, end = json.JSONDecoder().raw_decode(text)
        except ValueError as error:
            if _may_continue(error, text):
                return found, text
            text = text[1:]
            continue
        found.append(item)
        text = text[end:]
    return found, ""


def _may_continue(error: ValueError, text: str) -> bool:
    """Whether more text could still make an object of it: the decoder gave up at the end, in a string or in a word."""
    if len(text) > LONGEST_MESSAGE or not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or error.pos >= len(text) - LONGEST_TOKEN


def event(message: dict[str, Any], instance: str, now: float) -> dict[str, Any]:
    """The message as it is published."""
    microseconds = round(now * 1_000_000)
    return message | {"instance": instance, "event_time": [microseconds // 1_000_000, microseconds % 1_000_000]}


def publish(transport: Transport, routing_key: str, message: dict[str, Any], spool: Path) -> None:
    """Deliver; an error that cannot be delivered now is kept for the event daemon, progress is not."""
    try:
        transport.send(routing_key, message)
    except DeliveryFailed:
        if message.get("type") != "image-copy-progress":
            write_message(spool, routing_key, message)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: snf-progress-monitor INSTANCE")
    config = configuration.load(NODE_CONFIG if NODE_CONFIG.exists() else None)
    transport = transport_for(config.EVENTS_URL, config.EXCHANGE_GANETI)
    for message in objects(sys.stdin.buffer):
        sys.stderr.write(f"{MARK} {json.dumps(message)}\n")
        publish(transport, f"ganeti.{config.key_prefix}.event.progress", event(message, sys.argv[1], time.time()), config.STATE_DIR / "outbox")


if __name__ == "__main__":
    main()
