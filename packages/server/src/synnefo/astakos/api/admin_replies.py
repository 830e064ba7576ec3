"""The shapes of what the API for administrators answers."""

from __future__ import annotations

from typing import Any

from synnefo.common.describe import Reply


class AuthenticationMethod(Reply):
    """`identifier` is the e-mail for the local method; `metadata` is what was kept of the provider's answer."""

    identifier: str
    active: bool
    affiliation: str
    backend: str
    metadata: dict[str, Any]


class AdminUser(Reply):
    """Dates are ISO 8601 or null. No token and no password is in it."""

    id: str
    first_name: str
    last_name: str
    email: str
    is_active: bool
    is_rejected: bool
    rejected_reason: str
    deactivated_reason: str
    accepted_policy: str
    roles: list[str]
    authentication_methods: list[AuthenticationMethod]
    date_joined: str | None
    moderated_at: str | None
    verified_at: str | None
    auth_token_expires: str | None


class AdminUsersReply(Reply):
    users: list[AdminUser]


class AdminUserReply(Reply):
    user: AdminUser


class Created(Reply):
    id: str
    password: str
    auth_token: str


class CreatedReply(Reply):
    user: Created


class Acted(Reply):
    """The id, and what the action was about."""

    id: str
    is_active: bool = False
    auth_token: str = ""
    has_signed_terms: bool = False
    default_project: str = ""


class ActedReply(Reply):
    user: Acted


class UserCounts(Reply):
    total: int
    active: int


class StatsReply(Reply):
    users: UserCounts


class DetailedStatsReply(Reply):
    """`users`: by provider, and `all`. `resources` alike; amounts are those of projects."""

    datetime: str
    providers: list[str]
    users: dict[str, dict[str, int]]
    resources: dict[str, dict[str, dict[str, Any]]]
