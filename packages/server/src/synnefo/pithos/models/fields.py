"""Columns whose order does not depend on the database's language."""

from __future__ import annotations

from typing import Any

from django.db import models


class NameField(models.CharField):  # type: ignore[type-arg]  # not subscriptable at run time
    """Text sorted and compared by code points: markers, prefixes and pages of listings rely on it."""

    def db_parameters(self, connection: Any) -> Any:
        parameters = super().db_parameters(connection)
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters
