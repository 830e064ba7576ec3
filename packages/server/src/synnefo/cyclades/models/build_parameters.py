"""What a node fetches once to build a server: passwords, keys, files. Encrypted, short-lived."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from synnefo.cyclades.models.servers import Server


class BuildParameters(models.Model):
    """The uuid is the secret part of the one-time address, so only its hash is kept."""

    uuid_hash = models.CharField(max_length=64, primary_key=True)
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="build_parameters")
    uuid_encrypted = models.TextField()
    data_encrypted = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    first_read_at = models.DateTimeField(null=True, blank=True)
    reader = models.CharField(max_length=64, blank=True, default="")

    def __str__(self) -> str:
        return f"build parameters of server {self.server_id}"


def new_uuid() -> str:
    return str(uuid.uuid4())
