"""The browser sessions of each user, so that they can be shown and ended."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class WebSession(models.Model):
    """One signed-in browser. Its data are kept by the session engine under the same key."""

    session_key = models.CharField(max_length=40, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="web_sessions")
    token = models.OneToOneField("astakos.ApiToken", null=True, blank=True, on_delete=models.SET_NULL, related_name="web_session")
    """The token in this browser's cookie. It ends with the session."""
    method = models.CharField(max_length=64, blank=True, default="")
    """By which provider it began; empty when it began before sessions were recorded."""
    ip = models.CharField(max_length=45, blank=True, default="")
    agent = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar[list[str]] = ["-last_used_at"]

    def __str__(self) -> str:
        return f"{self.user_id} {self.ip}"
