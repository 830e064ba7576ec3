"""`snf-progress-monitor INSTANCE`: passes the deployment's messages from standard input on to the dispatcher.

The input is a stream of JSON objects, split anywhere. A dead or slow broker must not hold the deployment up: progress is dropped after a bounded wait,
errors are kept on disk.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from synnefo_node import config as configuration
from synnefo_node.delivery import DeliveryFailed, Transport, transport_for, write_message

NODE_CONFIG = Path("/etc/ganeti/synnefo-node.json")
MARK = "snf-progress-monitor:"
LONGEST_MESSAGE = 2**20


def objects(stream: TextIO) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream, however it is cut. What is no JSON is skipped to the next line."""
    decoder, pending = json.JSONDecoder(), ""
    while piece := stream.readline():
        pending = (pending + piece)[-LONGEST_MESSAGE:]
        while pending := pending.lstrip():
            try:
                found, end = decoder.raw_decode(pending)
            except ValueError:
                if not pending.startswith("{"):
                    pending = ""
                break
            pending = pending[end:]
            if isinstance(found, dict):
                yield found


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
    for message in objects(sys.stdin):
        sys.stderr.write(f"{MARK} {json.dumps(message)}\n")
        publish(transport, f"ganeti.{config.key_prefix}.event.progress", event(message, sys.argv[1], time.time()), config.STATE_DIR / "outbox")


if __name__ == "__main__":
    main()
