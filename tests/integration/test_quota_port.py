"""One contract for the ledger and the identity service as other services see them: in this process, and over HTTP."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.utils import timezone

import synnefo
from synnefo.astakos.adapters.identity import LocalIdentity
from synnefo.astakos.adapters.quota import DirectQuota
from synnefo.astakos.models import ApiToken, User
from synnefo.astakos.quotaholder.models import Commission, Holding
from synnefo.astakos.services import components, registry
from synnefo.common.adapters import astakos_transport
from synnefo.common.adapters.astakos_http import RemoteIdentity, RemoteQuota
from synnefo.common.adapters.astakos_transport import Transport
from synnefo.common.errors import (
    AlreadyExists,
    DependencyUnavailable,
    NotFound,
    OutcomeUnknown,
    QuotaExceeded,
    Unauthenticated,
)
from synnefo.common.ids import ProjectID, Serial, UserID
from synnefo.common.ports import Identity, QuotaLedger
from tests.support.quota import assert_balanced, resource, user

pytestmark = pytest.mark.django_db(transaction=True)
VM = "cyclades.vm"
Act = Callable[[httpx.Request], None]


class Line(httpx.HTTPTransport):
    """A real connection that can be cut: `before` and `after` see each request and may raise."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Act = lambda request: None
        self.after: Act = lambda request: None
        self.calls: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request.url.path.rsplit("v1.0/", 1)[-1])
        self.before(request)
        response = super().handle_request(request)
        response.read()
        self.after(request)
        return response


class Away:
    """An Astakos on another host, and the line to it."""

    def __init__(self, url: str) -> None:
        self.auth_url = f"{url}/astakos/identity/v2.0"
        components.add_component("astakos", base_url=f"{url}/astakos")
        definition = {"component": "astakos", "type": "account", "endpoints": [{"versionId": "v1.0", "publicURL": f"{url}/astakos/account/v1.0"}]}
        registry.import_services({"astakos_account": definition})
        self.line = Line()
        self.token = components.add_component("cyclades")[1]
        self.service = Transport(self.auth_url, self.token, transport=self.line)
        self.quota = RemoteQuota(self.service)
        self.identity = RemoteIdentity(self.auth_url, self.service)


@pytest.fixture
def away(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Away:
    monkeypatch.setattr(astakos_transport, "FIRST_PAUSE_S", 0.001)
    return Away(live_server.url)


@pytest.fixture(params=["direct", "http"])
def ledger(request: pytest.FixtureRequest) -> QuotaLedger:
    found: QuotaLedger = request.getfixturevalue("away").quota if request.param == "http" else DirectQuota("cyclades")
    resource(VM)
    resource("cyclades.ram")
    return found


@pytest.fixture(params=["direct", "http"])
def identity(request: pytest.FixtureRequest) -> Identity:
    return request.getfixturevalue("away").identity if request.param == "http" else LocalIdentity()


def _user(email: str = "ann@example.org", limit: int = 5) -> tuple[UserID, ProjectID]:
    uuid, _ = user(email)
    Holding.objects.filter(resource=VM).update(limit=limit)
    return UserID(uuid), ProjectID(uuid)


def _usage(uuid: str) -> tuple[int, int]:
    """(usage_min, usage_max) of the member holding, which the project holding must equal."""
    rows = set(Holding.objects.filter(resource=VM, holder__in=[f"user:{uuid}", f"project:{uuid}"]).values_list("usage_min", "usage_max"))
    assert len(rows) == 1
    return rows.pop()


def test_issue_and_resolve(ledger: QuotaLedger) -> None:
    ann, project = _user()
    first = ledger.issue(ann, {(project, VM): 2}, request_id="1", name="create")
    second = ledger.issue(ann, {(project, VM): 1}, request_id="2")
    third = ledger.issue(ann, {(project, VM): 1}, request_id="3", auto_accept=True)
    assert _usage(ann) == (1, 4)
    pending = ledger.pending()
    assert [(item.serial, item.name) for item in pending] == [(first, "create"), (second, "")]
    assert pending[0].issued_at.tzinfo is not None
    result = ledger.resolve(accept=[first, third], reject=[second, Serial(10**12)])
    assert (result.accepted, result.rejected, set(result.failed)) == ((first,), (second,), {third, 10**12})
    assert _usage(ann) == (3, 3)
    assert ledger.resolve(accept=[first]).failed == (first,)
    assert ledger.pending() == []
    assert_balanced()


def test_over_the_limit(ledger: QuotaLedger) -> None:
    ann, project = _user()
    with pytest.raises(QuotaExceeded) as refusal:
        ledger.issue(ann, {(project, VM): 6}, request_id="1")
    assert refusal.value.public == (
        f"Quota exceeded: 6 of {VM} asked for, 5 of 5 left in the user's own project. Delete something, or ask for more.")
    assert refusal.value.data is not None
    assert (refusal.value.data["limit"], refusal.value.data["usage"], refusal.value.data["level"]) == (5, 0, "member")
    assert _usage(ann) == (0, 0)
    ledger.issue(ann, {(project, VM): 6}, request_id="2", force=True, auto_accept=True)
    with pytest.raises(QuotaExceeded):
        ledger.issue(ann, {(project, VM): -7}, request_id="3", force=True)
    assert _usage(ann) == (6, 6)


def test_unknown_projects_and_resources(ledger: QuotaLedger) -> None:
    ann, project = _user()
    for charges in ({(ProjectID("nowhere"), VM): 1}, {(project, "cyclades.moon"): 1}):
        with pytest.raises(NotFound) as refusal:
            ledger.issue(ann, charges, request_id="1")
        assert refusal.value.data is not None
        assert refusal.value.data["name"] == "NoHoldingError"


def test_a_repeated_request(ledger: QuotaLedger) -> None:
    ann, project = _user()
    first = ledger.issue(ann, {(project, VM): 5}, request_id="1", auto_accept=True)
    assert ledger.issue(ann, {(project, VM): 5}, request_id="1", auto_accept=True) == first
    with pytest.raises(AlreadyExists):
        ledger.issue(ann, {(project, VM): 1}, request_id="1", auto_accept=True)
    assert _usage(ann) == (5, 5)


def test_one_commission_for_several_users(ledger: QuotaLedger) -> None:
    (ann, anns), (bob, bobs) = _user(), _user("bob@example.org")
    ledger.issue_many({ann: {(anns, VM): 2}, bob: {(bobs, VM): 3}}, request_id="1", auto_accept=True)
    assert (_usage(ann), _usage(bob)) == ((2, 2), (3, 3))
    with pytest.raises(QuotaExceeded):
        ledger.issue_many({ann: {(anns, VM): -2}, bob: {(bobs, VM): 3}}, request_id="2")
    assert (_usage(ann), _usage(bob)) == ((2, 2), (3, 3))


def test_usages(ledger: QuotaLedger) -> None:
    (ann, anns), (bob, bobs) = _user(), _user("bob@example.org")
    ledger.issue(ann, {(anns, VM): 2}, request_id="1")
    everybody = ledger.usages()
    assert set(everybody) == {ann, bob}
    assert set(everybody[ann][anns]) == {VM, "cyclades.ram"}
    usage = everybody[ann][anns][VM]
    assert (usage.limit, usage.usage, usage.pending, usage.project_limit, usage.project_usage, usage.project_pending) == (5, 2, 2, 5, 2, 2)
    assert ledger.usages(user_ids=[ann]) == {ann: everybody[ann]}
    assert ledger.usages(project_ids=[bobs]) == {bob: everybody[bob]}
    assert ledger.usages(user_ids=[ann], project_ids=[bobs]) == {}
    assert ledger.usages(user_ids=[UserID("nobody")]) == {}
    assert ledger.usages(user_ids=[]) == {}


def test_who_a_token_stands_for(identity: Identity, settings_override: Any) -> None:
    uuid, token = user("ann@example.org", first_name="Ann", is_admin=True)
    caller = identity.authenticate(token, client_ip="192.0.2.7")
    assert (caller.user_id, caller.email, caller.name, caller.project_id, caller.project_ids) == (
        uuid, "ann@example.org", "Ann", uuid, (uuid,))
    assert caller.is_admin
    assert caller.expires_at is not None
    named = identity.caller_of(UserID(uuid))
    assert (named.user_id, named.project_ids, named.roles, named.expires_at) == (uuid, (uuid,), caller.roles, None)
    for wrong in ("x" * 40, "", token[:-1], "y" * 5000):
        with pytest.raises(Unauthenticated):
            identity.authenticate(wrong)
    settings_override(ASTAKOS_TOKEN_CACHE=0)
    User.objects.update(is_active=False)
    with pytest.raises(Unauthenticated):
        identity.authenticate(token)
    for user_id in (uuid, "nobody", "0" * 36):
        with pytest.raises(Unauthenticated):
            identity.caller_of(UserID(user_id))


def test_a_good_token_is_remembered_for_a_while(away: Away, settings_override: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _counted(away, monkeypatch)
    _, token = user("ann@example.org")
    first = away.identity.authenticate(token)
    assert (away.identity.authenticate(token), len(asked)) == (first, 1)
    User.objects.update(is_active=False)
    assert away.identity.authenticate(token) == first
    away.identity._known.clear()  # as time does
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            away.identity.authenticate(token)
    assert len(asked) == 3, "a refusal was remembered"
    User.objects.update(is_active=True)
    assert away.identity.authenticate(token) == first
    assert token not in str(list(away.identity._known._cache))
    settings_override(ASTAKOS_TOKEN_CACHE=0)
    away.identity.authenticate(token)
    assert len(asked) == 5


def test_a_token_is_never_remembered_past_its_end(away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _counted(away, monkeypatch)
    _, token = user("ann@example.org")
    ApiToken.objects.update(expires_at=timezone.now() + datetime.timedelta(seconds=0.6))
    away.identity.authenticate(token)
    time.sleep(0.7)
    with pytest.raises(Unauthenticated):
        away.identity.authenticate(token)
    assert len(asked) == 2


def _counted(away: Away, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that ask about a token, as they are made."""
    made: list[str] = []
    ask = away.identity._ask
    monkeypatch.setattr(away.identity, "_ask", lambda token, client_ip: made.append(token) or ask(token, client_ip))
    return made


def test_names_of_users(identity: Identity) -> None:
    ann, bob = UserID(user("ann@example.org")[0]), UserID(user("bob@example.org")[0])
    assert identity.emails_of([ann, bob, UserID("nobody")]) == {ann: "ann@example.org", bob: "bob@example.org"}
    assert identity.user_ids_of(["Ann@Example.org", "nobody@example.org"]) == {"Ann@Example.org": ann}
    assert identity.emails_of([]) == {}


# Over HTTP only: the line is cut -------------------------------------------------------------------------------------


def _fail_on(path: str, times: int, error: Exception) -> Act:
    left = [times]

    def act(request: httpx.Request) -> None:
        if request.url.path.endswith(path) and left[0] > 0:
            left[0] -= 1
            raise error

    return act


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_lost_answer_is_asked_for_again_and_charges_once(away: Away, side: str) -> None:
    resource(VM)
    ann, project = _user()
    setattr(away.line, side, _fail_on("/commissions", 2, httpx.ReadError("cut")))
    serial = away.quota.issue(ann, {(project, VM): 5}, request_id="1")
    assert away.line.calls.count("commissions") == 3
    assert _usage(ann) == (0, 5)
    assert [item.serial for item in away.quota.pending()] == [serial]


def test_an_issue_that_may_have_arrived_is_unknown(away: Away) -> None:
    resource(VM)
    ann, project = _user()
    away.line.after = _fail_on("/commissions", 9, httpx.ReadTimeout("slow"))
    with pytest.raises(OutcomeUnknown):
        away.quota.issue(ann, {(project, VM): 1}, request_id="1")
    assert away.line.calls.count("commissions") == astakos_transport.ATTEMPTS
    assert Commission.objects.count() == 1
    away.line.after = lambda request: None
    assert away.quota.issue(ann, {(project, VM): 1}, request_id="1") == Commission.objects.get().pk
    assert _usage(ann) == (0, 1)


def test_an_issue_that_never_arrived_is_down(away: Away) -> None:
    resource(VM)
    ann, project = _user()
    away.line.before = _fail_on("/commissions", 9, httpx.ConnectError("refused"))
    with pytest.raises(DependencyUnavailable) as failure:
        away.quota.issue(ann, {(project, VM): 1}, request_id="1")
    assert not isinstance(failure.value, OutcomeUnknown)
    assert Commission.objects.count() == 0


def test_an_issue_without_request_id_is_sent_once(away: Away) -> None:
    resource(VM)
    ann, project = _user()
    away.line.after = _fail_on("/commissions", 1, httpx.ReadError("cut"))
    with pytest.raises(OutcomeUnknown):
        away.quota.issue(ann, {(project, VM): 1}, request_id="")
    assert away.line.calls.count("commissions") == 1


def test_refusals_are_not_asked_again(away: Away) -> None:
    resource(VM)
    ann, project = _user()
    with pytest.raises(QuotaExceeded):
        away.quota.issue(ann, {(project, VM): 9}, request_id="1")
    assert away.line.calls.count("commissions") == 1


def test_our_own_wrong_token_is_no_fault_of_the_user(away: Away) -> None:
    quota = RemoteQuota(Transport(away.auth_url, "z" * 40))
    with pytest.raises(DependencyUnavailable):
        quota.pending()
    with pytest.raises(DependencyUnavailable):
        RemoteIdentity(away.auth_url, Transport(away.auth_url, "z" * 40)).emails_of([UserID("x")])


def test_nobody_listens(away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Transport("http://127.0.0.1:1/identity/v3")
    with pytest.raises(DependencyUnavailable):
        RemoteIdentity("http://127.0.0.1:1/identity", nowhere).authenticate("x" * 40)
    with pytest.raises(DependencyUnavailable):
        RemoteQuota(nowhere).pending()


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (404, b"<html>"), (302, b""), (403, b"{}"), (200, b"[]"), (200, b'{"serial": "x"}')])
def test_answers_of_a_stranger(away: Away, status: int, body: bytes) -> None:
    """A proxy's page or another server's answer is never taken for Astakos' word."""
    ann, project = UserID("x"), ProjectID("x")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/tokens"):
            return httpx.Response(200, json={"access": {"serviceCatalog": [{"type": "account", "endpoints": [{"publicURL": "http://h/v1.0"}]}]}})
        return httpx.Response(status, content=body)

    quota = RemoteQuota(Transport("http://h", transport=httpx.MockTransport(answer)))
    with pytest.raises(DependencyUnavailable) as failure:
        quota.issue(ann, {(project, VM): 1}, request_id="1")
    assert isinstance(failure.value, OutcomeUnknown) == (status == 200)
    with pytest.raises(DependencyUnavailable):
        quota.usages(user_ids=[ann])


def test_large_answers_come_in_pages(away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synnefo.common.adapters.astakos_http.PAGE", 2)
    resource(VM)
    uuids = {user(f"user{number}@example.org")[0] for number in range(5)}
    assert set(away.quota.usages()) == uuids
    assert away.line.calls.count("service_quotas") == 3


OTHER_HOST = """
import json, sys
import django
django.setup()
from django.core.management import call_command
from django.test import Client
from synnefo.common import ports
call_command("migrate", verbosity=0)
token, uuid = sys.argv[1:]
answers = [Client().get("/cyclades/network/v2.0/networks", headers={"X-Auth-Token": item}).status_code for item in (token, "x" * 40)]
serial = ports.quota("cyclades").issue(uuid, {(uuid, "cyclades.vm"): 2}, request_id="1")
result = ports.quota("cyclades").resolve(accept=[serial])
print(json.dumps({"answers": answers, "accepted": list(result.accepted) == [serial], "mail": ports.identity().emails_of([uuid])[uuid]}))
"""


def test_a_service_with_a_database_of_its_own(away: Away, tmp_path: Path) -> None:
    """Cyclades alone in another process: it has neither users nor holdings, and works by HTTP."""
    resource(VM)
    uuid, token = user("ann@example.org")
    environment = {**os.environ, "SYNNEFO_SYNNEFO_SERVICES": '["cyclades"]', "SYNNEFO_DATABASE_URL": f"sqlite:///{tmp_path}/cyclades.sqlite3",
                   "SYNNEFO_ASTAKOS_AUTH_URL": away.auth_url, "SYNNEFO_CYCLADES_SERVICE_TOKEN": away.token,
                   "PYTHONPATH": str(Path(synnefo.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", OTHER_HOST, token, uuid], env=environment, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"answers": [200, 401], "accepted": True, "mail": "ann@example.org"}
    assert _usage(uuid) == (2, 2)
