from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet

from synnefo.astakos.models import AuthPolicyProfile
from synnefo.common.commands import Field, ListCommand


class Command(ListCommand):
    help = "List the policy profiles of sign-in providers."
    kind = "policy profile"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Identifier"),
        "name": Field("name", "Name"),
        "provider": Field("provider", "Module of the provider"),
        "exclusive": Field("is_exclusive", "Whether it is about every other provider"),
        "groups": Field(lambda row: [group.name for group in row.groups.all()], "Groups that have it"),
        "users": Field(lambda row: [user.email for user in row.users.all()], "Users who have it"),
        "active": Field("active", "Whether it counts"),
        "priority": Field("priority", "Of several the higher one wins"),
    }
    default_fields = ("id", "name", "provider", "exclusive", "groups", "users")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        return AuthPolicyProfile.objects.prefetch_related("groups", "users")
