from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import F, QuerySet
from django.utils import timezone

from synnefo.astakos.quotaholder.models import Commission, ProvisionLog
from synnefo.common.commands import USAGE, CommandError, Field, ListCommand

_PENDING = ("serial", "name", "clientkey", "issue_time")
_RESOLVED = ("serial", "clientkey", "holder", "source", "resource", "delta", "reason", "log_time")


class Command(ListCommand):
    help = "List commissions that wait for a decision, or with --resolved what became of those decided."
    kind = "commission"
    fields: ClassVar[dict[str, Field]] = {
        "serial": Field(lambda row: row.pk if isinstance(row, Commission) else row.serial, "Number"),
        "name": Field("name", "What it is for"),
        "clientkey": Field("clientkey", "Component that issued it"),
        "issue_time": Field("issued_at", "When it was issued"),
        "holder": Field("holder", "With --resolved: whose holding"),
        "source": Field("source", "With --resolved: project above it"),
        "resource": Field("resource", "With --resolved: resource"),
        "delta": Field("delta", "With --resolved: what became definite"),
        "usage_min": Field("usage_min", "With --resolved: definite usage afterwards"),
        "usage_max": Field("usage_max", "With --resolved: usage afterwards, what was pending included"),
        "reason": Field("reason", "With --resolved: ACCEPT or REJECT"),
        "log_time": Field("logged_at", "With --resolved: when it was decided"),
    }
    default_fields = _PENDING

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--overdue", type=int, default=None, metavar="SECONDS", help="Only those issued longer ago.")
        parser.add_argument("--resolved", action="store_true", help="Decided ones, a line for each holding.")
        parser.add_argument("--holder", default=None, help="Only those that concern this holder (user:UUID or project:UUID).")
        parser.add_argument("--resource", default=None, help="Only those that concern this resource.")

    def _columns(self, options: Mapping[str, Any]) -> list[str]:
        names = super()._columns(options)
        if options["resolved"]:
            return list(options["output"] or _RESOLVED)
        for name in names:
            if name in _RESOLVED and name not in _PENDING:
                raise CommandError(f"The field {name} goes with --resolved.", code=USAGE)
        return names

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        is_resolved = bool(options.get("resolved"))
        model: type[ProvisionLog | Commission] = ProvisionLog if is_resolved else Commission
        rows: QuerySet[Any] = model._default_manager.annotate(clientkey=F("client_key"))
        if options.get("overdue") is not None:
            rows = rows.filter(issued_at__lt=timezone.now() - datetime.timedelta(seconds=max(0, options["overdue"])))
        for key in ("holder", "resource"):
            if options.get(key) is not None:
                rows = rows.filter(**{key if is_resolved else f"provisions__{key}": options[key]})
        return rows if is_resolved else rows.distinct()
