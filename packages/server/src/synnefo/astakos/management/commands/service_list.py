from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet

from synnefo.astakos.models import Service
from synnefo.common.commands import Field, ListCommand


class Command(ListCommand):
    help = "List the registered services."
    kind = "service"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Number"),
        "name": Field("name", "Name"),
        "component": Field("component__name", "Component that offers it"),
        "type": Field("type", "Type in the catalog"),
        "urls": Field(lambda service: [item.data["publicURL"] for item in service.endpoints.all()], "Public addresses"),
    }
    default_fields = ("id", "name", "component", "type")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        return Service.objects.select_related("component").prefetch_related("endpoints")
