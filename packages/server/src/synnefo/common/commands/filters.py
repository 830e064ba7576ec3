"""`--filter-by`: comma-separated `key OP value` terms, all of which must hold.

Terms on querysets become ORM conditions, typed by the column that the key names; terms on computed rows are compared
in Python. No state is kept between uses.
"""

from __future__ import annotations

import datetime
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models

from synnefo.common.commands.values import Amount, amount
from synnefo.common.errors import InvalidInput

# Longer operators first: `a>=1` must not be read as `a > "=1"`.
_OPERATORS = ("=in:", "!=", ">=", "=>", "<=", "=<", "~=", "^=", "=", ">", "<")
_CANONICAL = {"=>": ">=", "=<": "<="}
_LOOKUPS = {"=": "exact", "!=": "exact", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "~=": "icontains",
            "^=": "startswith"}
_TERM = re.compile(rf"^\s*([A-Za-z_][\w.]*)\s*({'|'.join(re.escape(op) for op in _OPERATORS)})(.*)$", re.DOTALL)
_TRUE, _FALSE = {"yes", "true", "t", "1"}, {"no", "false", "f", "0"}
_SECRET = re.compile(r"token|passw|secret|hash|private_key|_key$", re.IGNORECASE)
_NULL = "null"
MAX_LENGTH, MAX_TERMS = 10_000, 50
M = TypeVar("M", bound=models.Model)


class Term(NamedTuple):
    key: str
    operator: str
    value: str
    text: str

    def values(self) -> list[str]:
        """The alternatives of `=in:(a;b)`."""
        return [_unquote(part) for part in self.value.strip().removeprefix("(").removesuffix(")").split(";")]


def parse(expression: str) -> list[Term]:
    """Raises `InvalidInput` naming the malformed term."""
    if len(expression) > MAX_LENGTH:
        raise InvalidInput("The filter is too long.")
    texts = _split(expression)
    if len(texts) > MAX_TERMS:
        raise InvalidInput(f"The filter has more than {MAX_TERMS} terms.")
    return [_term(text) for text in texts]


def _split(expression: str) -> list[str]:
    """Cut at commas outside quotes and parentheses."""
    parts, current, quote, depth = [], "", "", 0
    for character in expression:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "()":
            depth = max(0, depth + (1 if character == "(" else -1))
        elif character == "," and not depth:
            parts.append(current)
            current = ""
            continue
        current += character
    if quote:
        raise _bad(expression, "a quote is not closed")
    parts.append(current)
    return parts


def _term(text: str) -> Term:
    match = _TERM.match(text)
    if match is None:
        raise _bad(text, "it is not of the form key OP value")
    key, operator, value = match.groups()
    value = value.strip()
    return Term(key, _CANONICAL.get(operator, operator), value if operator == "=in:" else _unquote(value), text.strip())


def _unquote(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'" else value


def _bad(text: str, why: str) -> InvalidInput:
    return InvalidInput(f"Invalid filter {text.strip()!r}: {why}. Operators: {' '.join(_OPERATORS)}")


def apply(queryset: models.QuerySet[M], expression: str, *, aliases: Mapping[str, str],
          secret: Sequence[str] = ()) -> models.QuerySet[M]:
    """Narrow a queryset. `aliases` maps filter names to ORM paths; other keys are ORM paths themselves."""
    for term in parse(expression):
        path = aliases.get(term.key, term.key).replace(".", "__")
        if is_secret(path, secret):
            raise _bad(term.text, f"{term.key} may not be used in a filter")
        queryset = _narrow(queryset, term, path)
    return queryset


def is_secret(path: str, declared: Sequence[str] = ()) -> bool:
    """Whether a column may never be probed by filters."""
    return path in declared or bool(_SECRET.search(path))


def _narrow(queryset: models.QuerySet[M], term: Term, path: str) -> models.QuerySet[M]:
    field = _field(queryset, term, path)
    if term.operator == "=in:":
        return queryset.filter(**{f"{path}__in": [_convert(field, term, value) for value in term.values()]})
    if field.null and term.value == _NULL and term.operator in {"=", "!="}:
        return queryset.filter(**{f"{path}__isnull": term.operator == "="})
    if term.operator in {"~=", "^="}:
        return queryset.filter(**{f"{path}__{_LOOKUPS[term.operator]}": term.value})
    condition = {f"{path}__{_LOOKUPS[term.operator]}": _convert(field, term, term.value)}
    return queryset.exclude(**condition) if term.operator == "!=" else queryset.filter(**condition)


def is_column(queryset: models.QuerySet[Any], path: str) -> bool:
    """Whether the path leads to a column or an annotation."""
    try:
        _field(queryset, Term(path, "=", "", path), path)
    except InvalidInput:
        return False
    return True


def _field(queryset: models.QuerySet[Any], term: Term, path: str) -> models.Field[Any, Any]:
    """The concrete column at the end of an ORM path; annotations count as columns."""
    annotation = queryset.query.annotations.get(path)
    if annotation is not None:
        return annotation.output_field
    model: Any = queryset.model
    field: Any = None
    for part in path.split("__"):
        try:
            field = _get_field(model, part)
        except FieldDoesNotExist:
            raise _bad(term.text, f"unknown key {term.key}; see --list-filters") from None
        model = field.related_model if field.is_relation else None
    return _concrete(field)


def _get_field(model: Any, part: str) -> Any:
    """As `Meta.get_field`, also `pk` and column attributes (`flavor_id`). A plain column (no model) leads nowhere."""
    if model is None:
        raise FieldDoesNotExist
    if part == "pk":
        return model._meta.pk
    try:
        return model._meta.get_field(part)
    except FieldDoesNotExist:
        for field in model._meta.concrete_fields:
            if field.attname == part:
                return field.target_field if field.is_relation else field
        raise


def _concrete(field: Any) -> models.Field[Any, Any]:
    while field.is_relation:
        field = field.target_field if getattr(field, "concrete", False) and not field.many_to_many \
            else field.related_model._meta.pk
    return field  # type: ignore[no-any-return]


def _convert(field: models.Field[Any, Any], term: Term, value: str) -> Any:
    """The value in the column's own type, so that `name=1` compares with the text "1" and `id=1` with the number."""
    try:
        if isinstance(field, models.BooleanField):
            return _truth(value)
        if isinstance(field, models.DateTimeField):
            return _moment(value)
        if isinstance(field, models.BigIntegerField | models.IntegerField):
            return _whole(field, value)
        return field.to_python(value)
    except (ValidationError, ValueError, ArgumentTypeError):
        raise _bad(term.text, f"{value!r} cannot be compared with {term.key}") from None


def _whole(field: models.Field[Any, Any], value: str) -> int:
    number = int(value) if re.fullmatch(r"-?[0-9]+", value) else amount(value)
    if abs(number) >= 2**63:
        raise ValueError(number)
    return number


def _truth(value: str) -> bool:
    word = value.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(value)
    return word in _TRUE


def _moment(value: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
}


def holds(term: Term, actual: Any) -> bool:
    """Whether a computed value satisfies the term. Raises `InvalidInput` for values that do not compare."""
    if term.operator == "~=":
        return term.value.lower() in str(actual).lower()
    if term.operator == "^=":
        return str(actual).startswith(term.value)
    try:
        if term.operator == "=in:":
            return any(_plain(actual) == _like(actual, value) for value in term.values())
        if actual is None:
            return (term.value == _NULL) == (term.operator == "=")
        return _COMPARE[term.operator](_plain(actual), _like(actual, term.value))
    except (ValueError, TypeError, ArgumentTypeError):
        raise _bad(term.text, f"{term.value!r} cannot be compared with {term.key}") from None


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Amount) else value


def _like(actual: Any, value: str) -> Any:
    """The text of a term in the type of the value it is compared with."""
    if isinstance(actual, Amount):
        return amount(value)
    if isinstance(actual, bool):
        return _truth(value)
    if isinstance(actual, int):
        return int(value)
    if isinstance(actual, float):
        return float(value)
    if isinstance(actual, datetime.datetime):
        return _moment(value)
    return value
