from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from synnefo.astakos.models import SEATED, Project, ProjectApplication, ProjectLog, ProjectState
from synnefo.astakos.services import applications, quotas
from synnefo.astakos.services.project_status import pending_application, status_of
from synnefo.common.commands import Amount, Field, ShowCommand
from synnefo.common.errors import InvalidInput, NotFound

Section = tuple[str, Sequence[str], Iterable[Sequence[Any]]]
_CHANGES = ("name", "owner", "homepage", "description", "start_date", "end_date", "join_policy", "leave_policy", "max_members", "private", "comments")


def _deactivated(project: Project) -> Any:
    ended = ProjectLog.objects.filter(project=project, to_state__in=(ProjectState.SUSPENDED, ProjectState.TERMINATED))
    return ended.order_by("-pk").values_list("date", flat=True).first()


class Command(ShowCommand):
    help = "Show a project with its limits; a user's own project has the user's uuid."
    kind = "project"
    argument = "uuid|name"
    uses_amounts = True
    fields: ClassVar[dict[str, Field]] = {
        "project id": Field("uuid", ""), "name": Field("realname", ""), "status": Field(status_of, ""),
        "pending_app": Field(pending_application, ""), "owner": Field("owner__email", ""), "homepage": Field("homepage", ""),
        "description": Field("description", ""), "creation date": Field("created_at", ""), "request end date": Field("end_date", ""),
        "deactivation date": Field(_deactivated, ""), "join policy": Field("join_policy", ""),
        "leave policy": Field("leave_policy", ""), "max members": Field(lambda row: Amount(row.max_members, ""), ""),
        "total members": Field(lambda row: row.memberships.filter(state__in=SEATED).count(), ""),
    }

    def add_show_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pending-app", "--pending", dest="pending_app", action="store_true", help="Show the application that waits for an answer.")
        parser.add_argument("--app", action="store_true", help="What is named is the number of an application: show it, with its project.")
        parser.add_argument("--members", action="store_true", help="Show the members too.")
        parser.add_argument("--quota", action="store_true", help="Show the usage too.")

    def find(self, key: str, options: Mapping[str, Any]) -> Project:
        rows = Project.objects.select_related("owner", "last_application__owner", "last_application__applicant")
        if options["app"]:
            if not key.isdecimal() or len(key) > 18:
                raise NotFound(f"Application {key[:36]} does not exist.")
            return rows.get(pk=applications.get(int(key)).project_id)
        found = rows.filter(uuid=key.lower()).first()
        if found is not None:
            return found
        named = list(rows.filter(realname=key)[:2])
        if len(named) > 1:
            raise InvalidInput(f"Several projects are called {key}. Name one by its uuid.")
        if not named:
            raise NotFound(f"Project {key} does not exist. Try: snf-manage project-list")
        return named[0]

    def sections(self, found: Project, options: Mapping[str, Any]) -> list[Section]:
        shown = [_limits(found, with_usage=options["quota"])]
        if options["members"]:
            members = found.memberships.select_related("user").order_by("state", "user__email")
            shown.append(("members", ("uuid", "email", "status"), [(item.user.uuid, item.user.email, item.state) for item in members]))
        number = int(options["object"]) if options["app"] else pending_application(found)
        if number is not None and (options["pending_app"] or options["app"]):
            shown += _application(applications.get(number))
        return shown


def _application(item: ProjectApplication) -> list[Section]:
    """What it asks for; fields that stay as they are are left out."""
    rows: list[Sequence[Any]] = [("application", item.pk), ("state", item.state), ("applicant", item.applicant.email), ("issued", item.issued_at)]
    rows += [(name.replace("_", " "), getattr(item, name)) for name in _CHANGES if getattr(item, name) not in (None, "")]
    limits = [(quota.resource.name, Amount(quota.member_capacity, quota.resource.unit), Amount(quota.project_capacity, quota.resource.unit))
              for quota in item.quotas.select_related("resource").order_by("resource__name")]
    return [("application", ("field", "value"), rows), ("application limits", ("resource", "max per member", "max per project"), limits)]


def _limits(project: Project, *, with_usage: bool) -> Section:
    rows = [(item.resource, Amount(item.member_capacity, item.resource.unit), Amount(item.project_capacity, item.resource.unit))
            for item in project.quotas.select_related("resource").order_by("resource__name")]
    if not with_usage:
        return "limits", ("resource", "max per member", "max per project"), [(item.name, *limits) for item, *limits in rows]
    usage = quotas.project_quotas([project.uuid], [item.name for item, *_ in rows]).get(project.uuid, {})
    return "limits", ("resource", "max per member", "max per project", "usage"), [
        (item.name, *limits, Amount(usage.get(item.name, {}).get("project_usage", 0), item.unit)) for item, *limits in rows]
