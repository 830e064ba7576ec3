from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import QuerySet
from django.utils import timezone

from synnefo.astakos.models import ApiToken, TokenKind
from synnefo.common.commands import Field, ListCommand


class Command(ListCommand):
    help = "List API tokens that are alive; never their values."
    kind = "token"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Number"),
        "user.uuid": Field("user__uuid", "Owner"),
        "kind": Field("kind", "named (lasting) or issued (short-lived)"),
        "name": Field("name", "What it is for"),
        "prefix": Field("prefix", "First characters"),
        "project": Field("project_id", "The only project it reaches"),
        "created": Field("created_at", "When it was made"),
        "expires": Field("expires_at", "When it ends"),
        "last_used": Field("last_used_at", "Last use, to the hour"),
    }
    default_fields = ("id", "user.uuid", "kind", "name", "prefix", "expires", "last_used")
    user_field = "user__uuid"
    secret_filters = ("token_hash",)

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--issued", action="store_true", help="The short-lived ones too.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        alive = ApiToken.objects.select_related("user").filter(revoked_at=None, expires_at__gte=timezone.now())
        return alive if options.get("issued") else alive.filter(kind=TokenKind.NAMED)
