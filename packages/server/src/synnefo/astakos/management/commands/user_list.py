from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from synnefo.astakos.models import User
from synnefo.astakos.services import users
from synnefo.common.commands import Field, ListCommand


class Command(ListCommand):
    help = "List users."
    kind = "user"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Number"),
        "uuid": Field("uuid", "Identifier in all services"),
        "displayname": Field("email", "E-mail, the name shown to others"),
        "email": Field("email", "E-mail"),
        "realname": Field("realname", "First and last name", order="first_name"),
        "active": Field("is_active", "Whether the account may be used"),
        "admin": Field("is_superuser", "Whether the user is an administrator"),
        "verified": Field("email_verified", "Whether the e-mail is verified"),
        "moderated": Field("moderated", "Whether an operator or a rule has decided on the account"),
        "status": Field(lambda user: user.status, "State in words"),
        "groups": Field(lambda user: [group.name for group in user.groups.all()], "Groups"),
        "providers": Field(lambda user: [str(method) for method in user.login_methods.all() if method.active], "Ways to sign in"),
        "last_login": Field("last_login", "Last sign-in"),
        "last_login_details": Field(users.last_logins, "Last sign-in by each way"),
        "activation_sent": Field("verification_sent_at", "When the mail that asks to confirm the e-mail was sent"),
        "level": Field("level", "Level for invitations"),
        "default_project": Field("default_project_id", "Project that pays when a request names none", order="default_project"),
        "date_joined": Field("date_joined", "When the account was made"),
    }
    default_fields = ("id", "displayname", "realname", "uuid", "active", "admin")
    filters: ClassVar[dict[str, str]] = {"group": "groups__name", "username": "email"}
    secret_filters = ("password",)

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", action="append", default=[], help="Only members of this group. May be repeated.")
        parser.add_argument("--auth-providers", action="store_true", help="Show the ways to sign in too.")
        parser.add_argument("--active", action="store_true", help="Only active users.")
        parser.add_argument("--pending-moderation", action="store_true", help="Only those that wait for moderation.")
        parser.add_argument("--pending-verification", action="store_true", help="Only those with an unverified e-mail.")
        parser.add_argument("--display-mails", action="store_true", help="Kept for old scripts: e-mails are shown anyway.")

    def _columns(self, options: Mapping[str, Any]) -> list[str]:
        names = super()._columns(options)
        return [*names, "providers"] if options["auth_providers"] and "providers" not in names else names

    def _mails(self, options: Mapping[str, Any]) -> bool:
        return False

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        found = User.objects.prefetch_related("groups", "login_methods")
        for group in options.get("group", ()):
            found = found.filter(groups__name=group)
        if options.get("active"):
            found = found.filter(is_active=True)
        if options.get("pending_moderation"):
            found = found.filter(email_verified=True, moderated=False)
        if options.get("pending_verification"):
            found = found.filter(email_verified=False)
        return found
