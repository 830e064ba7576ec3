"""Which projects and roles a user has, as tokens and catalogs name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synnefo.astakos.models import ApiToken, User
from synnefo.astakos.services import projects
from synnefo.common.errors import NotFound, Unauthenticated
from synnefo.common.ids import ProjectID
from synnefo.common.ports import AccessRule

BUILT_IN = ("member", "owner", "admin")


@dataclass(frozen=True, slots=True)
class Role:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Membership:
    """One project in which the user is an accepted member."""

    project_id: ProjectID
    name: str
    description: str
    is_owner: bool


def all_memberships(user: User) -> list[Membership]:
    """The user's projects by uuid. One query."""
    return [
        Membership(ProjectID(project.uuid), project.realname, project.description, project.owner_id == user.pk)
        for project in projects.list_active_projects(user.user_id)
    ]


def reachable(user: User, token: ApiToken | None) -> list[Membership]:
    """The projects for which a token may be exchanged: all, unless it is restricted to one. One query."""
    found = all_memberships(user)
    if token is None or not (token.is_restricted and token.project_id):
        return found
    return [item for item in found if item.project_id == token.project_id]


def within_scope(found: list[Membership], token: ApiToken | None) -> list[Membership]:
    """The projects in which the token itself may act."""
    if token is None or not (token.project_id or token.is_unscoped):
        return found
    return [item for item in found if item.project_id == token.project_id]


def roles_of(user: User, membership: Membership | None = None, token: ApiToken | None = None) -> list[Role]:
    """The user's roles, never empty. A group named like a built-in role gives no rights: those come from the account.
    One query.
    """
    roles = [Role("member", "member")]
    if membership is not None and membership.is_owner:
        roles.append(Role("owner", "owner"))
    if user.is_superuser:
        roles.append(Role("admin", "admin"))
    roles += [Role(str(group.pk), group.name) for group in user.groups.all() if group.name not in BUILT_IN]
    if token is not None and token.roles is not None:
        roles = [role for role in roles if role.name in token.roles or role.name == "member"]
    return roles


def rules_of(token: ApiToken | None) -> tuple[AccessRule, ...] | None:
    """The access rules of the credential behind a token; None is no limit."""
    rules = token.app_credential.access_rules if token is not None and token.app_credential is not None else None
    return None if rules is None else tuple(AccessRule(item["service"], item["method"], item["path"]) for item in rules)


def paying_project(user: User, token: ApiToken | None, memberships: Sequence[Membership]) -> ProjectID:
    """The project of the token, else the user's default while he is a member of it, else his system project.

    Raises `Unauthenticated` when the token's project is gone.
    """
    known = {item.project_id for item in memberships}
    if token is not None and token.project_id:
        if token.project_id not in known:
            raise Unauthenticated("The project of this token is no longer available.")
        return ProjectID(token.project_id)
    return user.default_project_id if user.default_project_id in known else user.system_project_id


def find_membership(memberships: Sequence[Membership], *, project_id: str = "", name: str = "") -> Membership:
    """By uuid or by unique name. Raises `NotFound`."""
    found = [item for item in memberships
             if (project_id and item.project_id == project_id.lower()) or (name and item.name == name)]
    if len(found) != 1:
        raise NotFound("There is no such project, or you are not a member of it.")
    return found[0]
