"""Structured logs: one event a line, with the request's context bound to it and secrets masked in one place."""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from synnefo.common.settings import conf

MASK = "********"
HIDDEN = ("password", "passwd", "secret", "token", "adminpass", "authorization", "cookie", "private_key", "user_data",
          "personality", "amqp_hosts", "database_url")


def mask_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values whose key names a secret, at any depth."""
    for key, value in event.items():
        event[key] = _masked(key, value)
    return event


def _masked(key: str, value: Any) -> Any:
    if any(word in str(key).lower() for word in HIDDEN) and value not in (None, "", True, False):
        return MASK
    if isinstance(value, dict):
        return {inner: _masked(inner, item) for inner, item in value.items()}
    return value


def configure(stream: Any = None) -> None:
    """Set up structlog and the standard library's logging to write through one pipeline to `stream` (stderr)."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        mask_secrets,
    ]
    console = conf.LOG_FORMAT == "console"
    final: list[Any] = [structlog.dev.ConsoleRenderer()] if console else [
        structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(), wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(conf.LOG_LEVEL)
    for noisy in ("httpx", "httpcore", "amqp", "django.request", "django.server"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
