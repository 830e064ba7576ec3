"""The query strings of the network API's lists: filters, fields, sorting, paging and `changes-since`."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import QueryDict
from django.utils.dateparse import parse_datetime

from synnefo.common.errors import InvalidInput
from synnefo.common.settings import conf

RESERVED = {"limit", "marker", "page_reverse", "sort_key", "sort_dir", "fields", "changes-since", "deleted", "format"}
TAG_FILTERS = {"tags", "tags-any", "not-tags", "not-tags-any"}
TRUE, FALSE = {"true", "1"}, {"false", "0"}
CLOCK_SKEW = timedelta(seconds=5)
MAX_FILTER_VALUES = 1000

type_row = dict[str, Any]
type_filter = Callable[[list[str]], Q]


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A parsed query string. `filters` are those the caller applies to rendered objects."""

    filters: Mapping[str, list[str]] = field(default_factory=dict)
    fields: frozenset[str] = frozenset()
    limit: int | None = None
    marker: int | None = None
    is_reversed: bool = False
    sort: tuple[tuple[str, bool], ...] = ()
    """(attribute, descending) pairs."""
    changes_since: datetime | None = None
    with_deleted: bool = False

    @property
    def needs_all_rows(self) -> bool:
        """Whether paging has to wait until objects are rendered."""
        return bool(self.filters) or any(key != "id" for key, _ in self.sort) or len(self.sort) > 1


def parse(params: QueryDict, known: set[str]) -> ListQuery:
    """Raises `InvalidInput` for a filter nobody knows (ignoring it would answer with everything) and bad values."""
    filters = {key: params.getlist(key) for key in params if key not in RESERVED}
    unknown = sorted(set(filters) - known - TAG_FILTERS)
    if unknown:
        raise InvalidInput(f"Unknown filter {unknown[0][:64]!r}.", field=unknown[0][:64])
    if sum(len(values) for values in filters.values()) > MAX_FILTER_VALUES:
        raise InvalidInput(f"A query may have {MAX_FILTER_VALUES} filter values at most.")
    return ListQuery(
        filters=filters, fields=frozenset(params.getlist("fields")), limit=_limit(params.get("limit")),
        marker=_marker(params.get("marker")), is_reversed=_boolean("page_reverse", params.get("page_reverse", "false")),
        sort=_sort(params.getlist("sort_key"), params.getlist("sort_dir"), known),
        changes_since=_changes_since(params.get("changes-since")),
        with_deleted=_boolean("deleted", params.get("deleted", "false")),
    )


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < 1:
        raise InvalidInput("limit must be a positive number.", field="limit")
    return min(int(text), int(conf.CYCLADES_API_MAX_LIMIT))


def _marker(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise InvalidInput("marker must be the id of an object of the list.", field="marker")
    return int(text)


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise InvalidInput(f"{name} must be true or false.", field=name)
    return text.lower() in TRUE


def _sort(keys: list[str], directions: list[str], known: set[str]) -> tuple[tuple[str, bool], ...]:
    if directions and len(directions) != len(keys):
        raise InvalidInput("sort_key and sort_dir must be given equally often.", field="sort_dir")
    for key in keys:
        if key not in known:
            raise InvalidInput(f"Cannot sort by {key[:64]!r}.", field="sort_key")
    for direction in directions:
        if direction not in {"asc", "desc"}:
            raise InvalidInput("sort_dir is asc or desc.", field="sort_dir")
    return tuple(zip(keys, [direction == "desc" for direction in directions] or [False] * len(keys), strict=True))


def _changes_since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None:
        raise InvalidInput("changes-since must be an ISO 8601 time.", field="changes-since")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    now = datetime.now(UTC)
    if moment > now + CLOCK_SKEW:
        raise InvalidInput("changes-since lies in the future.", field="changes-since")
    if moment < now - timedelta(seconds=conf.POLL_LIMIT):
        raise InvalidInput("changes-since lies too far in the past; list everything instead.", field="changes-since")
    return moment


def narrow(rows: QuerySet[Any], query: ListQuery, lookups: Mapping[str, type_filter]) -> tuple[QuerySet[Any], ListQuery]:
    """Apply the filters the database can apply; the rest stays in the returned query."""
    rest = dict(query.filters)
    for key in list(rest):
        if key in lookups:
            rows = rows.filter(lookups[key](rest.pop(key)))
    if query.changes_since is not None:
        rows = rows.filter(updated_at__gte=query.changes_since)
    remaining = ListQuery(rest, query.fields, query.limit, query.marker, query.is_reversed, query.sort,
                          query.changes_since, query.with_deleted)
    return rows, remaining


def ids(name: str) -> type_filter:
    """A filter on a column of ids: values that are not ids match nothing."""

    def build(values: list[str]) -> Q:
        numbers = [int(value) for value in values if value.isascii() and value.isdigit() and len(value) <= 18]
        empty = Q(**{f"{name}__isnull": True}) if name != "id" and "" in values else Q(pk__in=[])
        return Q(**{f"{name}__in": numbers}) | empty

    return build


def exactly(name: str) -> type_filter:
    def build(values: list[str]) -> Q:
        if any("\x00" in value for value in values):
            raise InvalidInput("A filter value holds a NUL character.")
        return Q(**{f"{name}__in": values})

    return build


def addresses(name: str) -> type_filter:
    """A filter on a column of IP addresses: values that are no addresses match nothing."""

    def build(values: list[str]) -> Q:
        return Q(**{f"{name}__in": [value for value in values if _is_address(value)]})

    return build


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def flag(name: str) -> type_filter:
    """A filter on a boolean column. Raises `InvalidInput` for other values."""
    return lambda values: Q(**{f"{name}__in": [_boolean(name, value) for value in values]})


def page(
    rows: QuerySet[Any], query: ListQuery, render: Callable[[Sequence[Any]], list[type_row]], visible: QuerySet[Any],
) -> tuple[list[type_row], bool]:
    """Rendered objects of one page, and whether more follow in the direction of paging.

    Raises `InvalidInput` for a marker that never was an object of this list.
    """
    if query.marker is not None:
        _check_marker(query.marker, visible)
    if query.needs_all_rows:
        return _page_of_rendered(render(list(rows.order_by("id"))), query)
    is_descending = bool(query.sort and query.sort[0][1]) != query.is_reversed
    if query.marker is not None:
        rows = rows.filter(**{"id__lt" if is_descending else "id__gt": query.marker})
    rows = rows.order_by("-id" if is_descending else "id")
    found = list(rows[: query.limit + 1] if query.limit else rows)
    return _cut(render(found), query)


def _check_marker(marker: int, visible: QuerySet[Any]) -> None:
    """A marker whose object was deleted meanwhile is fine: only one beyond every known id is a mistake."""
    model: type[Model] = visible.model
    newest = model._default_manager.order_by("-id").values_list("id", flat=True).first() or 0
    if marker > newest:
        raise InvalidInput("marker names no object of this list.", field="marker")


def _page_of_rendered(objects: list[type_row], query: ListQuery) -> tuple[list[type_row], bool]:
    kept = [item for item in objects if all(matches(item, key, values) for key, values in query.filters.items())]
    for key, is_descending in reversed(query.sort):
        kept.sort(key=lambda item, key=key: sort_value(item.get(key)), reverse=is_descending)  # type: ignore[misc]
    if query.is_reversed:
        kept.reverse()
    if query.marker is not None:
        position = next((number for number, item in enumerate(kept) if item["id"] == str(query.marker)), None)
        kept = kept[position + 1:] if position is not None else [
            item for item in kept if (int(item["id"]) > query.marker) != query.is_reversed]
    return _cut(kept[: query.limit + 1] if query.limit else kept, query)


def _cut(objects: list[type_row], query: ListQuery) -> tuple[list[type_row], bool]:
    has_more = query.limit is not None and len(objects) > query.limit
    objects = objects[: query.limit] if query.limit else objects
    return (objects[::-1] if query.is_reversed else objects), has_more


def sort_value(value: Any) -> tuple[int, Any]:
    """Numbers as numbers (ids are decimal strings), then text, then nothing."""
    if value is None:
        return (2, "")
    text = str(value)
    return (0, int(text)) if text.isascii() and text.isdigit() else (1, text)


def matches(item: type_row, key: str, values: list[str]) -> bool:
    """Whether a rendered object passes a filter: one of the values equals the attribute or is a member of it."""
    if key in TAG_FILTERS:
        return _matches_tags(set(item.get("tags", ())), key, values)
    if key == "fixed_ips":
        return any(_matches_fixed_ip(item, value) for value in values)
    actual = item.get(key)
    if isinstance(actual, list):
        return any(value in actual for value in values)
    if isinstance(actual, bool):
        return any(_boolean(key, value) is actual for value in values)
    return any(value == ("" if actual is None else str(actual)) for value in values)


def _matches_tags(tags: set[str], key: str, values: list[str]) -> bool:
    wanted = {tag for value in values for tag in value.split(",")}
    met = bool(wanted & tags) if key.endswith("any") else wanted <= tags
    return met != key.startswith("not")


def _matches_fixed_ip(item: type_row, condition: str) -> bool:
    name, _, value = condition.partition("=")
    if name == "ip_address_substr":
        return any(value in entry["ip_address"] for entry in item["fixed_ips"])
    if name not in {"ip_address", "subnet_id"}:
        raise InvalidInput("fixed_ips filters are ip_address=, ip_address_substr= and subnet_id=.", field="fixed_ips")
    return any(entry[name] == value for entry in item["fixed_ips"])


def trimmed(item: type_row, fields: frozenset[str]) -> type_row:
    return {key: value for key, value in item.items() if key in fields} if fields else item
