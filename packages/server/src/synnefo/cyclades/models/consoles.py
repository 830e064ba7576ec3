"""Tickets for consoles: single use, short-lived, bound to a server and to where its screen was when the ticket was given."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from synnefo.cyclades.models.servers import Server


class ConsoleTicket(models.Model):
    token_hash = models.CharField(max_length=64, primary_key=True)
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="+")
    user_id = models.CharField(max_length=36)
    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"console of server {self.server_id}"
