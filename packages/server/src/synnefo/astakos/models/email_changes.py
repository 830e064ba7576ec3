"""Changes of e-mails that their users have yet to confirm."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class EmailChange(models.Model):
    """The one a user waits for; a new one takes its place. The key is in the mail to the new address."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="email_change")
    new_email = models.EmailField(max_length=254)
    key_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.user_id} -> {self.new_email}"
