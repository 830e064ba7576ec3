from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand
from synnefo.cyclades.models import CommissionRecord
from synnefo.cyclades.services import commissions


class Command(BaseCommand):
    help = "Find commissions of this service that are decided but not told to the ledger, or that belong to requests that died."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Tell the ledger what was decided, and give back what nobody uses.")

    def handle(self, *args: Any, **options: Any) -> None:
        decided = list(CommissionRecord.objects.filter(pending=False).order_by("serial"))
        for record in decided:
            self.line(f"D: {record}")
        abandoned = commissions.abandoned()
        for serial in abandoned:
            self.line(f"D: {serial}: abandoned")
        if not options["fix"]:
            if decided or abandoned:
                self.problems_found()
            return
        while commissions.settle():
            pass
        commissions.reject_abandoned()
        if commissions.abandoned() or CommissionRecord.objects.filter(serial__in=[record.serial for record in decided], pending=False).exists():
            self.problems_found("The ledger did not take everything. Try again when it answers.")
        if decided or abandoned:
            self.line(f"F: {len(decided)} told, {len(abandoned)} given back")
