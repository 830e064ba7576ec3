"""Browser sessions that began at a sign-in provider, so that they can end when the provider says so."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class ProviderSession(models.Model):
    """One session. `sid` is the provider's own name for its session, where it has one."""

    session_key = models.CharField(max_length=40, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="provider_sessions")
    module = models.CharField(max_length=64)
    identifier = models.CharField(max_length=512)
    sid = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["module", "identifier"], name="provider_session_identity")]

    def __str__(self) -> str:
        return f"{self.module}:{self.identifier}"
