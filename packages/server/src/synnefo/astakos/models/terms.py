"""Terms of use, version by version, and who agreed to which."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class Terms(models.Model):
    """A version; the newest has the highest id. The text is kept here, so that all hosts show the same."""

    location = models.CharField(max_length=4096)
    """Absolute path of the file that it was read from."""
    html = models.TextField()
    sha256 = models.CharField(max_length=64)
    """Of the file."""
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"terms {self.pk}"


class TermsSignature(models.Model):
    """That a user agreed to a version, when, and from where."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="signatures")
    terms = models.ForeignKey(Terms, on_delete=models.CASCADE, related_name="signatures")
    signed_at = models.DateTimeField(default=timezone.now)
    client_ip = models.CharField(max_length=45, blank=True, default="")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["user", "terms"], name="terms_signed_once")]

    def __str__(self) -> str:
        return f"{self.user_id} signed {self.terms_id}"
