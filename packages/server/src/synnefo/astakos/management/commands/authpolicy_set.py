from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.models import Group
from synnefo.astakos.services import policy_profiles, users
from synnefo.common.commands import BaseCommand
from synnefo.common.errors import NotFound


class Command(BaseCommand):
    help = "Give a policy profile to these users and groups, and to nobody else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--user", action="append", default=[], metavar="ID|UUID|EMAIL", help="A user; may be repeated.")
        parser.add_argument("--group", action="append", default=[], metavar="ID|NAME", help="A group; may be repeated.")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen_users = [users.get_user(key) for key in options["user"]]
        chosen_groups = [_group(key) for key in options["group"]]
        policy_profiles.assign(options["name"], users=chosen_users, groups=chosen_groups)
        self.note(f"Policy profile {options['name']}: {len(chosen_users)} users, {len(chosen_groups)} groups")


def _group(key: str) -> Group:
    by_id = Group.objects.filter(pk=int(key)).first() if key.isascii() and key.isdigit() and len(key) < 19 else None
    found = by_id or Group.objects.filter(name=key).first()
    if found is None:
        raise NotFound(f"Group {key} does not exist. Try: snf-manage group-list")
    return found
