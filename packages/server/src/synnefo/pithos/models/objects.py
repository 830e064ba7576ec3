"""Containers, objects, their versions and what is known about them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from synnefo.pithos.models.fields import NameField


def new_uuid() -> str:
    return str(uuid.uuid4())


class Account(models.Model):
    """What a user said about the account itself. Accounts without a row are as good as those with one."""

    name = NameField(max_length=256, primary_key=True)
    """Uuid of the owner."""
    meta = models.JSONField(default=dict)
    updated_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.name)


class Container(models.Model):
    """A top folder of an account. Its project pays for what is in it.

    The sums change under the row's lock, in the transaction that changes what they count.
    """

    account = NameField(max_length=256)
    """Uuid of the owner."""
    name = NameField(max_length=256)
    project_id = models.CharField(max_length=36)
    versioning = models.CharField(max_length=8, default="auto")
    quota_bytes = models.BigIntegerField(default=0)
    objects_count = models.BigIntegerField(default=0)
    """Current objects."""
    bytes_used = models.BigIntegerField(default=0)
    """Bytes of the current objects."""
    meta = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    """Last change of the container or of anything in it."""

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["account", "name"], name="container_once")]

    def __str__(self) -> str:
        return f"{self.account}/{self.name}"


class StoredObject(models.Model):
    """A name in a container. `current` is its newest version, None when it was deleted and only history is left.

    `bytes` repeats the current version's size, so that sums need no join.
    """

    container = models.ForeignKey(Container, on_delete=models.CASCADE, related_name="objects_in")
    name = NameField(max_length=1024)
    uuid = models.CharField(max_length=36, unique=True, default=new_uuid)
    current = models.ForeignKey("Version", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    bytes = models.BigIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["container", "name"], name="object_once")]

    def __str__(self) -> str:
        return str(self.name)


class Version(models.Model):
    """One state of an object. Never changed, but for the checksum that is computed later. Its key is the version's number."""

    object = models.ForeignKey(StoredObject, on_delete=models.CASCADE, related_name="versions")
    bytes = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64)
    """Merkle root of the content, hex."""
    mapfile = models.CharField(max_length=256, blank=True, default="")
    """Name of the block map; empty for empty content."""
    etag = models.CharField(max_length=64, blank=True, default="")
    """MD5 of the content, hex; empty while unknown."""
    content_type = models.CharField(max_length=256, default="application/octet-stream")
    content_encoding = models.CharField(max_length=256, blank=True, default="")
    content_disposition = models.CharField(max_length=1024, blank=True, default="")
    manifest = models.CharField(max_length=2048, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    modified_by = models.CharField(max_length=256)
    is_deletion = models.BooleanField(default=False)
    """Says when the object was deleted; has no content."""

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["object", "id"], name="version_of_object")]

    def __str__(self) -> str:
        return f"version {self.pk}"

    @property
    def served_etag(self) -> str:
        return self.etag or self.hash


class Attribute(models.Model):
    """A user's metadata of a version, in a domain: `pithos` for the API, others for services built on top."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="attributes")
    domain = models.CharField(max_length=128)
    key = models.CharField(max_length=128)
    value = models.TextField(blank=True, default="")

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["domain", "key"], name="attribute_domain")]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["version", "domain", "key"], name="attribute_once")]

    def __str__(self) -> str:
        return f"{self.domain} {self.key}"


class Permission(models.Model):
    """Who besides the owner may read or write an object: a user's uuid, or `*` for everybody."""

    READ, WRITE = "read", "write"

    object = models.ForeignKey(StoredObject, on_delete=models.CASCADE, related_name="permissions")
    kind = models.CharField(max_length=5, choices=((READ, "read"), (WRITE, "write")))
    holder = models.CharField(max_length=600, db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["object", "kind", "holder"], name="permission_once")]

    def __str__(self) -> str:
        return f"{self.holder} may {self.kind}"


class BlockUse(models.Model):
    """An account has an object with this block: it may name the block's hash instead of sending it."""

    account = models.CharField(max_length=256)
    block = models.CharField(max_length=64)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["account", "block"], name="block_use_once")]

    def __str__(self) -> str:
        return self.block


class BlockLease(models.Model):
    """An account has just uploaded this block, and will name it in an object soon."""

    account = models.CharField(max_length=256)
    block = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["account", "block"], name="block_lease_once")]

    def __str__(self) -> str:
        return self.block


class PendingSerial(models.Model):
    """A commission whose rows are committed here, and which the ledger has not been told to accept yet."""

    serial = models.BigIntegerField(primary_key=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.serial)
