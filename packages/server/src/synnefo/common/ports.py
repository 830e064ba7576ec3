"""What the services ask of each other, as protocols, and the one place where the answers are plugged in.

In one process `synnefo.project.wiring` provides direct adapters; on separate hosts it provides HTTP clients. A service
never imports another: it calls `identity()`, `quota()` or `object_store()` and gets whichever was wired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from synnefo.common.ids import ProjectID, Serial, UserID

INFINITE = 2**63 - 1


class AccessRule(NamedTuple):
    """A call that a token is good for: a service type, a method and a path below the service's root."""

    service: str
    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request: the answer of the identity service to a token or a session."""

    user_id: UserID
    email: str
    name: str
    project_id: ProjectID
    """The project that pays when the request names none (the token's scope, else the user's default)."""
    project_ids: tuple[ProjectID, ...] = ()
    """Projects with an accepted membership, the user's own system project included."""
    roles: tuple[str, ...] = ()
    expires_at: datetime | None = None
    access_rules: tuple[AccessRule, ...] | None = None
    """The only calls that the token is good for; None is no limit."""

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles


class Identity(Protocol):
    """Astakos, as other services see it."""

    def authenticate(self, token: str, *, client_ip: str | None = None) -> Caller:
        """Raises `Unauthenticated` for an unknown, expired or revoked token, `DependencyUnavailable` when unsure."""

    def caller_of(self, user_id: UserID) -> Caller:
        """The caller behind an already authenticated session. Raises `Unauthenticated` when the account is closed."""

    def emails_of(self, user_ids: Iterable[UserID]) -> dict[UserID, str]:
        """Known users only; one query or call for all."""

    def user_ids_of(self, emails: Iterable[str]) -> dict[str, UserID]:
        """Known e-mails only, case-insensitive; one query or call for all."""


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """One member holding beside its project holding, in base units (bytes or counts)."""

    limit: int
    usage: int
    pending: int
    project_limit: int
    project_usage: int
    project_pending: int


@dataclass(frozen=True, slots=True)
class CommissionInfo:
    serial: Serial
    name: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class ResolveResult:
    """What became of serials: a serial in `failed` was unknown, already resolved, foreign or contradictory."""

    accepted: tuple[Serial, ...] = ()
    rejected: tuple[Serial, ...] = ()
    failed: tuple[Serial, ...] = ()


type_charges = Mapping[tuple[ProjectID, str], int]
"""{(project, resource): quantity}; positive charges, negative releases."""


class QuotaLedger(Protocol):
    """Two-phase commissions (issue, then accept or reject). Never call inside a database transaction."""

    def issue(
        self,
        user_id: UserID,
        charges: type_charges,
        *,
        request_id: str,
        name: str = "",
        force: bool = False,
        auto_accept: bool = False,
    ) -> Serial:
        """Charge each entry to the member's holding and to its project's. Repeating a `request_id` returns the first
        serial without charging again. Raises `QuotaExceeded`, `NotFound` (no such holding), `DependencyUnavailable`,
        `OutcomeUnknown`.
        """

    def issue_many(
        self,
        charges: Mapping[UserID, type_charges],
        *,
        request_id: str,
        name: str = "",
        force: bool = False,
        auto_accept: bool = False,
    ) -> Serial:
        """As `issue`, for several users in one commission."""

    def resolve(self, *, accept: Sequence[Serial] = (), reject: Sequence[Serial] = ()) -> ResolveResult:
        """Settle serials. Never fails for capacity; repeating is safe (already resolved ones come back as failed)."""

    def pending(self) -> list[CommissionInfo]:
        """This component's unresolved commissions, oldest first."""

    def usages(
        self, *, user_ids: Sequence[UserID] | None = None, project_ids: Sequence[ProjectID] | None = None
    ) -> dict[UserID, dict[ProjectID, dict[str, QuotaUsage]]]:
        """Holdings of this component's resources, for `reconcile-resources-*` and quota displays."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A Pithos object as the image service needs it."""

    uuid: str
    account: str
    container: str
    name: str
    version: int
    size_bytes: int
    mapfile: str
    """Name of the object's block map, empty when there is no content."""
    content_type: str
    modified_at: datetime
    created_at: datetime
    is_public: bool
    meta: Mapping[str, str] = field(default_factory=dict)
    """Metadata of the domain asked for."""
    permissions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """{"read": (...), "write": (...)}, for the owner only."""
    available: bool = True

    @property
    def location(self) -> str:
        return f"pithos://{self.account}/{self.container}/{self.name}"


class ObjectStore(Protocol):
    """Pithos, as the image service sees it. `domain` is a metadata domain, invisible to the object-store API."""

    def get_object(self, caller: Caller, account: str, container: str, name: str, *, domain: str) -> StoredObject:
        """Raises `NotFound` when absent or not readable by the caller."""

    def get_object_by_uuid(
        self, caller: Caller, uuid: str, *, domain: str, version: int | None = None, check_permissions: bool = True
    ) -> StoredObject:
        """Raises `NotFound`."""

    def list_objects_in_domain(self, caller: Caller, *, domain: str) -> Iterator[StoredObject]:
        """Objects carrying metadata in the domain that the caller owns, that are shared with him, or that are public
        in the domain's sense. Few queries, streamed.
        """

    def update_meta(
        self, caller: Caller, account: str, container: str, name: str, *, domain: str, meta: Mapping[str, str | None],
        replace: bool = False,
    ) -> StoredObject:
        """Set keys, remove those with None. Owner or writer only."""

    def set_readers(self, caller: Caller, account: str, container: str, name: str, readers: Sequence[str]) -> None:
        """Replace the read permission ("*" is everybody). Owner only."""

    def read(self, mapfile: str, size_bytes: int) -> Iterator[bytes]:
        """The content of a map, a block at a time."""

    def read_block_hashes(self, mapfile: str, size_bytes: int) -> Sequence[str]:
        """Hex block hashes of a map."""


_providers: dict[str, Any] = {}


def provide(name: str, implementation: object) -> None:
    """Plug in an implementation: "identity", "quota:cyclades", "quota:pithos" or "object_store"."""
    _providers[name] = implementation


def _get(name: str) -> Any:
    if name not in _providers:
        raise RuntimeError(f"no provider for the port {name!r}: is its service enabled or its URL configured?")
    return _providers[name]


def identity() -> Identity:
    return _get("identity")  # type: ignore[no-any-return]


def quota(component: str) -> QuotaLedger:
    """The ledger as `component` ("cyclades", "pithos", "astakos") sees it: its serials, its resources."""
    return _get(f"quota:{component}")  # type: ignore[no-any-return]


def object_store() -> ObjectStore:
    return _get("object_store")  # type: ignore[no-any-return]
