from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from synnefo.astakos.models import Project, ProjectState
from synnefo.common.commands import Field, ListCommand


class Command(ListCommand):
    help = "List projects; users' own ones only with --system-projects."
    kind = "project"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("uuid", "Identifier"),
        "name": Field("realname", "Name"),
        "owner": Field("owner__email", "E-mail of the owner"),
        "status": Field(lambda row: row.get_state_display(), "State", order="state"),
        "description": Field("description", "What it is for"),
        "creation_date": Field("created_at", "When it was made"),
        "end_date": Field("end_date", "When it ends"),
        "max_members": Field("max_members", "How many members it may have"),
        "system": Field("is_base", "Whether it is a user's own project"),
    }
    default_fields = ("id", "name", "owner", "status")

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--deleted", action="store_true", help="Terminated and deleted ones too.")
        parser.add_argument("--system-projects", action="store_true", help="Users' own projects too.")
        parser.add_argument("--all", action="store_true", help="Everything.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        rows = Project.objects.select_related("owner")
        if not (options.get("deleted") or options.get("all")):
            rows = rows.exclude(state__in=(ProjectState.TERMINATED, ProjectState.DELETED))
        return rows if options.get("system_projects") or options.get("all") else rows.filter(is_base=False)
