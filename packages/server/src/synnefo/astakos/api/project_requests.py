"""Bodies of the projects API, and the values in them."""

from __future__ import annotations

import argparse
import datetime
import re
from typing import Annotated, Any, Literal

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.dateparse import parse_date, parse_datetime
from pydantic import Field

from synnefo.astakos.models import User
from synnefo.astakos.services.applications import Hints
from synnefo.astakos.services.project_definitions import Definition
from synnefo.common.commands.values import amount
from synnefo.common.describe import Body
from synnefo.common.errors import InvalidInput
from synnefo.common.ports import INFINITE

Policy = Literal["auto", "moderated", "closed"]
Capacity = Annotated[int, Field(ge=0, le=INFINITE)]
_NAME = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_is_url = URLValidator(schemes=["http", "https"])


class Capacities(Body):
    member_capacity: Capacity
    project_capacity: Capacity


class ProjectRequest(Body):
    """What a project shall be. In a change, what is missing or null stays."""

    name: Annotated[str, Field(max_length=80)] | None = None
    owner: Annotated[str, Field(max_length=64)] | None = None
    homepage: Annotated[str, Field(max_length=255)] | None = None
    description: Annotated[str, Field(max_length=4096)] | None = None
    comments: Annotated[str, Field(max_length=4096)] | None = None
    start_date: Annotated[str, Field(max_length=64)] | None = None
    end_date: Annotated[str, Field(max_length=64)] | None = None
    join_policy: Policy | None = None
    leave_policy: Policy | None = None
    max_members: Capacity | Annotated[str, Field(max_length=64)] | None = None
    private: bool | None = None
    resources: Annotated[dict[str, Capacities], Field(max_length=1000)] | None = None

    def definition(self) -> Definition:
        """Raises `InvalidInput`."""
        return Definition(
            name=None if self.name is None else _name(self.name), owner=_owner(self.owner), homepage=_homepage(self.homepage),
            description=self.description, end_date=_date(self.end_date, "end_date"), join_policy=self.join_policy,
            leave_policy=self.leave_policy, max_members=_count(self.max_members), private=self.private,
            resources={name: (item.member_capacity, item.project_capacity) for name, item in (self.resources or {}).items()})

    def hints(self) -> Hints:
        """Raises `InvalidInput`."""
        return Hints(_date(self.start_date, "start_date"), self.comments or "")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise InvalidInput("A project is named like a domain, such as group.example.org.", field="name")
    return text


def _owner(text: str | None) -> User | None:
    if text is None:
        return None
    found = User.objects.filter(uuid=text.lower(), moderated=True, is_rejected=False, email_verified=True).first()
    if found is None:
        raise InvalidInput("The owner is not an accepted user.", field="owner")
    return found


def _homepage(text: str | None) -> str | None:
    if text:
        try:
            _is_url(text)
        except ValidationError:
            raise InvalidInput("The homepage must be an http or https address.", field="homepage") from None
    return text


def _date(text: str | None, field: str) -> datetime.datetime | None:
    """ISO 8601, leniently; without a zone it is UTC."""
    if text is None:
        return None
    try:
        found = parse_datetime(text)
        if found is None:
            day = parse_date(text)
            found = None if day is None else datetime.datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the zone follows
        if found is not None:
            return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(f"{field} is not an ISO 8601 date.", field=field)


def _count(value: int | str | None) -> int | None:
    if not isinstance(value, str):
        return value
    try:
        return amount(value)
    except argparse.ArgumentTypeError as error:
        raise InvalidInput(f"max_members: {error}", field="max_members") from None


def chosen(body: dict[str, Any], known: tuple[str, ...]) -> tuple[str, Any]:
    """The one known key of the body with its value. Raises `InvalidInput`."""
    found = [key for key in known if key in body]
    if len(found) != 1:
        raise InvalidInput(f"The request must name exactly one action of: {', '.join(known)}.")
    return found[0], body[found[0]]


def reason_of(value: Any) -> str:
    """A bare text, or the `reason` of an object. Raises `InvalidInput`."""
    if isinstance(value, dict):
        value = value.get("reason", value.get("reasons"))
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 4096:
        raise InvalidInput("The reason must be a text of at most 4096 characters.", field="reason")
    return value


def application_of(value: Any) -> int:
    """The `app_id` of an object. Raises `InvalidInput`."""
    number = value.get("app_id") if isinstance(value, dict) else None
    if isinstance(number, str) and re.fullmatch(r"[0-9]{1,18}", number, re.ASCII):
        return int(number)
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 10**18:
        return number
    raise InvalidInput("app_id must be the number of an application.", field="app_id")
