from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.models import Commission
from synnefo.common.commands import Field, ShowCommand, add_confirmation, object_id, unknown
from synnefo.common.errors import NotFound
from synnefo.common.ids import Serial

Section = tuple[str, Sequence[str], Iterable[Sequence[Any]]]


class Command(ShowCommand):
    help = "Show a commission that waits for a decision; with --accept or --reject decide it in place of its component."
    kind = "commission"
    argument = "serial"
    argument_type = staticmethod(object_id("commission"))
    fields: ClassVar[dict[str, Field]] = {
        "serial": Field("pk", ""), "name": Field("name", ""), "clientkey": Field("client_key", ""), "issue_time": Field("issued_at", "")}

    def add_show_arguments(self, parser: CommandParser) -> None:
        decision = parser.add_mutually_exclusive_group()
        decision.add_argument("--accept", action="store_true", help="Make its charges definite.")
        decision.add_argument("--reject", action="store_true", help="Take its charges back.")
        add_confirmation(parser)

    def find(self, key: int, options: Mapping[str, Any]) -> Commission:
        found = Commission.objects.filter(pk=key).first()
        if found is None:
            raise NotFound(unknown("commission", key, "commission-list"))
        return found

    def sections(self, found: Commission, options: Mapping[str, Any]) -> list[Section]:
        rows = [(line.holder, line.resource, line.source, line.quantity) for line in found.provisions.all()]
        return [("provisions", ("holder", "resource", "source", "quantity"), rows)]

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        decision = "accept" if options["accept"] else "reject" if options["reject"] else None
        if decision is None:
            return
        found = self.find(options["object"], options)
        self.ask(f"Is {found.client_key} sure never to decide commission {found.pk} itself, and {decision} it?", options)
        if ledger.resolve(found.client_key, **{decision: [Serial(found.pk)]}).failed:
            raise NotFound(unknown("commission", found.pk, "commission-list"))
        self.note(f"Commission {found.pk} was {decision}ed.")
