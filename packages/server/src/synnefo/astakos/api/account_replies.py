"""The shapes of what the account API answers, for its description."""

from __future__ import annotations

from synnefo.common.describe import Reply


class AuthenticateReply(Reply):
    """Times are milliseconds since 1970."""

    id: int
    username: str
    displayname: str
    uuid: str
    uniq: str
    email: list[str]
    name: str
    groups: list[str]
    auth_token: str
    auth_token_created: int
    auth_token_expires: int


class CatalogsReply(Reply):
    uuid_catalog: dict[str, str]
    displayname_catalog: dict[str, str]


class AuthProvider(Reply):
    module: str
    identifier: str
    last_login: str | None


class AccountReply(Reply):
    uuid: str
    email: str
    first_name: str
    last_name: str
    affiliation: str
    groups: list[str]
    default_project: str
    email_verified: bool
    has_signed_terms: bool
    token_expires: str
    auth_providers: list[AuthProvider]
    two_factor: bool


class ShownToken(Reply):
    id: int
    name: str
    kind: str
    prefix: str
    project_id: str | None
    roles: list[str] | None
    created: str
    expires: str
    last_used_at: str | None
    last_used_ip: str | None


class TokensReply(Reply):
    tokens: list[ShownToken]


class NewToken(ShownToken):
    value: str


class NewTokenReply(Reply):
    token: NewToken


class CallerReply(Reply):
    user_id: str
    email: str
    name: str
    project_id: str
    project_ids: list[str]
    roles: list[str]


class Resource(Reply):
    unit: str | None
    description: str
    service: str
    ui_visible: bool
    api_visible: bool
    allow_in_projects: bool


class Usage(Reply):
    """Of one user in one project, and of the whole project."""

    limit: int
    usage: int
    pending: int
    project_limit: int
    project_usage: int
    project_pending: int


class ProjectUsage(Reply):
    project_limit: int
    project_usage: int
    project_pending: int


class MemberUsage(Reply):
    limit: int
    usage: int
    pending: int


type_members = dict[str, dict[str, MemberUsage]]


class PendingCommission(Reply):
    serial: int
    name: str
    issue_time: str


class SerialReply(Reply):
    serial: int


class Provision(Reply):
    holder: str
    source: str | None
    resource: str
    quantity: int


class CommissionReply(PendingCommission):
    provisions: list[Provision]


class Refusal(Reply):
    code: int
    message: str


class SettledReply(Reply):
    """`failed` names serials with the fault of each."""

    accepted: list[int]
    rejected: list[int]
    failed: list[tuple[int, dict[str, Refusal]]]
