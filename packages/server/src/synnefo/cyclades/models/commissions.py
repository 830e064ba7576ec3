"""What this service decided about commissions of the quota ledger. A serial without a record here was never used."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class CommissionRecord(models.Model):
    """Undecided (`pending`), then decided (`accept`), then settled: the ledger was told, and the record goes."""

    serial = models.BigIntegerField(primary_key=True)
    pending = models.BooleanField(default=True)
    accept = models.BooleanField(default=False)
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["pending", "decided_at"], name="commission_decided")]

    def __str__(self) -> str:
        return f"{self.serial}: {'undecided' if self.pending else 'accept' if self.accept else 'reject'}"
