"""`*-list` commands: columns, filters, order, paging, owners' e-mails.

Everything is declared on the class and nothing is kept on it: two runs in one process share no state.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandParser
from django.db import models

from synnefo.common import ports
from synnefo.common.commands import filters as filters_
from synnefo.common.commands.base import USAGE, BaseCommand, CommandError, Field
from synnefo.common.commands.values import Amount, comma_list, resolve_user
from synnefo.common.errors import InvalidInput
from synnefo.common.ids import UserID

CHUNK = 500
MAIL_COLUMN = "user.email"


class TableCommand(BaseCommand):
    """A list of computed rows. Define `fields`, `default_fields` and `get_rows`."""

    kind = "object"
    fields: ClassVar[dict[str, Field]] = {}
    default_fields: ClassVar[Sequence[str]] = ()
    user_field = ""
    project_field = ""
    deleted_field = ""

    def add_common_arguments(self, group: Any) -> None:
        group.add_argument("-o", "--output", type=comma_list, default=None, metavar="FIELDS",
                           help="Columns, comma-separated, in this order.")
        group.add_argument("--list-fields", action="store_true", help="Print the names of the columns and stop.")
        group.add_argument("--filter-by", default=None, metavar="EXPR",
                           help='Comma-separated terms "key OP value", all of which must hold. OP is one of '
                                "= != > >= < <= ~= (contains) ^= (starts with) =in:(a;b).")
        group.add_argument("--list-filters", action="store_true", help="Print the names usable in --filter-by and stop.")
        group.add_argument("--no-headers", action="store_true", help="Leave out the header line.")
        group.add_argument("--sort-by", type=comma_list, default=None, metavar="FIELDS",
                           help='Order by these columns; "-name" is descending.')
        group.add_argument("--limit", type=_natural, default=None, metavar="N", help="Print at most N rows.")
        group.add_argument("--offset", type=_natural, default=0, metavar="N", help="Skip the first N rows.")
        group.add_argument("--count", action="store_true", help="Print only the number of rows.")
        if self.user_field:
            group.add_argument("-u", "--user", default=None, help="Only items of this user (uuid or e-mail).")
            group.add_argument("--display-mails", action="store_true", help="Add the owner's e-mail.")
        if self.project_field:
            group.add_argument("-p", "--project", default=None, metavar="UUID", help="Only items of this project.")
        if self.deleted_field:
            group.add_argument("-d", "--deleted", action="store_true", help="Only deleted items.")

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_list_arguments(parser)

    def add_list_arguments(self, parser: CommandParser) -> None:
        """Further options."""

    def get_rows(self, options: Mapping[str, Any]) -> Iterable[Any]:
        """The rows, before filters, order and paging."""
        raise TypeError(f"{type(self).__module__} does not define get_rows()")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list_fields"]:
            self.table(("field", "description"), [(name, field.help) for name, field in self.fields.items()], options)
        elif options["list_filters"]:
            self.table(("filter",), [(name,) for name in self.filter_names()], options)
        else:
            self._list(options)

    def _list(self, options: Mapping[str, Any]) -> None:
        names = self._columns(options)
        if options["count"]:
            self.line(str(self.count(options)))
            return
        headers = [*names, MAIL_COLUMN] if self._mails(options) else names
        self.table(headers, self._cells(self.select(options), names, options), options)

    def _columns(self, options: Mapping[str, Any]) -> list[str]:
        names = list(options["output"] or self.default_fields or self.fields)
        for name in names:
            if name not in self.fields:
                raise CommandError(f"Unknown field {name!r}. See --list-fields.", code=USAGE)
        return names

    def _mails(self, options: Mapping[str, Any]) -> bool:
        return bool(options.get("display_mails"))

    def _cells(self, rows: Iterable[Any], names: Sequence[str], options: Mapping[str, Any]) -> Iterator[list[Any]]:
        fields = [self.fields[name] for name in names]
        if not self._mails(options):
            for row in rows:
                yield [field.value(row) for field in fields]
            return
        owner = Field(self.user_field, "")
        for chunk in _chunks(rows):
            owners = {UserID(value) for row in chunk if (value := owner.value(row))}
            emails = ports.identity().emails_of(owners) if owners else {}
            for row in chunk:
                user = owner.value(row)
                yield [*(field.value(row) for field in fields), emails.get(user, user)]

    def filter_names(self) -> Iterable[str]:
        return self.fields

    def select(self, options: Mapping[str, Any]) -> Iterable[Any]:
        """The rows to print."""
        rows = self._owned(self.get_rows(options), options)
        for term in filters_.parse(options["filter_by"]) if options["filter_by"] is not None else ():
            rows = self._holding(rows, term)
        if options["sort_by"]:
            rows = self._sorted(list(rows), options["sort_by"])
        stop = None if options["limit"] is None else options["offset"] + options["limit"]
        return itertools.islice(rows, options["offset"], stop)

    def count(self, options: Mapping[str, Any]) -> int:
        return sum(1 for _ in self.select(options))

    def _owned(self, rows: Iterable[Any], options: Mapping[str, Any]) -> Iterable[Any]:
        for option, path in (("user", self.user_field), ("project", self.project_field)):
            if options.get(option) is not None:
                wanted = resolve_user(options[option]) if option == "user" else options[option].lower()
                rows = _equal(rows, Field(path, ""), wanted)
        if self.deleted_field:
            rows = _equal(rows, Field(self.deleted_field, ""), bool(options["deleted"]))
        return rows

    def _holding(self, rows: Iterable[Any], term: filters_.Term) -> Iterator[Any]:
        field = self.fields.get(term.key)
        if field is None:
            raise InvalidInput(f"Invalid filter {term.text!r}: unknown key {term.key}; see --list-filters.")
        return iter([row for row in rows if filters_.holds(term, field.value(row))])

    def _sorted(self, rows: list[Any], keys: Sequence[str]) -> list[Any]:
        for key in reversed(keys):
            field = self._sort_field(key)
            rows.sort(key=lambda row, field=field: _orderable(field.value(row)), reverse=key.startswith("-"))  # type: ignore[misc]
        return rows

    def _sort_field(self, key: str) -> Field:
        name = key.removeprefix("-")
        if name not in self.fields:
            raise CommandError(f"Unknown field {name!r} in --sort-by. See --list-fields.", code=USAGE)
        return self.fields[name]


class ListCommand(TableCommand):
    """A list over a queryset. Define `fields`, `default_fields`, `get_queryset`; `filters` adds names for ORM paths."""

    filters: ClassVar[Mapping[str, str]] = {}
    secret_filters: ClassVar[Sequence[str]] = ()

    def add_common_arguments(self, group: Any) -> None:
        super().add_common_arguments(group)
        group.add_argument("--after", default=None, metavar="ID", help="Only items whose primary key is greater.")

    def get_queryset(self, options: Mapping[str, Any]) -> models.QuerySet[Any]:
        """Rows with everything that the fields read already joined or prefetched."""
        raise TypeError(f"{type(self).__module__} does not define get_queryset()")

    def _aliases(self) -> dict[str, str]:
        return {**{name: field.path for name, field in self.fields.items() if field.path}, **self.filters}

    def filter_names(self) -> Iterable[str]:
        queryset = self._default_queryset()
        columns = [field.name for field in queryset.model._meta.concrete_fields] if queryset is not None else []
        names = {**dict(zip(columns, columns, strict=True)), **self._aliases()}
        return [name for name, path in names.items() if not filters_.is_secret(path, self.secret_filters)
                and (queryset is None or filters_.is_column(queryset, path))]

    def _default_queryset(self) -> models.QuerySet[Any] | None:
        try:
            return self.get_queryset({})
        except KeyError:  # it looks at its own options
            return None

    def select(self, options: Mapping[str, Any]) -> Iterable[Any]:
        queryset = self._narrowed(options)
        stop = None if options["limit"] is None else options["offset"] + options["limit"]
        if options["offset"] or stop is not None:
            queryset = queryset[options["offset"]:stop]
        return queryset.iterator(chunk_size=CHUNK)

    def count(self, options: Mapping[str, Any]) -> int:
        total: int = max(0, self._narrowed(options).count() - options["offset"])
        return total if options["limit"] is None else min(total, int(options["limit"]))

    def _narrowed(self, options: Mapping[str, Any]) -> models.QuerySet[Any]:
        queryset = self._scoped(self.get_queryset(options), options)
        if options["filter_by"] is not None:
            queryset = filters_.apply(queryset, options["filter_by"], aliases=self._aliases(),
                                      secret=self.secret_filters)
        if options["after"] is not None:
            queryset = filters_.apply(queryset, f"pk>{options['after']}", aliases={})
        return queryset.order_by(*self._order(queryset, options["sort_by"] or ()), "pk")

    def _scoped(self, queryset: models.QuerySet[Any], options: Mapping[str, Any]) -> models.QuerySet[Any]:
        if options.get("user") is not None:
            queryset = queryset.filter(**{self.user_field: resolve_user(options["user"])})
        if options.get("project") is not None:
            queryset = queryset.filter(**{self.project_field: options["project"].lower()})
        if self.deleted_field:
            queryset = queryset.filter(**{self.deleted_field: bool(options["deleted"])})
        return queryset

    def _order(self, queryset: models.QuerySet[Any], keys: Sequence[str]) -> list[str]:
        paths = []
        for key in keys:
            path = self._sort_field(key).path
            if not path or not filters_.is_column(queryset, path):
                raise CommandError(f"The list cannot be sorted by {key.removeprefix('-')!r}.", code=USAGE)
            paths.append(("-" if key.startswith("-") else "") + path)
        return paths


def _natural(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**31:
        raise ValueError(text)
    return number


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(rows)
    while chunk := list(itertools.islice(iterator, CHUNK)):
        yield chunk


def _equal(rows: Iterable[Any], field: Field, wanted: Any) -> list[Any]:
    return [row for row in rows if field.value(row) == wanted]


def _orderable(value: Any) -> tuple[bool, Any]:
    """Nothing sorts before everything."""
    plain = value.value if isinstance(value, Amount) else value
    return (plain is not None, plain)
