from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Count, QuerySet

from synnefo.astakos.models import Terms
from synnefo.common.commands import Field, ListCommand


class Command(ListCommand):
    help = "List the versions of the terms of use."
    kind = "term"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Number"),
        "date": Field("created_at", "Since when"),
        "location": Field("location", "File that it was read from"),
        "sha256": Field("sha256", "Checksum of that file"),
        "signatures": Field("signed", "How many users agreed"),
    }
    default_fields = ("id", "date", "location", "signatures")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        return Terms.objects.annotate(signed=Count("signatures")).order_by("pk")
