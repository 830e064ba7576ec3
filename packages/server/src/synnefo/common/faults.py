"""The one place that knows which error becomes which HTTP fault.

`FAULTS` maps each kind of `DomainError` to its fault name and status, as the API guides define them. A dialect turns a
fault into a response body: the Synnefo/OpenStack envelope, Keystone v3, Neutron, or plain text for Swift. Views are
wrapped with `guarded`, which logs unknown exceptions once.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Callable
from typing import Any, NamedTuple

import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from synnefo.common import errors
from synnefo.common.db import is_conflict

log = structlog.get_logger(__name__)


class Fault(NamedTuple):
    name: str
    status: int


FAULTS: dict[type[errors.DomainError], Fault] = {
    errors.InvalidInput: Fault("badRequest", 400),
    errors.Unauthenticated: Fault("unauthorized", 401),
    errors.Forbidden: Fault("forbidden", 403),
    errors.NotFound: Fault("itemNotFound", 404),
    errors.FeatureNotEnabled: Fault("featureNotEnabled", 404),
    errors.MethodNotAllowed: Fault("notAllowed", 405),
    errors.StateConflict: Fault("conflict", 409),
    errors.Busy: Fault("buildInProgress", 409),
    errors.AlreadyExists: Fault("conflict", 409),
    errors.LengthRequired: Fault("lengthRequired", 411),
    errors.PreconditionFailed: Fault("preconditionFailed", 412),
    errors.QuotaExceeded: Fault("overLimit", 413),
    errors.RequestTooLarge: Fault("overLimit", 413),
    errors.UnsupportedMediaType: Fault("badMediaType", 415),
    errors.RangeNotSatisfiable: Fault("rangeNotSatisfiable", 416),
    errors.UnprocessableEntity: Fault("unprocessableEntity", 422),
    errors.RateLimited: Fault("overLimit", 429),
    errors.BrokenInvariant: Fault("internalServerError", 500),
    errors.NotSupported: Fault("notImplemented", 501),
    errors.NoCapacity: Fault("serviceUnavailable", 503),
    errors.DependencyUnavailable: Fault("serviceUnavailable", 503),
    errors.OutcomeUnknown: Fault("serviceUnavailable", 503),
}
INTERNAL = Fault("internalServerError", 500)
INTERNAL_TEXT = "Internal server error. Quote the request id when you report it."

type_dialect = Callable[[Fault, str, errors.DomainError | None], HttpResponse]
_overrides: dict[str, dict[type[errors.DomainError], Fault]] = {}


def fault_of(error: errors.DomainError, dialect: str = "synnefo") -> Fault:
    """The fault of the nearest class in the error's ancestry, the dialect's own table first."""
    return _fault_of(type(error), dialect)


def _fault_of(error: type[errors.DomainError], dialect: str) -> Fault:
    table = _overrides.get(dialect, {})
    for kind in error.__mro__:
        if kind in table:
            return table[kind]
        if kind in FAULTS:
            return FAULTS[kind]
    return INTERNAL


def faults_of_status(status: int, dialect: str = "synnefo") -> list[str]:
    """The names of the faults that the dialect answers with this status."""
    kinds = {*FAULTS, *_overrides.get(dialect, {})}
    return sorted({fault.name for fault in (_fault_of(kind, dialect) for kind in kinds) if fault.status == status})


def _synnefo(fault: Fault, text: str, error: errors.DomainError | None) -> HttpResponse:
    body: dict[str, Any] = {"code": fault.status, "message": text, "details": error.details if error else ""}
    if error is not None and error.data is not None:
        body["data"] = error.data
    return JsonResponse({fault.name: body}, status=fault.status)


def _keystone(fault: Fault, text: str, error: errors.DomainError | None) -> HttpResponse:
    titles = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
              409: "Conflict", 413: "Request Entity Too Large", 429: "Too Many Requests", 503: "Service Unavailable"}
    title = titles.get(fault.status, "Internal Server Error")
    response = JsonResponse({"error": {"code": fault.status, "title": title, "message": text}}, status=fault.status)
    if fault.status == 401:
        response["WWW-Authenticate"] = "Keystone"
    return response


def _neutron(fault: Fault, text: str, error: errors.DomainError | None) -> HttpResponse:
    kind = type(error).__name__ if error is not None else "InternalServerError"
    body = {"NeutronError": {"type": kind, "message": text, "detail": ""},
            fault.name: {"code": fault.status, "message": text, "details": ""}}
    return JsonResponse(body, status=fault.status)


def _plain(fault: Fault, text: str, error: errors.DomainError | None) -> HttpResponse:
    return HttpResponse(text + "\n", status=fault.status, content_type="text/plain; charset=UTF-8")


def _swift(fault: Fault, text: str, error: errors.DomainError | None) -> HttpResponse:
    page = f"<html><h1>{fault.status}</h1><p>{html.escape(text)}</p></html>"
    return HttpResponse(page, status=fault.status, content_type="text/html; charset=UTF-8")


DIALECTS: dict[str, type_dialect] = {
    "synnefo": _synnefo, "keystone": _keystone, "neutron": _neutron, "plain": _plain, "swift": _swift,
}


def add_dialect(name: str, render: type_dialect | None = None,
                overrides: dict[type[errors.DomainError], Fault] | None = None) -> None:
    """Register a dialect, or a variant of the Synnefo one with other faults for some errors (compute v2.1, volume)."""
    DIALECTS[name] = render or _synnefo
    _overrides[name] = overrides or {}


def render(error: Exception, dialect: str = "synnefo") -> HttpResponse:
    """Turn any exception into a response. Logs what an operator must see, exactly once."""
    known = _translate(error)
    if known is None:
        log.error("request.crashed", exc_info=error)
        return DIALECTS[dialect](INTERNAL, INTERNAL_TEXT, None)
    fault = fault_of(known, dialect)
    if fault.status >= 500:
        log.warning("request.failed", fault=fault.name, error=type(known).__name__, text=known.public, **known.context,
                    exc_info=known if isinstance(known, errors.BrokenInvariant) else None)
    else:
        log.info("request.refused", fault=fault.name, error=type(known).__name__, text=known.public, **known.context)
    text = INTERNAL_TEXT if isinstance(known, errors.BrokenInvariant) else known.public
    response = DIALECTS[dialect](fault, text, known)
    if isinstance(known, errors.MethodNotAllowed):
        response["Allow"] = ", ".join(known.allowed)
    if isinstance(known, errors.RateLimited):
        response["Retry-After"] = str(known.retry_after_s)
    if known.retryable and fault.status == 503:
        response["Retry-After"] = "5"
    return response


def _translate(error: Exception) -> errors.DomainError | None:
    if isinstance(error, errors.DomainError):
        return error
    if isinstance(error, RequestDataTooBig):
        return errors.RequestTooLarge("The request body is too large for this call.")
    if isinstance(error, Http404):
        return errors.NotFound("Not found.")
    if isinstance(error, SuspiciousOperation):
        return errors.InvalidInput("The request is malformed.")
    if isinstance(error, DatabaseError) and is_conflict(error):
        return errors.DependencyUnavailable("The database is busy. Try again in a moment.")
    return None


def guarded(dialect: str = "synnefo") -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Wrap a plain Django view so that it always answers in the dialect."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @functools.wraps(view)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)
            except Exception as error:  # noqa: BLE001 - the process boundary of a request
                return render(error, dialect)

        run.csrf_exempt = True  # type: ignore[attr-defined]  # API calls never trust cookies
        return run

    return decorate
