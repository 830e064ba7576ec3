from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from synnefo.astakos.models import Project
from synnefo.astakos.services import projects, quotas
from synnefo.common.commands import Amount, Field, ShowCommand

Section = tuple[str, Sequence[str], Iterable[Sequence[Any]]]


class Command(ShowCommand):
    help = "Show a project with its limits; a user's own project has the user's uuid."
    kind = "project"
    argument = "uuid"
    uses_amounts = True
    fields: ClassVar[dict[str, Field]] = {
        "project id": Field("uuid", ""), "name": Field("realname", ""), "status": Field(lambda row: row.get_state_display(), ""),
        "owner": Field("owner__email", ""), "homepage": Field("homepage", ""), "description": Field("description", ""),
        "creation date": Field("created_at", ""), "end date": Field("end_date", ""), "join policy": Field("join_policy", ""),
        "leave policy": Field("leave_policy", ""), "max members": Field("max_members", ""),
    }

    def add_show_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--members", action="store_true", help="Show the members too.")
        parser.add_argument("--quota", action="store_true", help="Show the usage too.")

    def find(self, key: str, options: Mapping[str, Any]) -> Project:
        return projects.get_project(key)

    def sections(self, found: Project, options: Mapping[str, Any]) -> list[Section]:
        shown = [_limits(found, with_usage=options["quota"])]
        if options["members"]:
            members = found.memberships.select_related("user").order_by("state", "user__email")
            shown.append(("members", ("uuid", "email", "status"), [(item.user.uuid, item.user.email, item.state) for item in members]))
        return shown


def _limits(project: Project, *, with_usage: bool) -> Section:
    rows = [(item.resource, Amount(item.member_capacity, item.resource.unit), Amount(item.project_capacity, item.resource.unit))
            for item in project.quotas.select_related("resource").order_by("resource__name")]
    if not with_usage:
        return "limits", ("resource", "max per member", "max per project"), [(item.name, *limits) for item, *limits in rows]
    usage = quotas.project_quotas([project.uuid], [item.name for item, *_ in rows]).get(project.uuid, {})
    return "limits", ("resource", "max per member", "max per project", "usage"), [
        (item.name, *limits, Amount(usage.get(item.name, {}).get("project_usage", 0), item.unit)) for item, *limits in rows]
