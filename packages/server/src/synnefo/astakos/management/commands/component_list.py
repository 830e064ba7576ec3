from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet

from synnefo.astakos.models import Component
from synnefo.astakos.services import components
from synnefo.common.commands import Field, ListCommand


class Command(ListCommand):
    help = "List the components of the cloud."
    kind = "component"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Number"),
        "name": Field("name", "Name"),
        "base_url": Field("base_url", "Public root of its APIs"),
        "ui_url": Field("ui_url", "Address of its pages"),
        "token": Field(components.token_of, "Service token"),
        "token_created": Field("token_created_at", "When the token was made"),
        "token_expires": Field("token_expires_at", "When the token ends"),
    }
    default_fields = ("id", "name", "base_url", "ui_url")
    secret_filters = ("token_hash", "token_encrypted", "old_token_hash")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        return Component.objects.all()
