"""Mails on their way out."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class QueuedMail(models.Model):
    """A rendered mail to one recipient. The row is written with what caused it and goes when the mail has left."""

    recipient = models.CharField(max_length=500)
    sender = models.CharField(max_length=500)
    subject = models.CharField(max_length=500)
    body = models.TextField()
    message_id = models.CharField(max_length=255)
    """The same in every attempt, so that mail programs drop a doubled one."""
    template = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now, db_index=True)
    last_error = models.CharField(max_length=500, blank=True, default="")
    failed_at = models.DateTimeField(null=True, blank=True)
    """Given up then."""

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.template} to {self.recipient}"
