from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import OuterRef, Q, QuerySet, Subquery

from synnefo.astakos.models import ApplicationState, Project, ProjectLog, ProjectState
from synnefo.astakos.services.project_status import pending_application, status_of
from synnefo.common.commands import Field, ListCommand, resolve_user

_ENDED = (ProjectState.TERMINATED, ProjectState.DELETED)


class Command(ListCommand):
    help = "List projects; users' own ones only with --system-projects. The last column is the application that --approve takes."
    kind = "project"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("uuid", "Identifier"),
        "name": Field("realname", "Name"),
        "owner": Field("owner__email", "E-mail of the owner"),
        "status": Field(status_of, "State; of projects never approved, that of the application", order="state"),
        "pending_app": Field(pending_application, "Application that waits for an answer", order="last_application"),
        "description": Field("description", "What it is for"),
        "creation_date": Field("created_at", "When it was made"),
        "end_date": Field("end_date", "When it ends"),
        "deactivation_date": Field("deactivated_at", "When it was last suspended or terminated"),
        "max_members": Field("max_members", "How many members it may have"),
        "system": Field("is_base", "Whether it is a user's own project"),
    }
    default_fields = ("id", "name", "owner", "status", "pending_app")
    filters: ClassVar[dict[str, str]] = {"name": "realname", "owner": "owner__email", "state": "state"}

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--new", action="store_true", help="Only applications for new projects that wait for an answer.")
        parser.add_argument("--modified", action="store_true", help="Only projects with a change that waits for an answer.")
        parser.add_argument("--pending", action="store_true", help="Both of these.")
        parser.add_argument("--deleted", action="store_true", help="Terminated and deleted ones too.")
        parser.add_argument("--skip", action="store_true", help="Without terminated and deleted ones, which is the default.")
        parser.add_argument("--system-projects", action="store_true", help="Users' own projects too.")
        parser.add_argument("--all", action="store_true", help="Everything.")
        parser.add_argument("--name", default=None, help="Only projects of this name.")
        parser.add_argument("--owner", default=None, metavar="EMAIL|UUID", help="Only projects of this owner.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        ended = ProjectLog.objects.filter(project=OuterRef("pk"), to_state__in=(ProjectState.SUSPENDED, ProjectState.TERMINATED))
        rows = Project.objects.select_related("owner", "last_application").annotate(
            deactivated_at=Subquery(ended.order_by("-pk").values("date")[:1]))
        if not (options.get("deleted") or options.get("all")):
            rows = rows.exclude(state__in=_ENDED)
        if not (options.get("system_projects") or options.get("all")):
            rows = rows.filter(is_base=False)
        if options.get("new") or options.get("modified") or options.get("pending"):
            rows = rows.filter(_pending(options), last_application__state=ApplicationState.PENDING)
        if options.get("name") is not None:
            rows = rows.filter(realname=options["name"])
        if options.get("owner") is not None:
            rows = rows.filter(owner__uuid=resolve_user(options["owner"]))
        return rows


def _pending(options: Mapping[str, Any]) -> Q:
    new, modified = options["new"] or options["pending"], options["modified"] or options["pending"]
    if new and modified:
        return Q()
    return Q(state=ProjectState.UNINITIALIZED) if new else ~Q(state=ProjectState.UNINITIALIZED)
