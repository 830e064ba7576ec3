from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Count, QuerySet

from synnefo.astakos.models import Group
from synnefo.common.commands import Field, ListCommand


class Command(ListCommand):
    help = "List groups of users."
    kind = "group"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "name": Field("name", "Name"),
        "users_count": Field("users_count", "Number of members"),
    }

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        return Group.objects.annotate(users_count=Count("user"))
