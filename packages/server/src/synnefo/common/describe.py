"""What API views say of themselves, for the OpenAPI documents and the tests that are derived from them.

    class NoteRequest(Body):
        text: Annotated[str, Field(max_length=100)]

    class NoteReply(Reply):
        id: int
        text: str

    @describe("Keep a note", auth="user", body=NoteRequest, reply=NoteReply, status=201, errors=(409,))
    def add_note(request: HttpRequest) -> HttpResponse: ...

`describe` only stores an `Operation` on the view: what the view checks and answers stays its own business, and the tests
hold the two together. `operation_of(view)` reads it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

Auth = Literal["none", "user", "account", "component", "caller", "account_or_component", "admin", "client", "bearer"]
"""Who may call at all, before anything about single objects is asked."""
AUTH_TEXTS: dict[Auth, str] = {
    "none": "nothing: anybody may", "user": "the token of an active user, in X-Auth-Token or as Authorization: Bearer",
    "account": "as user, but not a token that is restricted to a project or to roles", "component": "the token of a registered service",
    "caller": "the token of a user or of a service", "account_or_component": "as account, or the token of a service",
    "admin": "the token of a user with a right over the whole cloud",
    "client": "an OAuth2 client's id and secret, by HTTP Basic or in the form", "bearer": "an OAuth2 access token",
}
Who = Literal["self", "member", "owner", "project_admin", "helpdesk", "admin"]
V = TypeVar("V", bound=Callable[..., Any])
ANY = 0
"""In place of a status: any success."""
_ATTRIBUTE = "_operation"
_USUAL: dict[Auth, set[int]] = {"none": set(), "user": {401, 403}, "account": {401, 403}, "caller": {401, 403},
                               "account_or_component": {401, 403}, "admin": {401, 403}}
"""Users' tokens may be held to some calls, or restricted: hence 403."""


class Body(BaseModel):
    """Base of request bodies: no value is taken for another type's; what is not known is ignored, as older clients need it."""

    model_config = ConfigDict(extra="ignore", strict=True, populate_by_name=False)


class Reply(BaseModel):
    """Base of replies: exactly these fields. Fields with a default may be missing."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter or header of a request. `schema` is its JSON schema, a text unless told otherwise."""

    text: str
    required: bool = False
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


def flag(text: str) -> Parameter:
    """A query parameter that is on when it is 1."""
    return Parameter(text, schema={"type": "string", "enum": ["0", "1"]})


def number(text: str, *, most: int = 10**9 - 1) -> Parameter:
    """A natural number in the query."""
    return Parameter(text, schema={"type": "integer", "minimum": 0, "maximum": most})


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    summary: str
    auth: Auth
    body: Any
    reply: Any
    status: int
    errors: tuple[int, ...]
    query: Mapping[str, Parameter]
    headers: Mapping[str, Parameter]
    reply_headers: Mapping[str, str]
    only: tuple[Who, ...]
    body_type: str
    reply_types: tuple[str, ...]
    is_body_optional: bool
    faults: str
    text: str = ""


def describe(
    summary: str, *, auth: Auth, body: Any = None, reply: Any = None, status: int = 200, errors: Sequence[int] = (),
    query: Mapping[str, Parameter | str] | None = None, headers: Mapping[str, Parameter | str] | None = None,
    reply_headers: Mapping[str, str] | None = None, only: Sequence[Who] = (), body_type: str = "application/json",
    reply_types: Sequence[str] = ("application/json",), is_body_optional: bool = False,
    faults: str = "",
) -> Callable[[V], V]:
    """Say what a view does. The summary is a short sentence without a full stop; the view's docstring is the long text.

    auth: see `AUTH_TEXTS`. only: who among users may do it to an object of the path, when not all who may see it.
    body, reply: a pydantic model (see `Body`, `Reply`) or a type such as `dict[str, int]` or `list[X]`; a reply of None has
    no body. `reply=str` with `reply_types=("text/plain",)` is text.
    errors: statuses beside those that follow from the rest (400 and 413 with a body, 400 with a query, headers or a part of
    the path (there 404 in Keystone's dialect), 401 with auth, 403 for users).
    query, headers, reply_headers: name -> text, or a `Parameter` (see also `flag`, `number`).
    faults: the dialect of the refusals where it is not the endpoint's ("oauth2").
    """
    operation = Operation(
        summary, auth, body, reply, status, tuple(errors), _parameters(query), _parameters(headers), dict(reply_headers or {}),
        tuple(only), body_type, tuple(reply_types), is_body_optional, faults)

    def keep(view: V) -> V:
        setattr(view, _ATTRIBUTE, replace(operation, text=_text_of(view)))
        return view

    return keep


def _parameters(given: Mapping[str, Parameter | str] | None) -> dict[str, Parameter]:
    return {name: Parameter(item) if isinstance(item, str) else item for name, item in (given or {}).items()}


def _text_of(view: Callable[..., Any]) -> str:
    return "\n".join(line.strip() for line in (view.__doc__ or "").strip().splitlines())


def outline(summary: str, *, auth: Auth, query: Mapping[str, Parameter | str] | None = None) -> Operation:
    """An operation of which no shapes are known: any success, any refusal."""
    return Operation(summary, auth, None, None, ANY, (), _parameters(query), {}, {}, (), "", (), False, "")


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """What was said of the view, if anything."""
    found: Operation | None = getattr(view, _ATTRIBUTE, None)
    return found


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What stands behind one address: the views by method, and the dialect of its faults."""

    dialect: str
    views: Mapping[str, Callable[..., Any]]
    is_catch_all: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one address, with what is known of it. `path` has its parameters in braces; `patterns` are theirs."""

    path: str
    method: str
    dialect: str
    operation: Operation | None
    patterns: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> Operation:
        """Raises `ValueError` for a route whose view says nothing."""
        if self.operation is None:
            raise ValueError(f"{self.method} {self.path} is not described: see synnefo.common.describe")
        return self.operation

    def refusals(self) -> list[int]:
        """Every status that the route may refuse with, beside those any may (405, 500, 503)."""
        usual = {400, 413} if self.known.body is not None else {400} if self.known.query or self.known.headers else set()
        nowhere = {404 if self.dialect == "keystone" else 400} if "{" in self.path else set()
        return sorted({*usual, *nowhere, *_USUAL.get(self.known.auth, {401}), *self.known.errors})
