"""Servers: what the user asked for, what Ganeti last said, and what is being done."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q

from synnefo.cyclades.models.backends import Backend
from synnefo.cyclades.models.flavors import Flavor

if TYPE_CHECKING:
    from synnefo.cyclades.models.networks import Port
    from synnefo.cyclades.models.volumes import Volume

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class OperState(models.TextChoices):
    """The state that Ganeti last reported."""

    BUILD = "BUILD"
    ERROR = "ERROR"
    STOPPED = "STOPPED"
    STARTED = "STARTED"
    DESTROYED = "DESTROYED"
    RESIZE = "RESIZE"


class Server(models.Model):
    """`task` names the action that is under way, `task_job_id` the Ganeti job that will end it (unknown until submitted)."""

    # Set by the queries of detailed views alone:
    newest_diagnostics: list[ServerDiagnostic]
    shown_metadata: list[ServerMetadata]
    shown_volumes: list[Volume]
    shown_ports: list[Port]

    name = models.CharField(max_length=255)
    user_id = models.CharField(max_length=36)
    project_id = models.CharField(max_length=36)
    shared_to_project = models.BooleanField(default=False)
    backend = models.ForeignKey(Backend, null=True, blank=True, on_delete=models.PROTECT, related_name="servers")
    flavor = models.ForeignKey(Flavor, on_delete=models.PROTECT, related_name="servers")
    image_id = models.CharField(max_length=100)
    image_version = models.BigIntegerField(null=True, blank=True)
    key_names = models.JSONField(default=list)
    description = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted = models.BooleanField(default=False)
    suspended = models.BooleanField(default=False)
    locked = models.BooleanField(default=False)
    operstate = models.CharField(max_length=16, choices=OperState.choices, default=OperState.BUILD)
    launched_at = models.DateTimeField(null=True, blank=True)
    terminated_at = models.DateTimeField(null=True, blank=True)

    action = models.CharField(max_length=32, blank=True, default="")
    task = models.CharField(max_length=32, blank=True, default="")
    task_job_id = models.BigIntegerField(null=True, blank=True)
    serial = models.BigIntegerField(null=True, blank=True)
    """Commission that the end of the task settles."""
    idempotency_key = models.CharField(max_length=64, blank=True, default="")

    backendjobid = models.BigIntegerField(null=True, blank=True)
    backendopcode = models.CharField(max_length=64, blank=True, default="")
    backendjobstatus = models.CharField(max_length=16, blank=True, default="")
    backendlogmsg = models.TextField(blank=True, default="")
    backendtime = models.DateTimeField(default=EPOCH)
    """When the last applied state was reached, by the cluster's clock."""
    final_jobs = models.JSONField(default=list)
    """The last jobs whose end was seen: later news of them is old."""
    buildpercentage = models.PositiveSmallIntegerField(default=0)
    progress_at = models.DateTimeField(default=EPOCH)
    """As `backendtime`, for build progress, which another node's clock stamps."""
    rescue = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user_id", "deleted", "id"], name="server_owner"),
            models.Index(fields=["backend", "deleted"], name="server_backend"),
            models.Index(fields=["updated_at"], name="server_updated"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user_id", "idempotency_key"], condition=~Q(idempotency_key=""), name="server_idempotency_once")]

    def __str__(self) -> str:
        return f"server {self.pk}"

    @property
    def is_active(self) -> bool:
        """Whether its CPUs and memory count as in use."""
        return self.operstate in {OperState.STARTED, OperState.BUILD, OperState.ERROR}


class ServerMetadata(models.Model):
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="metadata")
    key = models.CharField(max_length=50)
    value = models.CharField(max_length=500)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["server", "key"], name="server_metadata_once")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class ServerDiagnostic(models.Model):
    """A message of the build or of a failure, newest first. The text comes from outside and is only ever shown as text."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="diagnostics")
    created_at = models.DateTimeField(auto_now_add=True)
    level = models.CharField(max_length=10)
    source = models.CharField(max_length=100)
    source_date = models.DateTimeField(null=True, blank=True)
    message = models.CharField(max_length=255)
    details = models.TextField(blank=True, default="")

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return f"{self.level} {self.source}: {self.message}"
