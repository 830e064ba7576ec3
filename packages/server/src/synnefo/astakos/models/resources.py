"""What can be counted and limited."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from synnefo.common.ports import INFINITE


class Resource(models.Model):
    """A countable thing of a service. Amounts are in its unit: bytes, or plain counts."""

    name = models.CharField(max_length=255, unique=True)
    desc = models.TextField(blank=True, default="")
    unit = models.CharField(max_length=255, blank=True, default="")
    service_type = models.CharField(max_length=255)
    service_origin = models.CharField(max_length=255)
    """Name of the service that counts it."""
    component = models.CharField(max_length=255, db_index=True)
    """Name of the component of that service: who may charge it."""
    system_default = models.BigIntegerField(default=INFINITE)
    """Both capacities of new system projects."""
    project_default = models.BigIntegerField(default=0)
    ui_visible = models.BooleanField(default=True)
    api_visible = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(system_default__gte=0) & Q(project_default__gte=0), name="resource_defaults_not_negative"),
            models.CheckConstraint(condition=Q(ui_visible=False) | Q(api_visible=True), name="resource_ui_visible_is_api_visible"),
        ]

    def __str__(self) -> str:
        return self.name
