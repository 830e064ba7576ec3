"""Sizes of servers and kinds of volumes."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class VolumeType(models.Model):
    """A disk template with its provider: `ext_archipelago` is the template `ext` with the provider `archipelago`."""

    name = models.CharField(max_length=255)
    disk_template = models.CharField(max_length=32)
    deleted = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return self.name

    @property
    def template(self) -> str:
        return self.disk_template.partition("_")[0]

    @property
    def provider(self) -> str | None:
        return self.disk_template.partition("_")[2] or None


class VolumeTypeSpec(models.Model):
    volume_type = models.ForeignKey(VolumeType, on_delete=models.CASCADE, related_name="specs")
    key = models.CharField(max_length=64)
    value = models.CharField(max_length=255)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["volume_type", "key"], name="volume_type_spec_once")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Flavor(models.Model):
    """CPUs, memory (MiB), disk (GiB) and volume type of a server."""

    cpu = models.PositiveIntegerField()
    ram = models.PositiveIntegerField()
    disk = models.PositiveIntegerField()
    volume_type = models.ForeignKey(VolumeType, on_delete=models.PROTECT, related_name="flavors")
    deleted = models.BooleanField(default=False)
    allow_create = models.BooleanField(default=True)
    public = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["cpu", "ram", "disk", "volume_type"], name="flavor_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """E.g. C1R1024D20file. Needs the volume type: select it with the flavor."""
        return f"C{self.cpu}R{self.ram}D{self.disk}{self.volume_type.disk_template}"

    @property
    def ram_bytes(self) -> int:
        return self.ram * 2**20

    @property
    def disk_bytes(self) -> int:
        return self.disk * 2**30


class FlavorSpec(models.Model):
    flavor = models.ForeignKey(Flavor, on_delete=models.CASCADE, related_name="specs")
    key = models.CharField(max_length=64)
    value = models.CharField(max_length=255)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["flavor", "key"], name="flavor_spec_once")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class FlavorAccess(models.Model):
    """A project that may use a flavor that is not public."""

    flavor = models.ForeignKey(Flavor, on_delete=models.CASCADE, related_name="accesses")
    project_id = models.CharField(max_length=36)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["flavor", "project_id"], name="flavor_access_once")]

    def __str__(self) -> str:
        return f"{self.project_id} may use {self.flavor_id}"
