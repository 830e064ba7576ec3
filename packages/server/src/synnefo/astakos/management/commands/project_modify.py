from __future__ import annotations

import argparse
import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from synnefo.astakos.models import INITIALIZED, JoinPolicy, Project, User
from synnefo.astakos.services import applications, users
from synnefo.astakos.services.project_definitions import Definition
from synnefo.common.commands import USAGE, BaseCommand, CommandError, amount, boolean, comma_list


def _date(text: str) -> datetime.datetime:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of the form 2030-12-31 or 2030-12-31T12:00:00+00:00") from error
    return found if timezone.is_aware(found) else found.replace(tzinfo=datetime.UTC)


class Command(BaseCommand):
    help = "Change an approved project in place, without an application; or the system projects of all users."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", nargs="?", metavar="UUID")
        parser.add_argument("--all-system-projects", action="store_true", help="The own projects of all users.")
        parser.add_argument("--exclude", type=comma_list, default=None, metavar="UUIDS", help="With --all-system-projects: but not these.")
        parser.add_argument("--name", default=None)
        parser.add_argument("--owner", default=None, metavar="UUID|EMAIL", help="An accepted user.")
        parser.add_argument("--homepage", default=None)
        parser.add_argument("--description", default=None)
        parser.add_argument("--end-date", type=_date, default=None, metavar="DATE", help="ISO 8601; UTC where no zone is given.")
        for name in ("join", "leave"):
            parser.add_argument(f"--{name}-policy", choices=JoinPolicy.values, default=None)
        parser.add_argument("--max-members", type=amount, default=None, metavar="NUMBER|inf")
        parser.add_argument("--private", type=boolean, default=None, metavar="True|False")
        parser.add_argument("--limit", nargs=3, action="append", default=[], metavar=("RESOURCE", "MEMBER", "PROJECT"),
                            help="Limits of each member and of all together. May be repeated.")
        parser.add_argument("-m", "--message", default="", help="Reason, which is stored.")

    def handle(self, *args: Any, **options: Any) -> None:
        definition = _definition(options)
        if not definition.names():
            raise CommandError("Nothing to change.", code=USAGE)
        if options["exclude"] is not None and not options["all_system_projects"]:
            raise CommandError("--exclude goes with --all-system-projects.", code=USAGE)
        if options["all_system_projects"] == (options["project"] is not None):
            raise CommandError("Name one project, or use --all-system-projects.", code=USAGE)
        if not options["all_system_projects"]:
            applications.modify(None, options["project"], definition, options["message"])
            self.note(f"Project {options['project']} is changed.")
            return
        if definition.changes_main():
            raise CommandError("Owner, name, homepage and description of system projects cannot be changed.", code=USAGE)
        rows = Project.objects.filter(is_base=True, state__in=INITIALIZED).exclude(uuid__in=options["exclude"] or [])
        uuids = list(rows.order_by("pk").values_list("uuid", flat=True))
        for uuid in uuids:
            applications.modify(None, uuid, definition, options["message"])
        self.note(f"{len(uuids)} system projects are changed.")


def _definition(options: dict[str, Any]) -> Definition:
    plain = {name: options[name] for name in ("name", "homepage", "description", "end_date", "join_policy", "leave_policy", "max_members", "private")}
    return Definition(owner=_owner(options["owner"]), resources={
        name: (_amount(name, member), _amount(name, project)) for name, member, project in options["limit"]}, **plain)


def _owner(text: str | None) -> User | None:
    if text is None:
        return None
    found = users.get_user(text)
    if not found.moderated or found.is_rejected:
        raise CommandError(f"User {found.email} is not accepted.")
    return found


def _amount(name: str, text: str) -> int:
    try:
        return amount(text)
    except argparse.ArgumentTypeError as error:
        raise CommandError(f"{name}: {error}", code=USAGE) from error
