"""Listings of a container, folded at a delimiter, in pages that never read the names that they fold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from synnefo.common.ports import Caller
from synnefo.pithos.models import Container, Permission, StoredObject
from synnefo.pithos.services import names

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Listing:
    """What a listing asks for. Markers are exclusive."""

    prefix: str = ""
    delimiter: str = ""
    marker: str = ""
    end_marker: str = ""
    limit: int = 10000
    with_virtual: bool = True
    shows_folder_objects: bool = True
    """A name that ends at its first delimiter is shown as the object that it is, not as a virtual folder."""


def list_objects(caller: Caller, container: Container, asked: Listing) -> list[StoredObject | str]:
    """Objects, and virtual folders as strings, in order of code points; both count for the limit. Others see what they may read."""
    found: list[StoredObject | str] = []
    for entry in _entries(readable(caller, container), asked):
        if isinstance(entry, str) and not asked.with_virtual:
            continue
        found.append(entry)
        if len(found) >= asked.limit:
            break
    return found


def readable(caller: Caller, container: Container) -> QuerySet[StoredObject]:
    """Current objects by name; for others those that they may read."""
    rows = StoredObject.objects.filter(container=container, current__isnull=False).select_related("current").order_by("name")
    if caller.user_id != container.account:
        shared = Permission.objects.filter(object__container=container, holder__in=(caller.user_id, "*")).values("object")
        rows = rows.filter(pk__in=shared)
    return rows


def _entries(rows: QuerySet[StoredObject], asked: Listing) -> Iterator[StoredObject | str]:
    if asked.prefix:
        rows = rows.filter(names.within(asked.prefix))
    if asked.end_marker:
        rows = rows.filter(name__lt=asked.end_marker)
    after: Q | None = Q(name__gt=asked.marker) if asked.marker else Q()
    folder = fold(asked.marker, asked)
    if folder is not None and folder == asked.marker:
        after = names.behind(folder)  # the page before ended with this virtual folder
    while after is not None:
        page = list(rows.filter(after)[: min(asked.limit, PAGE)])
        if not page:
            return
        after = Q(name__gt=page[-1].name)
        for item in page:
            folder = fold(item.name, asked)
            if folder is None:
                yield item
                continue
            yield item if folder == item.name and asked.shows_folder_objects else folder
            after = names.behind(folder)
            break


def fold(name: str, asked: Listing) -> str | None:
    """The virtual folder that a name lies in, or None when it lies at the level that is listed."""
    if not asked.delimiter or not name.startswith(asked.prefix):
        return None
    position = name.find(asked.delimiter, len(asked.prefix))
    return None if position < 0 else name[: position + len(asked.delimiter)]
