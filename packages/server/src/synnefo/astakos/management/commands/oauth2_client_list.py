from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from synnefo.astakos.models import ClientType, OAuthClient
from synnefo.common.commands import Field, ListCommand


def _urls(client: OAuthClient) -> str:
    return " ".join(redirect.url for redirect in client.redirects.all())


class Command(ListCommand):
    help = "List the clients of the OAuth2 server."
    kind = "client"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Number"),
        "identifier": Field("identifier", "The client_id"),
        "name": Field("name", "What users are told"),
        "type": Field("type", "confidential or public"),
        "is_trusted": Field("is_trusted", "Whether users are not asked for consent"),
        "redirect_urls": Field(_urls, "Redirect addresses"),
        "created": Field("created_at", "When it was registered"),
    }
    default_fields = ("id", "identifier", "type", "is_trusted")
    secret_filters = ("secret_hash",)

    def add_list_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--confidential", action="store_true", help="Only those that keep a secret.")
        parser.add_argument("--public", action="store_true", help="Only those that keep none.")
        parser.add_argument("--trusted", action="store_true", help="Only those whose users are not asked.")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        found = OAuthClient.objects.prefetch_related("redirects")
        if options.get("confidential"):
            found = found.filter(type=ClientType.CONFIDENTIAL)
        if options.get("public"):
            found = found.filter(type=ClientType.PUBLIC)
        return found.filter(is_trusted=True) if options.get("trusted") else found
