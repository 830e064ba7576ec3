"""Public SSH keys of users."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class KeyPair(models.Model):
    user_id = models.CharField(max_length=36)
    name = models.CharField(max_length=255)
    content = models.TextField()
    fingerprint = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["user_id", "name"], name="keypair_once")]

    def __str__(self) -> str:
        return self.name
