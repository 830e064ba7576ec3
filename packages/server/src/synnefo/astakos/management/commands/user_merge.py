from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import user_merges, users
from synnefo.common.commands import BaseCommand, add_confirmation


class Command(BaseCommand):
    help = ("Make one account of two that belong to the same person: ways to sign in, projects and memberships move to the second, and the first is "
            "closed. What the services keep under the first one's uuid stays there.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", metavar="FROM", help="The account that is closed: id, uuid or e-mail.")
        parser.add_argument("target", metavar="TO", help="The account that stays.")
        add_confirmation(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        source, target = users.get_user(options["source"]), users.get_user(options["target"])
        self.ask(f"Merge {source.email} into {target.email}, and close {source.email}?", options)
        for line in user_merges.merge(source, target):
            self.note(line)
        self.line("What is left under the old uuid, to be moved or deleted by hand:")
        for command in (f"server-list --user {source.uuid}", f"network-list --user {source.uuid}", f"quota-list --user {source.uuid}"):
            self.line(f"  snf-manage {command}")
