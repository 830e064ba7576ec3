from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from synnefo.astakos.models import QueuedMail
from synnefo.common.commands import Field, ListCommand


class Command(ListCommand):
    help = "List mails that have not left yet, and those that were given up. What they say is not shown: it may hold links that sign in."
    kind = "mail"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Number"),
        "recipient": Field("recipient", "To whom"),
        "subject": Field("subject", "Subject"),
        "template": Field("template", "What it is about"),
        "created": Field("created_at", "When it was written"),
        "attempts": Field("attempts", "How often it was tried"),
        "next_attempt": Field("next_attempt_at", "When it is tried next"),
        "failed": Field("failed_at", "When it was given up"),
        "error": Field("last_error", "What the last attempt met"),
    }
    default_fields = ("id", "recipient", "subject", "created", "attempts", "failed", "error")

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--failed", action="store_true", help="Only mails that were given up.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        found = QueuedMail.objects.order_by("pk")
        return found.exclude(failed_at=None) if options.get("failed") else found
