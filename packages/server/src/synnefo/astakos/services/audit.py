"""The audit log: written in the transaction of what it tells of."""

from __future__ import annotations

import datetime
from typing import Any

import structlog
from django.utils import timezone

from synnefo.astakos.models import AuditRecord
from synnefo.common.middleware import current_client
from synnefo.common.settings import conf

OPERATOR = "operator"
"""Actor of what snf-manage does."""


def record(event: str, *, actor: str = "", target: str = "", **details: Any) -> None:
    """Note an event such as `login.done`. `actor` and `target` are uuids; details must be JSON and hold no secret."""
    client = current_client()
    bound = structlog.contextvars.get_contextvars()
    AuditRecord.objects.create(event=event, actor=actor[:255], target=target[:255], ip=client.ip, agent=client.agent,
                               request_id=str(bound.get("request_id", "")), details=details)


def forget_old(*, batch: int = 1000) -> int:
    """Remove a batch of what is older than ASTAKOS_AUDIT_DAYS; returns how many. Nothing when that is 0."""
    if not conf.ASTAKOS_AUDIT_DAYS:
        return 0
    limit = timezone.now() - datetime.timedelta(days=conf.ASTAKOS_AUDIT_DAYS)
    keys = list(AuditRecord.objects.filter(created_at__lt=limit).order_by("pk").values_list("pk", flat=True)[:batch])
    return AuditRecord.objects.filter(pk__in=keys).delete()[0]
