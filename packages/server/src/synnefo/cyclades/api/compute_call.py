"""One request to the compute API: who asks, on which surface, and what all its views share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from synnefo.common.errors import InvalidInput, NotFound
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades.api import representations, requests

LEGACY, MODERN = "v2.0", "v2.1"


@dataclass(frozen=True, slots=True)
class Call:
    """One request on one surface; `microversion` is (2, 0) on the legacy one."""

    request: HttpRequest
    caller: Caller
    version: str
    microversion: tuple[int, int]

    @property
    def modern(self) -> bool:
        return self.version == MODERN

    @property
    def query(self) -> Any:
        """The query's parameters; the last value of each, texts all."""
        return self.request.GET

    def number(self, text: str, what: str) -> int:
        """The id in a path. Tools try names first: the modern API has nothing of that name, the legacy one no such path."""
        if requests.is_id(text):
            return int(text)
        if self.modern or text.isdigit():
            raise NotFound(f"{what} not found.")
        raise InvalidInput("API endpoint not found.")

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in {"1", "true", "yes"}


type_view = Callable[..., HttpResponse]


def page(call: Call, rows: QuerySet[Any], collection: str, columns: Mapping[str, str], *, markers: QuerySet[Any],
         newest_first: bool) -> tuple[QuerySet[Any], list[dict[str, str]]]:
    """A page of `rows` and the link to the next one. `marker` is the last id of the page before, one of `markers` (what the caller may see, gone
    or not); `columns` are the sort keys.

    Rows that appear or go between two pages neither repeat nor hide others. Raises `InvalidInput`.
    """
    most = int(conf.CYCLADES_API_MAX_LIMIT)
    limit = min(requests.number(call.query.get("limit", str(most)), "limit") or most, most)
    column = columns[requests.one_of(call.query.get("sort_key", "id"), tuple(columns), "sort_key")]
    down = requests.one_of(call.query.get("sort_dir", "desc" if newest_first else "asc"), ("asc", "desc"), "sort_dir") == "desc"
    marker = call.query.get("marker")
    ordered = rows.order_by(*(("-" if down else "") + name for name in dict.fromkeys((column, "pk"))))
    if marker:
        ordered = ordered.filter(_after(markers, marker, column, down=down))
    keys = list(ordered.values_list("pk", flat=True)[: limit + 1])
    shown = rows.filter(pk__in=keys[:limit]).order_by(*ordered.query.order_by)
    if len(keys) <= limit:
        return shown, []
    query = call.query.copy()
    query["limit"], query["marker"] = str(limit), str(keys[limit - 1])
    return shown, [{"rel": "next", "href": f"{representations.root()}/v2.1/{collection}?{query.urlencode()}"}]


def _after(markers: QuerySet[Any], marker: str, column: str, *, down: bool) -> Q:
    """The rows behind the marker."""
    last = markers.filter(pk=int(marker)).values_list("pk", column).first() if requests.is_id(marker) else None
    if last is None:
        raise InvalidInput("marker names nothing.", field="marker")
    side = "lt" if down else "gt"
    return Q(**{f"{column}__{side}": last[1]}) | Q(**{column: last[1], f"pk__{side}": last[0]})
