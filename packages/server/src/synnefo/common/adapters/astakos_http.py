"""The identity service and the quota ledger of an Astakos on another host."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import structlog
from django.core.cache.backends.locmem import LocMemCache
from django.utils import timezone

from synnefo.common.adapters.astakos_transport import PUBLIC_DOWN, PUBLIC_UNKNOWN, Transport
from synnefo.common.errors import (
    DependencyUnavailable,
    Forbidden,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Unauthenticated,
)
from synnefo.common.ids import ProjectID, Serial, UserID
from synnefo.common.ports import AccessRule, Caller, CommissionInfo, QuotaUsage, ResolveResult, type_charges
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
KNOWN_CALLERS = 10_000
NAMES_A_CALL = 1000
NAMES_A_QUERY = 50
PAGE = 1000
SERIALS_A_CALL = 1000
T = TypeVar("T")


class RemoteIdentity:
    """Implements `synnefo.common.ports.Identity`.

    Who a good token belongs to is remembered for ASTAKOS_TOKEN_CACHE seconds in this process's memory, under the token's
    hash and never past its end; a refusal never is. A revocation counts everywhere after that time.
    """

    def __init__(self, auth_url: str, service: Transport) -> None:
        self._anyone = Transport(auth_url)
        self._service = service
        self._known = LocMemCache(f"callers:{uuid.uuid4().hex}", {"OPTIONS": {"MAX_ENTRIES": KNOWN_CALLERS}})

    def authenticate(self, token: str, *, client_ip: str | None = None) -> Caller:
        if conf.ASTAKOS_TOKEN_CACHE <= 0:
            return self._ask(token, client_ip)
        key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        found: Caller | None = self._known.get(key)
        if found is None:
            found = self._ask(token, client_ip)
            self._known.set(key, found, timeout=_seconds_to_remember(found))
        return found

    def _ask(self, token: str, client_ip: str | None) -> Caller:
        try:
            answer = self._anyone.identity({"auth": {"token": {"id": token}}}, client_ip=client_ip)
        except InvalidInput as error:
            raise Unauthenticated("Invalid X-Auth-Token") from error
        caller = _understood(lambda: _caller_of_access(answer["access"]))
        if not caller.project_ids:
            raise Forbidden("This token has no project. Ask the identity service for one that is scoped to a project.")
        return caller

    def caller_of(self, user_id: UserID) -> Caller:
        try:
            found = _as_service(lambda: self._service.get(f"service/users/{user_id}"))
        except (NotFound, InvalidInput) as error:
            raise Unauthenticated("Invalid credentials") from error
        return _understood(lambda: Caller(
            UserID(found["user_id"]), found["email"], found["name"], ProjectID(found["project_id"]),
            tuple(ProjectID(item) for item in found["project_ids"]), tuple(found["roles"])))

    def emails_of(self, user_ids: Iterable[UserID]) -> dict[UserID, str]:
        found = self._catalog("uuids", user_ids, "uuid_catalog")
        return {UserID(uuid): email for uuid, email in found.items()}

    def user_ids_of(self, emails: Iterable[str]) -> dict[str, UserID]:
        found = self._catalog("displaynames", emails, "displayname_catalog")
        return {email: UserID(uuid) for email, uuid in found.items()}

    def _catalog(self, field: str, names: Iterable[str], catalog: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for batch in _batches(dict.fromkeys(names), NAMES_A_CALL):
            body = {field: batch}
            answer = _as_service(lambda body=body: self._service.post(  # type: ignore[misc]
                "service/user_catalogs", body, is_repeatable=True, is_read=True))
            found |= _understood(lambda answer=answer: dict(answer[catalog]))  # type: ignore[misc]
        return found


class RemoteQuota:
    """One component's view of the ledger. Implements `synnefo.common.ports.QuotaLedger`."""

    def __init__(self, service: Transport) -> None:
        self._service = service

    def issue(self, user_id: UserID, charges: type_charges, *, request_id: str, name: str = "", force: bool = False,
              auto_accept: bool = False) -> Serial:
        return self.issue_many({user_id: charges}, request_id=request_id, name=name, force=force, auto_accept=auto_accept)

    def issue_many(self, charges: Mapping[UserID, type_charges], *, request_id: str, name: str = "", force: bool = False,
                   auto_accept: bool = False) -> Serial:
        provisions = [line for user, entries in charges.items() for (project, resource), quantity in entries.items()
                      for line in _pair(user, project, resource, quantity)]
        body = {"provisions": provisions, "name": name, "force": force, "auto_accept": auto_accept,
                **({"request_id": request_id} if request_id else {})}
        answer = _as_service(lambda: self._service.post("commissions", body, is_repeatable=bool(request_id)))
        return _understood(lambda: Serial(int(answer["serial"])), has_effect=True)

    def resolve(self, *, accept: Sequence[Serial] = (), reject: Sequence[Serial] = ()) -> ResolveResult:
        """As the port has it. What an earlier, unanswered attempt has settled comes back as failed."""
        both = set(accept) & set(reject)
        result = ResolveResult(failed=tuple(sorted(both)))
        for key, serials in (("accept", accept), ("reject", reject)):
            for batch in _batches([item for item in dict.fromkeys(serials) if item not in both], SERIALS_A_CALL):
                result = _joined(result, self._resolve({key: batch}))
        return result

    def _resolve(self, body: Mapping[str, list[Serial]]) -> ResolveResult:
        answer = _as_service(lambda: self._service.post("commissions/action", body, is_repeatable=True))
        return _understood(lambda: ResolveResult(
            tuple(answer["accepted"]), tuple(answer["rejected"]), tuple(item[0] for item in answer["failed"])), has_effect=True)

    def pending(self) -> list[CommissionInfo]:
        found = _as_service(lambda: self._service.get("commissions", {"detail": "1"}))
        return _understood(lambda: [
            CommissionInfo(Serial(item["serial"]), item["name"], datetime.fromisoformat(item["issue_time"])) for item in found])

    def usages(self, *, user_ids: Sequence[UserID] | None = None,
               project_ids: Sequence[ProjectID] | None = None) -> dict[UserID, dict[ProjectID, dict[str, QuotaUsage]]]:
        found: dict[UserID, dict[ProjectID, dict[str, QuotaUsage]]] = {}
        wanted = None if project_ids is None else set(project_ids)
        for page in self._answers(user_ids, project_ids):
            for user, project, resources in _understood(lambda page=page: _rows(page)):  # type: ignore[misc]
                if wanted is None or project in wanted:
                    found.setdefault(user, {})[project] = resources
        return found

    def _answers(self, user_ids: Sequence[UserID] | None, project_ids: Sequence[ProjectID] | None) -> Iterator[dict[str, Any]]:
        if user_ids is None and project_ids is None:
            yield from self._pages()
            return
        key, names = ("user", user_ids) if user_ids is not None else ("project", project_ids)
        for batch in _batches(dict.fromkeys(str(name) for name in names or ()), NAMES_A_QUERY):
            query = {key: ",".join(batch)}
            with contextlib.suppress(NotFound):
                yield _as_service(lambda query=query: self._service.get("service_quotas", query))  # type: ignore[misc]

    def _pages(self) -> Iterator[dict[str, Any]]:
        marker = ""
        while True:
            query = {"limit": str(PAGE), **({"marker": marker} if marker else {})}
            page = _as_service(lambda query=query: self._service.get("service_quotas", query))  # type: ignore[misc]
            yield page
            if len(page) < PAGE:
                return
            marker = max(page)


def _rows(page: dict[str, Any]) -> list[tuple[UserID, ProjectID, dict[str, QuotaUsage]]]:
    return [(UserID(user), ProjectID(project), {name: QuotaUsage(**usage) for name, usage in resources.items()})
            for user, projects in page.items() for project, resources in projects.items()]


def _pair(user: str, project: str, resource: str, quantity: int) -> list[dict[str, object]]:
    """A charge on the member and the same on his project."""
    source = f"project:{project}"
    return [{"holder": f"user:{user}", "source": source, "resource": resource, "quantity": quantity},
            {"holder": source, "source": None, "resource": resource, "quantity": quantity}]


def _joined(one: ResolveResult, other: ResolveResult) -> ResolveResult:
    return ResolveResult(one.accepted + other.accepted, one.rejected + other.rejected, one.failed + other.failed)


def _seconds_to_remember(caller: Caller) -> float:
    most = float(conf.ASTAKOS_TOKEN_CACHE)
    return most if caller.expires_at is None else min(most, (caller.expires_at - timezone.now()).total_seconds())


def _caller_of_access(access: Any) -> Caller:
    token, user = access["token"], access["user"]
    return Caller(
        user_id=UserID(user["id"]), email=user["username"], name=user["name"] or user["username"],
        project_id=ProjectID(token["tenant"]["id"]), project_ids=tuple(ProjectID(item) for item in user["projects"]),
        roles=tuple(role["name"] for role in user["roles"]), expires_at=datetime.fromisoformat(token["expires"]),
        access_rules=_rules(access.get("application_credential") or {}))


def _rules(credential: dict[str, Any]) -> tuple[AccessRule, ...] | None:
    rules = credential.get("access_rules")
    return None if rules is None else tuple(AccessRule(item["service"], item["method"], item["path"]) for item in rules)


def _as_service(call: Callable[[], Any]) -> Any:
    """A refusal of our own token is our operator's trouble, not the user's."""
    try:
        return call()
    except Unauthenticated as error:
        log.warning("astakos.token.refused", reason=error.public)
        raise DependencyUnavailable(PUBLIC_DOWN, reason="the identity service refuses our component token") from error


def _understood(read: Callable[[], T], *, has_effect: bool = False) -> T:
    """Answers of another shape than agreed are as good as none."""
    try:
        return read()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        kind = OutcomeUnknown if has_effect else DependencyUnavailable
        raise kind(PUBLIC_UNKNOWN if has_effect else PUBLIC_DOWN, reason="malformed answer") from error


def _batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
