from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from synnefo.astakos.models import Resource, User
from synnefo.astakos.services import permissions, quotas, second_factors, terms, tokens, users
from synnefo.astakos.services.project_status import pending_application, status_of
from synnefo.common.commands import Amount, Field, ShowCommand

Section = tuple[str, Sequence[str], Iterable[Sequence[Any]]]


def _token_expiry(user: User) -> datetime.datetime | None:
    primary = tokens.primary_of(user)
    return None if primary is None else primary.expires_at


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
        "username": Field("username", ""), "activation sent": Field("verification_sent_at", ""),
        "last login details": Field(users.last_logins, ""), "token expiration": Field(_token_expiry, ""),
        "level": Field("level", ""), "invitations": Field("invitations", ""),
        "signed terms": Field(terms.has_signed, ""), "terms signed at": Field("signed_terms_at", ""),
        "second factor": Field(second_factors.is_on, ""),
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
            owned = found.projects_owned.select_related("last_application").order_by("pk")
            shown += [
                ("owned projects", ("project id", "name", "status", "pending application"),
                 [(item.uuid, item.realname, status_of(item), pending_application(item)) for item in owned]),
                ("memberships", ("project id", "name", "status"),
                 list(found.memberships.order_by("pk").values_list("project__uuid", "project__realname", "state")))]
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
