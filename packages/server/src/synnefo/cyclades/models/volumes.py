"""Disks of servers."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from synnefo.cyclades.models.flavors import VolumeType
from synnefo.cyclades.models.servers import Server


class VolumeStatus(models.TextChoices):
    CREATING = "CREATING"
    AVAILABLE = "AVAILABLE"
    ATTACHING = "ATTACHING"
    DETACHING = "DETACHING"
    IN_USE = "IN_USE"
    DELETING = "DELETING"
    DELETED = "DELETED"
    ERROR = "ERROR"


class Volume(models.Model):
    """A disk of `size` GiB. `index` is its place in the server; 0 is the one it boots from."""

    name = models.CharField(max_length=255, blank=True, default="")
    description = models.CharField(max_length=255, blank=True, default="")
    user_id = models.CharField(max_length=36)
    project_id = models.CharField(max_length=36)
    shared_to_project = models.BooleanField(default=False)
    size = models.PositiveIntegerField()
    volume_type = models.ForeignKey(VolumeType, on_delete=models.PROTECT, related_name="volumes")
    delete_on_termination = models.BooleanField(default=True)
    source = models.CharField(max_length=128, blank=True, default="")
    """`image:<uuid>`, `snapshot:<uuid>`, `volume:<id>`, or nothing for a blank one."""
    source_version = models.BigIntegerField(null=True, blank=True)
    origin = models.CharField(max_length=128, blank=True, default="")
    """Name of the block map it is filled from."""
    server = models.ForeignKey(Server, null=True, blank=True, on_delete=models.PROTECT, related_name="volumes")
    index = models.PositiveSmallIntegerField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=VolumeStatus.choices, default=VolumeStatus.CREATING)
    deleted = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["user_id", "deleted"], name="volume_owner")]

    def __str__(self) -> str:
        return f"volume {self.pk}"

    @property
    def size_bytes(self) -> int:
        return self.size * 2**30
