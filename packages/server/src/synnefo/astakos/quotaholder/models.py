"""Tables of the ledger. Names of holders, sources and resources are opaque strings here."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class Holding(models.Model):
    """A counter with a limit. Imports that are pending raise `usage_max` only, releases that are pending lower `usage_min` only, so that
    limits are checked against the worst case and non-negativity against the other worst case.
    """

    holder = models.CharField(max_length=300)
    source = models.CharField(max_length=300, blank=True, default="")
    """The holding above this one's holder, empty for none."""
    resource = models.CharField(max_length=255)
    limit = models.BigIntegerField(default=0)
    usage_min = models.BigIntegerField(default=0)
    usage_max = models.BigIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["holder", "source", "resource"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["source"], name="holding_source")]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["holder", "source", "resource"], name="holding_once"),
            models.CheckConstraint(condition=Q(usage_min__gte=0), name="holding_usage_not_negative"),
            models.CheckConstraint(condition=Q(usage_max__gte=F("usage_min")), name="holding_usage_ordered"),
            models.CheckConstraint(condition=Q(limit__gte=0), name="holding_limit_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.holder} {self.source} {self.resource}: {self.usage_min}..{self.usage_max} of {self.limit}"

    @property
    def key(self) -> tuple[str, str, str]:
        return self.holder, self.source, self.resource


class Commission(models.Model):
    """An issued and not yet resolved charge. Its primary key is the serial: positive, increasing, never used again."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    client_key = models.CharField(max_length=255, db_index=True)
    name = models.CharField(max_length=4096, blank=True, default="")
    issued_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.pk} {self.client_key} {self.name}"


class Provision(models.Model):
    """One line of a commission: how much on which holding. Positive is a charge, negative a release."""

    commission = models.ForeignKey(Commission, on_delete=models.CASCADE, related_name="provisions")
    holder = models.CharField(max_length=300)
    source = models.CharField(max_length=300, blank=True, default="")
    resource = models.CharField(max_length=255)
    quantity = models.BigIntegerField()

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.holder} {self.source} {self.resource}: {self.quantity:+d}"

    @property
    def key(self) -> tuple[str, str, str]:
        return self.holder, self.source, self.resource


class ProvisionLog(models.Model):
    """What became of a provision, kept for audit."""

    serial = models.BigIntegerField()
    client_key = models.CharField(max_length=255)
    name = models.CharField(max_length=4096, blank=True, default="")
    holder = models.CharField(max_length=300)
    source = models.CharField(max_length=300, blank=True, default="")
    resource = models.CharField(max_length=255)
    limit = models.BigIntegerField()
    usage_min = models.BigIntegerField()
    usage_max = models.BigIntegerField()
    delta = models.BigIntegerField()
    issued_at = models.DateTimeField()
    logged_at = models.DateTimeField(default=timezone.now, db_index=True)
    reason = models.CharField(max_length=255)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["holder", "logged_at"], name="provisionlog_holder_time")]

    def __str__(self) -> str:
        return f"{self.reason} {self.serial} {self.holder} {self.resource}: {self.delta:+d}"


class IssuedRequest(models.Model):
    """Remembers a client's request id, so that a repeated issue gets the first serial and charges nothing."""

    client_key = models.CharField(max_length=255)
    request_id = models.CharField(max_length=64)
    serial = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["client_key", "request_id"], name="issued_request_once")]

    def __str__(self) -> str:
        return f"{self.client_key} {self.request_id} -> {self.serial}"
