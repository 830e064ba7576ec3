from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Substr

from synnefo.astakos.models import Resource
from synnefo.astakos.quotaholder import queries
from synnefo.astakos.services.limits import user_holder
from synnefo.common.commands import Amount, Field, ListCommand, boolean, resolve_user
from synnefo.common.commands import filters as filters_

_USER, _PROJECT = "user:", "project:"


class Command(ListCommand):
    help = "List users' limits and usage."
    kind = "quota"
    uses_amounts = True
    user_field = "user_uuid"
    fields: ClassVar[dict[str, Field]] = {
        "holder": Field("user_uuid", "User"),
        "source": Field("project_uuid", "Project that pays"),
        "resource": Field("resource", "Resource"),
        "limit": Field(lambda row: Amount(row.limit, row.unit or ""), "Limit of the user in the project", order="limit"),
        "usage": Field(lambda row: Amount(row.usage_max, row.unit or ""), "Used, what is pending included", order="usage_max"),
        "pending": Field(lambda row: Amount(row.usage_max - row.usage_min, row.unit or ""), "Part of it that is not decided yet"),
        "default": Field(lambda row: Amount(row.default_limit or 0, row.unit or ""), "Default of users' own projects",
                         order="default_limit"),
    }
    default_fields = ("holder", "source", "resource", "limit", "usage")
    filters: ClassVar[dict[str, str]] = {"user": "user_uuid", "total_quota": "limit", "base_quota": "limit"}

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--displayname", dest="display_mails", action="store_true", help="As --display-mails.")
        parser.add_argument("--overlimit", action="store_true", help="Only where more is used than the limit allows.")
        parser.add_argument("--with-custom", type=boolean, default=None, metavar="True|False",
                            help="Only limits in users' own projects that differ (or do not) from the default.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        resource = Resource.objects.filter(name=OuterRef("resource"))
        holders = None if options.get("user") is None else [user_holder(resolve_user(options["user"]))]
        rows = queries.members_with_tops(holders=holders).annotate(
            user_uuid=Substr("holder", len(_USER) + 1), project_uuid=Substr("source", len(_PROJECT) + 1),
            unit=Subquery(resource.values("unit")), default_limit=Subquery(resource.values("system_default")))
        if options.get("overlimit"):
            rows = rows.filter(queries.over_limit())
        if options.get("with_custom") is not None:
            rows = rows.filter(user_uuid=F("project_uuid"))
            rows = rows.exclude(limit=F("default_limit")) if options["with_custom"] else rows.filter(limit=F("default_limit"))
        return rows

    def _columns(self, options: Mapping[str, Any]) -> list[str]:
        names = super()._columns(options)
        return [*names, "default"] if options["with_custom"] is not None and options["output"] is None else names

    def _narrowed(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        if options["filter_by"] is None:
            return super()._narrowed(options)
        terms = filters_.parse(options["filter_by"])
        rows = super()._narrowed({**options, "filter_by": ",".join(_plain(term) for term in terms)})
        return rows.filter(user_uuid=F("project_uuid")) if any(term.key == "base_quota" for term in terms) else rows


def _plain(term: filters_.Term) -> str:
    """The term with a bare uuid where people may write a prefixed one or an e-mail."""
    if term.key not in {"user", "holder", "source"} or term.operator not in {"=", "!="}:
        return term.text
    value = term.value.removeprefix(_USER).removeprefix(_PROJECT)
    if "@" in value and term.key != "source":
        value = resolve_user(value)
    return f'{term.key}{term.operator}"{value}"'
