from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet

from synnefo.astakos.models import Resource
from synnefo.common.commands import Amount, Field, ListCommand

_SYSTEM_DEFAULT = Field(lambda row: Amount(row.system_default, row.unit), "Limit of new users' own projects", order="system_default")


class Command(ListCommand):
    help = "List resources and their default limits."
    kind = "resource"
    uses_amounts = True
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", "Number"),
        "name": Field("name", "Name"),
        "system_default": _SYSTEM_DEFAULT,
        "project_default": Field(lambda row: Amount(row.project_default, row.unit), "Limits in new projects", order="project_default"),
        "api_visible": Field("api_visible", "Whether users see it in the API"),
        "ui_visible": Field("ui_visible", "Whether users see it on pages"),
        "service_type": Field("service_type", "Type of the service that counts it"),
        "service_origin": Field("service_origin", "Service that counts it"),
        "unit": Field("unit", "Unit; none for plain counts"),
        "description": Field("desc", "What it counts"),
        "default_quota": _SYSTEM_DEFAULT,
    }
    default_fields = ("id", "name", "system_default", "project_default", "api_visible", "ui_visible")

    def get_queryset(self, options: Mapping[str, Any]) -> QuerySet[Any]:
        return Resource.objects.all()
