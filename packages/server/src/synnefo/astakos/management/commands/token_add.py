from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import audit, memberships, tokens, users
from synnefo.common.commands import BaseCommand


class Command(BaseCommand):
    help = "Make an API token for a user and print it; it is not shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="ID|UUID|EMAIL")
        parser.add_argument("--name", default="made by an operator", help="What the token is for.")
        parser.add_argument("--expires-in-days", type=float, default=None, metavar="DAYS")
        parser.add_argument("--project", default="", metavar="UUID", help="The token reaches only this project.")
        parser.add_argument("--role", action="append", default=None, metavar="ROLE",
                            help="The token has only these of the user's roles. May be repeated.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = users.get_user(options["user"])
        project = options["project"]
        if project:
            project = memberships.find_membership(memberships.all_memberships(user), project_id=project).project_id
        issued = tokens.issue_named(user, options["name"], days=options["expires_in_days"], project_id=project,
                                    roles=options["role"], actor=audit.OPERATOR)
        self.detail({"user": user.uuid, "id": issued.token.pk, "name": issued.token.name,
                     "expires": issued.token.expires_at, "token": self.secret(issued.secret)}, options)
