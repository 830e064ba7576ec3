"""Identities that a provider vouched for and that no account has yet."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class PendingIdentity(models.Model):
    """One row for an identity, made anew at each visit. Its token works once, in the browser that came from the
    provider, for an hour; the token of the mail to the owner of an account works for that owner.
    """

    module = models.CharField(max_length=64)
    identifier = models.CharField(max_length=512)
    details = models.JSONField(default=dict)
    """The rest of `services.identity.Identity`."""
    token_hash = models.CharField(max_length=64, unique=True)
    browser_hash = models.CharField(max_length=64)
    """Of a secret in the browser's session."""
    mail_token_hash = models.CharField(max_length=64, unique=True, null=True, blank=True, default=None)
    mail_user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, default=None,
                                  related_name="+")
    mail_sent_at = models.DateTimeField(null=True, blank=True, default=None)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["module", "identifier"], name="pending_identity_once")]

    def __str__(self) -> str:
        return f"{self.module}:{self.identifier}"
