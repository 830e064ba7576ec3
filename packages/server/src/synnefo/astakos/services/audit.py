"""The audit log: written in the transaction of what it tells of."""

from __future__ import annotations

from typing import Any

import structlog

from synnefo.astakos.models import AuditRecord
from synnefo.common.middleware import current_client

OPERATOR = "operator"
"""Actor of what snf-manage does."""


def record(event: str, *, actor: str = "", target: str = "", **details: Any) -> None:
    """Note an event such as `login.done`. `actor` and `target` are uuids; details must be JSON and hold no secret."""
    client = current_client()
    bound = structlog.contextvars.get_contextvars()
    AuditRecord.objects.create(event=event, actor=actor[:255], target=target[:255], ip=client.ip, agent=client.agent,
                               request_id=str(bound.get("request_id", "")), details=details)
