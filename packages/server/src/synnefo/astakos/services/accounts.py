"""Bounded reads of users and projects for administrators, services and the name catalogs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from synnefo.astakos.models import Project, ProjectState, User
from synnefo.astakos.services.memberships import Membership
from synnefo.common.errors import NotFound
from synnefo.common.ids import ProjectID

BATCH = 500
CHUNK = 2000


def list_users(*, marker: str = "", name: str = "", limit: int, is_active: bool | None = None) -> list[User]:
    """Users by uuid, after `marker`; `name` is an e-mail."""
    found = User.objects.order_by("uuid")
    if marker:
        found = found.filter(uuid__gt=_clean(marker))
    if name:
        found = found.filter(email=_clean(name).lower())
    if is_active is not None:
        found = found.filter(is_active=is_active)
    return list(found[:limit])


def list_projects(*, marker: str = "", name: str = "", limit: int) -> list[Membership]:
    """Active projects by uuid, after `marker`, as somebody who is no member sees them."""
    found = Project.objects.filter(state=ProjectState.ACTIVE).order_by("uuid")
    if marker:
        found = found.filter(uuid__gt=_clean(marker))
    if name:
        found = found.filter(realname=_clean(name))
    return [_outside(project) for project in found[:limit]]


def get_project(project_id: str) -> Membership:
    """An active project. Raises `NotFound`."""
    project = Project.objects.filter(state=ProjectState.ACTIVE, uuid=_clean(project_id).lower()).first()
    if project is None:
        raise NotFound("There is no such project.")
    return _outside(project)


def _outside(project: Project) -> Membership:
    return Membership(ProjectID(project.uuid), project.realname, project.description, is_owner=False)


def _clean(text: str) -> str:
    """Text of a query string that may be compared in a database."""
    return text.replace("\x00", "")


def names_by_uuid(uuids: Iterable[str]) -> dict[str, str]:
    """{uuid: e-mail} of those that exist."""
    found: dict[str, str] = {}
    for batch in _batches(uuids):
        found |= dict(User.objects.filter(uuid__in=batch).values_list("uuid", "email"))
    return found


def uuids_by_name(names: Iterable[str]) -> dict[str, str]:
    """{e-mail as it was asked for: uuid} of those that exist."""
    asked = list(names)
    known: dict[str, str] = {}
    for batch in _batches(name.lower() for name in asked):
        known |= dict(User.objects.filter(email__in=batch).values_list("email", "uuid"))
    return {name: known[name.lower()] for name in asked if name.lower() in known}


def everybody() -> Iterator[tuple[str, str]]:
    """(uuid, e-mail) of all users, streamed."""
    return User.objects.order_by("pk").values_list("uuid", "email").iterator(chunk_size=CHUNK)


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    """Databases bound the parameters of a query."""
    unique = list(dict.fromkeys(values))
    for start in range(0, len(unique), BATCH):
        yield unique[start:start + BATCH]
