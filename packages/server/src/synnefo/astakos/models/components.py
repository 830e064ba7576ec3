"""The registry of the cloud's parts: components (hosts of services), their services and endpoints."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

_NAMESPACE = uuid.UUID("5f2c7a0e-8a1a-5a6f-9d1b-3d3b4cb6f1d0")


class Component(models.Model):
    """A part of the cloud that authenticates with a token of its own. The token is looked up by hash and kept
    encrypted, because operators read it with `component-list -o name,token`.
    """

    name = models.CharField(max_length=255, unique=True)
    ui_url = models.CharField(max_length=1024, blank=True, default="")
    base_url = models.CharField(max_length=1024, blank=True, default="")
    token_hash = models.CharField(max_length=64, unique=True)
    token_encrypted = models.TextField()
    token_created_at = models.DateTimeField(default=timezone.now)
    token_expires_at = models.DateTimeField(null=True, blank=True)
    old_token_hash = models.CharField(max_length=64, blank=True, default="", db_index=True)
    old_token_expires_at = models.DateTimeField(null=True, blank=True)
    """The token before a renewal keeps working until then."""

    def __str__(self) -> str:
        return self.name


class Service(models.Model):
    """An API of a component, as the catalogs list it."""

    component = models.ForeignKey(Component, on_delete=models.CASCADE, related_name="services")
    name = models.CharField(max_length=255, unique=True)
    type = models.CharField(max_length=255)

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        """The id in v3 catalogs: stable across calls and re-registration."""
        return uuid.uuid5(_NAMESPACE, self.name).hex


class Endpoint(models.Model):
    """Where a service listens: free key/value pairs, at least versionId and publicURL."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="endpoints")
    position = models.PositiveSmallIntegerField()
    data = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar[list[str]] = ["service_id", "position"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["service", "position"], name="endpoint_position_once")]

    def __str__(self) -> str:
        return str(self.data.get("publicURL", ""))

    def public_id(self, interface: str) -> str:
        """The id in v3 catalogs, from service, version and interface."""
        version = self.data.get("versionId", "")
        return uuid.uuid5(_NAMESPACE, f"{self.service.name}|{version}|{self.position}|{interface}").hex
