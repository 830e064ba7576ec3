"""Credentials that users make for programs: application credentials and EC2-style keys."""

from __future__ import annotations

import datetime
import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


def new_hex_id() -> str:
    """32 hexadecimal digits, as OpenStack's clients expect of ids."""
    return uuid.uuid4().hex


class AppCredential(models.Model):
    """A name and a secret that stand for a user in one project, with the roles he had when he made it at most.
    Nothing but the notes of its use ever changes: to alter one is to make another.
    """

    id = models.CharField(max_length=32, primary_key=True, default=new_hex_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="app_credentials")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    secret_hash = models.CharField(max_length=255)
    """Of generated secrets SHA-256 (they are random), of chosen ones what the password hasher makes."""
    project_id = models.CharField(max_length=36)
    roles = models.JSONField(default=list)
    is_unrestricted = models.BooleanField(default=False)
    """Its tokens may manage the account's credentials and tokens too."""
    access_rules = models.JSONField(null=True, blank=True, default=None)
    """The calls it allows, as {id, service, method, path}; null is every call."""
    known_networks = models.JSONField(default=list)
    """Where it was made and used, so that the user hears of other places."""
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_ip = models.CharField(max_length=45, blank=True, default="")

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "name"], name="app_credential_name_once")]

    def __str__(self) -> str:
        return self.name

    def is_expired(self, now: datetime.datetime) -> bool:
        return self.expires_at is not None and self.expires_at < now


class AccessRule(models.Model):
    """One call that an application credential may be held to. Rules are never changed, so credentials keep copies."""

    id = models.CharField(max_length=32, primary_key=True, default=new_hex_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_rules")
    service = models.CharField(max_length=64)
    method = models.CharField(max_length=16)
    path = models.CharField(max_length=255)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "service", "method", "path"], name="access_rule_once")]

    def __str__(self) -> str:
        return f"{self.method} {self.service} {self.path}"


class Ec2Credential(models.Model):
    """An access key whose secret signs requests. The secret is kept encrypted: signatures cannot be checked with a hash."""

    access = models.CharField(max_length=32, primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="ec2_credentials")
    project_id = models.CharField(max_length=36)
    secret_encrypted = models.TextField()
    app_credential = models.ForeignKey(AppCredential, null=True, blank=True, on_delete=models.CASCADE, related_name="ec2_credentials")
    """The application credential whose token made it, and with which it ends."""
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["created_at", "access"]

    def __str__(self) -> str:
        return self.access
