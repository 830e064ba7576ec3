from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import Q, QuerySet

from synnefo.astakos.models import AuditRecord
from synnefo.astakos.services import users
from synnefo.common.commands import Field, ListCommand


class Command(ListCommand):
    help = "List who did what to whom."
    kind = "event"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Number"),
        "time": Field("created_at", "When it happened"),
        "event": Field("event", "What happened"),
        "actor": Field("actor", "Who did it: a uuid, or operator for snf-manage"),
        "target": Field("target", "To whom or what: a uuid or a name"),
        "ip": Field("ip", "Address of the client"),
        "agent": Field("agent", "Program of the client"),
        "request": Field("request_id", "Request, as the logs name it"),
        "details": Field("details", "What else is known; never a secret"),
    }
    default_fields = ("id", "time", "event", "actor", "target", "ip", "details")

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--about", default=None, metavar="ID|UUID|EMAIL", help="Only what this user did or what was done to him.")
        parser.add_argument("--event", action="append", default=[], metavar="NAME",
                            help="Only this event, or with a dot at the end all that begin so. May be repeated.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        found = AuditRecord.objects.order_by("pk")
        if options.get("about"):
            uuid = users.get_user(options["about"]).uuid
            found = found.filter(Q(actor=uuid) | Q(target=uuid))
        wanted = Q()
        for name in options.get("event", ()):
            wanted |= Q(event__startswith=name) if name.endswith(".") else Q(event=name)
        return found.filter(wanted)
