"""What remains to be done outside the process, written with the rows that call for it."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.servers import Server


class OperationState(models.TextChoices):
    PENDING = "pending"
    """To be performed, perhaps again."""
    SUBMITTED = "submitted"
    """Its jobs are in the cluster's queue."""
    DONE = "done"
    FAILED = "failed"


class Operation(models.Model):
    """One intent. `payload` holds no secret. `jobs` are the Ganeti jobs; the last one ends the operation."""

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = models.CharField(max_length=40)
    backend = models.ForeignKey(Backend, null=True, blank=True, on_delete=models.CASCADE, related_name="operations")
    server = models.ForeignKey(Server, null=True, blank=True, on_delete=models.CASCADE, related_name="operations")
    task = models.CharField(max_length=32, blank=True, default="")
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=OperationState.choices, default=OperationState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    jobs = models.JSONField(default=list)
    last_error = models.TextField(blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    """Not before; while a process works on it, when others may assume that it died."""

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "next_attempt_at"], name="operation_due"),
            models.Index(fields=["server", "state"], name="operation_server"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid}"

    @property
    def reason(self) -> str:
        """What the operation's jobs carry in their reason trail, to be found again."""
        return f"snf:{self.uuid}"
