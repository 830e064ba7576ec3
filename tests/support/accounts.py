"""Small stand-ins for the identity service and the quota ledger, for tests of one service alone."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from synnefo.common import ports
from synnefo.common.errors import NotFound, QuotaExceeded, Unauthenticated
from synnefo.common.ids import ProjectID, Serial, UserID
from synnefo.common.ports import Caller, CommissionInfo, QuotaUsage, ResolveResult


def caller(name: str, *projects: str) -> Caller:
    """A user whose uuid, token and own project all are `name`."""
    own = (ProjectID(name), *(ProjectID(project) for project in projects))
    return Caller(UserID(name), f"{name}@example.org", name, own[0], own)


class KnownUsers:
    """An identity service that knows the callers it was given; a caller's token is his name."""

    def __init__(self, *callers: Caller) -> None:
        self.callers = {known.user_id: known for known in callers}

    def authenticate(self, token: str, *, client_ip: str | None = None) -> Caller:
        return self.caller_of(UserID(token))

    def caller_of(self, user_id: UserID) -> Caller:
        if user_id not in self.callers:
            raise Unauthenticated("Access denied.")
        return self.callers[user_id]

    def emails_of(self, user_ids: Iterable[UserID]) -> dict[UserID, str]:
        return {key: self.callers[key].email for key in user_ids if key in self.callers}

    def user_ids_of(self, emails: Iterable[str]) -> dict[str, UserID]:
        return {f"{key}@example.org": key for key in self.callers if f"{key}@example.org" in set(emails)}


class MemoryLedger:
    """Two-phase commissions in memory: per (user, project, resource) a usage, under one limit for all resources."""

    def __init__(self, identity: KnownUsers, limit: int = 1000) -> None:
        self.identity, self.limit = identity, limit
        self.usage: dict[tuple[str, str, str], int] = {}
        self.open: dict[int, dict[tuple[str, str, str], int]] = {}
        self._by_request: dict[str, Serial] = {}
        self._last = 0
        self._lock = threading.Lock()

    def issue(
        self, user_id: UserID, charges: Mapping[tuple[ProjectID, str], int], *, request_id: str, name: str = "",
        force: bool = False, auto_accept: bool = False,
    ) -> Serial:
        return self.issue_many({user_id: charges}, request_id=request_id, name=name, force=force, auto_accept=auto_accept)

    def issue_many(
        self, charges: Mapping[UserID, Mapping[tuple[ProjectID, str], int]], *, request_id: str, name: str = "",
        force: bool = False, auto_accept: bool = False,
    ) -> Serial:
        with self._lock:
            if request_id in self._by_request:
                return self._by_request[request_id]
            wanted: dict[tuple[str, str, str], int] = {(user, project, resource): count
                      for user, entries in charges.items() for (project, resource), count in entries.items()}
            for (user, project, resource), count in wanted.items():
                if project not in self.identity.caller_of(UserID(user)).project_ids:
                    raise NotFound(f"No holding of {user} in {project}")
                pending = sum(entries.get((user, project, resource), 0) for entries in self.open.values())
                used = self.usage.get((user, project, resource), 0) + max(pending, 0)
                if count > 0 and not force and used + count > self.limit:
                    raise QuotaExceeded(f"Limit of {resource} reached", details=f"limit {self.limit}, usage {used}")
            self._last += 1
            serial = Serial(self._last)
            self.open[serial] = wanted
            self._by_request[request_id] = serial
            if auto_accept:
                self._settle(serial, accept=True)
            return serial

    def resolve(self, *, accept: Sequence[Serial] = (), reject: Sequence[Serial] = ()) -> ResolveResult:
        with self._lock:
            accepted = tuple(serial for serial in accept if self._settle(serial, accept=True))
            rejected = tuple(serial for serial in reject if self._settle(serial, accept=False))
            done = {*accepted, *rejected}
            return ResolveResult(accepted, rejected, tuple(s for s in (*accept, *reject) if s not in done))

    def _settle(self, serial: Serial, *, accept: bool) -> bool:
        entries = self.open.pop(serial, None)
        for key, count in (entries or {}).items() if accept else ():
            self.usage[key] = self.usage.get(key, 0) + count
        return entries is not None

    def pending(self) -> list[CommissionInfo]:
        return [CommissionInfo(Serial(serial), "", datetime.now(UTC)) for serial in self.open]

    def usages(
        self, *, user_ids: Sequence[UserID] | None = None, project_ids: Sequence[ProjectID] | None = None
    ) -> dict[UserID, dict[ProjectID, dict[str, QuotaUsage]]]:
        answer: dict[UserID, dict[ProjectID, dict[str, QuotaUsage]]] = {}
        for user, known in self.identity.callers.items():
            for project in known.project_ids:
                for resource in ("cyclades.network.private", "cyclades.floating_ip"):
                    used = self.usage.get((user, project, resource), 0)
                    answer.setdefault(user, {}).setdefault(project, {})[resource] = QuotaUsage(
                        self.limit, used, 0, self.limit, used, 0)
        return answer

    def used(self, user: str, resource: str, project: str | None = None) -> int:
        return self.usage.get((user, project or user, resource), 0)


def provide(*callers: Caller, limit: int = 1000) -> MemoryLedger:
    """Plug the stand-ins in. Put back what was there with `restore`."""
    identity = KnownUsers(*callers)
    ledger = MemoryLedger(identity, limit)
    ports.provide("identity", identity)
    ports.provide("quota:cyclades", ledger)
    return ledger
