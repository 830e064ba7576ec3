"""Who did what to whom, kept for those who must answer for it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class AuditRecord(models.Model):
    """One event, never changed. `actor` and `target` are uuids (or a command's name), `details` hold no secret."""

    event = models.CharField(max_length=100)
    actor = models.CharField(max_length=255, blank=True, default="")
    target = models.CharField(max_length=255, blank=True, default="")
    ip = models.CharField(max_length=45, blank=True, default="")
    agent = models.CharField(max_length=200, blank=True, default="")
    request_id = models.CharField(max_length=40, blank=True, default="")
    details = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["target", "created_at"], name="audit_target_time")]

    def __str__(self) -> str:
        return f"{self.event} {self.target}"
