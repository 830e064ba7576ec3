"""Ganeti clusters, as this cloud knows them."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from django.db import models
from django.db.models import Q

from synnefo.common.crypto import decrypt, encrypt

MAX_BACKENDS = 16
"""The index is the last hexadecimal digit of the MAC prefixes of the networks in a backend."""


class Backend(models.Model):
    """One cluster. `clustername` is its own name; `rapi_host` the address to connect to, when it is another."""

    clustername = models.CharField(max_length=128, unique=True)
    rapi_host = models.CharField(max_length=255, blank=True, default="")
    port = models.PositiveIntegerField(default=5080)
    username = models.CharField(max_length=64)
    password_encrypted = models.TextField()
    rapi_ca = models.TextField(blank=True, default="")
    """SHA-256 fingerprint of the certificate, or PEM text."""
    index = models.PositiveSmallIntegerField(unique=True)
    drained = models.BooleanField(default=True)
    """Gets no new servers."""
    offline = models.BooleanField(default=False)
    """Is never called."""
    public = models.BooleanField(default=True)
    hypervisor = models.CharField(max_length=32, default="kvm")
    disk_templates = models.JSONField(default=list)
    mfree = models.PositiveBigIntegerField(default=0)
    mtotal = models.PositiveBigIntegerField(default=0)
    dfree = models.PositiveBigIntegerField(default=0)
    dtotal = models.PositiveBigIntegerField(default=0)
    """Memory and disk, free and in all, in MiB."""
    pinst_cnt = models.PositiveIntegerField(default=0)
    ctotal = models.PositiveIntegerField(default=0)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    """When an event of the cluster was last seen, to half a minute."""

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(index__lt=MAX_BACKENDS), name="backend_index_is_one_digit")]

    def __str__(self) -> str:
        return self.clustername

    @property
    def password(self) -> str:
        return decrypt(self.password_encrypted)

    @password.setter
    def password(self, plain: str) -> None:
        self.password_encrypted = encrypt(plain)

    @property
    def hash(self) -> str:
        """Changes when anything that is needed to connect changes."""
        return hashlib.sha256(f"{self.clustername}:{self.port}:{self.username}:{self.password}".encode()).hexdigest()[:40]
