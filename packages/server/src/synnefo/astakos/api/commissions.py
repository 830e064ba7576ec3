"""The commission protocol over HTTP. Components only: each sees and settles its own serials."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from synnefo.astakos.api import http
from synnefo.astakos.api.account_replies import CommissionReply, PendingCommission, SerialReply, SettledReply
from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.services import commissions
from synnefo.common.describe import Body, describe, flag
from synnefo.common.errors import InvalidInput, NotFound
from synnefo.common.ids import Serial

MAX_SERIALS = 10_000


class ProvisionRequest(BaseModel):
    """How much on which holding; `source` is null for a project's own."""

    holder: StrictStr
    source: StrictStr | None
    resource: StrictStr
    quantity: StrictInt


class IssueRequest(BaseModel):
    """The body of POST commissions."""

    provisions: Annotated[list[ProvisionRequest], Field(max_length=ledger.MAX_PROVISIONS)]
    name: StrictStr = ""
    force: StrictBool = False
    auto_accept: StrictBool = False
    unbalanced: StrictBool = False
    request_id: Annotated[StrictStr, Field(min_length=1, max_length=64)] | None = None


class ResolveRequest(BaseModel):
    """The body of POST commissions/action."""

    accept: Annotated[list[StrictInt], Field(max_length=MAX_SERIALS)] = []
    reject: Annotated[list[StrictInt], Field(max_length=MAX_SERIALS)] = []


class SettleRequest(Body):
    """The body of POST commissions/SERIAL/action: one of the two; its value means nothing."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["accept"]}, {"required": ["reject"]}]})
    accept: Any = None
    reject: Any = None


@describe("List the service's commissions that wait for a decision", auth="component", reply=list[int] | list[PendingCommission],
          query={"detail": flag("With names and times")})
def list_commissions(request: HttpRequest) -> HttpResponse:
    """GET commissions: serials of the component that wait for a decision, ascending; with `detail=1` also their names
    and times.
    """
    found = ledger.pending(http.require_component(request).name)
    if request.GET.get("detail") == "1":
        return JsonResponse([{"serial": info.serial, "name": info.name, "issue_time": info.issued_at.isoformat()} for info in found],
                            safe=False)
    return JsonResponse([info.serial for info in found], safe=False)


@describe("Issue a commission", auth="component", body=IssueRequest, reply=SerialReply, status=201, errors=(404, 409),
          headers={"Idempotency-Key": "As request_id of the body"})
def issue(request: HttpRequest) -> HttpResponse:
    """POST commissions: 201 and the serial. A repeated request id (in the body or as Idempotency-Key) gets the first one's."""
    component = http.require_component(request)
    wanted = http.parse(IssueRequest, http.json_body(request))
    charges = [ledger.Charge(item.holder, item.source or "", item.resource, item.quantity) for item in wanted.provisions]
    serial = commissions.issue(
        component.name, charges, name=wanted.name, force=wanted.force, auto_accept=wanted.auto_accept,
        is_unbalanced=wanted.unbalanced, request_id=wanted.request_id or _idempotency_key(request))
    return http.json_reply({"serial": serial}, status=201)


def _idempotency_key(request: HttpRequest) -> str | None:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > 64 or not key.isprintable():
        raise InvalidInput("Idempotency-Key has at most 64 printable characters.")
    return key or None


@describe("Show a commission that waits for a decision", auth="component", reply=CommissionReply, errors=(400, 404))
def show(request: HttpRequest, serial: str) -> HttpResponse:
    """GET commissions/SERIAL: a pending commission of the component."""
    component = http.require_component(request)
    commission, provisions = ledger.get_commission(component.name, _serial(serial))
    return http.json_reply({
        "serial": commission.pk, "issue_time": commission.issued_at.isoformat(), "name": commission.name,
        "provisions": [{"holder": item.holder, "source": item.source or None, "resource": item.resource, "quantity": item.quantity}
                       for item in provisions],
    })


@describe("Accept or reject a commission", auth="component", body=SettleRequest, errors=(404,))
def settle(request: HttpRequest, serial: str) -> HttpResponse:
    """POST commissions/SERIAL/action: `{"accept": ""}` or `{"reject": ""}`."""
    component = http.require_component(request)
    number = Serial(_serial(serial))
    body = http.json_body(request)
    if ("accept" in body) == ("reject" in body):
        raise InvalidInput("Say either accept or reject.")
    result = ledger.resolve(component.name, **{"accept" if "accept" in body else "reject": [number]})
    if result.failed:
        raise NotFound(f"There is no pending commission {number}.")
    return HttpResponse(content_type="application/json")


@describe("Accept and reject commissions", auth="component", body=ResolveRequest, reply=SettledReply)
def settle_many(request: HttpRequest) -> HttpResponse:
    """POST commissions/action: settle lists of serials; what cannot be settled is named with its reason."""
    component = http.require_component(request)
    wanted = http.parse(ResolveRequest, http.json_body(request))
    both = set(wanted.accept) & set(wanted.reject)
    result = ledger.resolve(component.name, accept=[Serial(item) for item in wanted.accept], reject=[Serial(item) for item in wanted.reject])
    failed = [[serial, _refusal(serial, is_contradictory=serial in both)] for serial in result.failed]
    return http.json_reply({"accepted": list(result.accepted), "rejected": list(result.rejected), "failed": failed})


def _refusal(serial: int, *, is_contradictory: bool) -> dict[str, Any]:
    if is_contradictory:
        return {"badRequest": {"code": 400, "message": f"Commission {serial} cannot be both accepted and rejected."}}
    return {"itemNotFound": {"code": 404, "message": f"There is no pending commission {serial}."}}


def _serial(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise InvalidInput("A serial is a number.", field="serial")
    return int(text) if len(text) < 20 else 0
