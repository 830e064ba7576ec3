from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from synnefo.astakos.models import Resource, User
from synnefo.astakos.services import memberships, permissions, quotas, tokens, users
from synnefo.common.commands import Amount, Field, ShowCommand

Section = tuple[str, Sequence[str], Iterable[Sequence[Any]]]


class Command(ShowCommand):
    help = "Show a user."
    kind = "user"
    argument = "id|uuid|email"
    uses_amounts = True
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", ""), "uuid": Field("uuid", ""), "status": Field("status", ""), "email": Field("email", ""),
        "first name": Field("first_name", ""), "last name": Field("last_name", ""), "admin": Field("is_superuser", ""),
        "active": Field("is_active", ""), "email verified": Field("email_verified", ""),
        "moderated": Field("moderated", ""), "rejected": Field("is_rejected", ""),
        "default project": Field("default_project_id", ""), "last login": Field("last_login", ""),
        "date joined": Field("date_joined", ""), "last update": Field("updated_at", ""),
        "groups": Field(lambda user: [group.name for group in user.groups.all()], ""),
        "permissions": Field(permissions.own, ""), "group permissions": Field(permissions.of_groups, ""),
        "providers": Field(lambda user: [str(method) for method in user.login_methods.all() if method.active], ""),
        "username": Field("username", ""),
    }

    def add_show_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--quota", action="store_true", help="Show limits and usage too.")
        parser.add_argument("--projects", action="store_true", help="Show projects too.")
        parser.add_argument("--tokens", action="store_true", help="Show the API tokens too (not their values).")

    def find(self, key: str, options: Mapping[str, Any]) -> User:
        return users.get_user(key)

    def sections(self, found: User, options: Mapping[str, Any]) -> list[Section]:
        shown: list[Section] = []
        if options["quota"]:
            shown.append(("quota", ("source", "resource", "limit", "usage"), _quota(found)))
        if options["projects"]:
            shown.append(("projects", ("project id", "name", "owner"),
                          [(item.project_id, item.name, item.is_owner) for item in memberships.all_memberships(found)]))
        if options["tokens"]:
            shown.append(("tokens", ("id", "name", "prefix", "expires", "last used"),
                          [(item.pk, item.name, item.prefix, item.expires_at, item.last_used_at)
                           for item in tokens.list_named(found)]))
        return shown


def _quota(user: User) -> list[tuple[Any, ...]]:
    units = dict(Resource.objects.values_list("name", "unit"))
    usage = quotas.usages(user_ids=[user.uuid], project_ids=None, resources=set(units)).get(user.user_id, {})
    return [(project, name, Amount(item.limit, units[name]), Amount(item.usage, units[name]))
            for project, entries in sorted(usage.items()) for name, item in sorted(entries.items())]
