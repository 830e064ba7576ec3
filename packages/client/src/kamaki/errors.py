"""Everything kamaki raises.

KamakiError
├── UsageError            the call cannot mean anything; nothing was sent        exit 2
├── CloudUnreachable      no answer came                                         exit 1
├── TimedOut              a wait took longer than allowed                        exit 7
└── RequestFailed         the cloud answered with a fault                        exit 1
    ├── AuthenticationFailed (401)                                               exit 4
    ├── Forbidden (403)                                                          exit 4
    ├── NotFound (404)                                                           exit 3
    ├── Conflict (409)                                                           exit 6
    └── QuotaExceeded (413)                                                      exit 5
"""

from __future__ import annotations

from typing import Any


class KamakiError(Exception):
    """Base of all. `hints` are lines that say what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hints: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.hints = hints


class UsageError(KamakiError):
    exit_code = 2


class CloudUnreachable(KamakiError):
    pass


class TimedOut(KamakiError):
    exit_code = 7


class RequestFailed(KamakiError):
    """The cloud refused or failed. `status` is the HTTP status, `fault` the name in the body."""

    def __init__(self, message: str, *, status: int, fault: str = "", details: str = "", body: Any = None,
                 hints: tuple[str, ...] = ()) -> None:
        super().__init__(message, hints=hints)
        self.status, self.fault, self.details, self.body = status, fault, details, body


class AuthenticationFailed(RequestFailed):
    exit_code = 4


class Forbidden(RequestFailed):
    exit_code = 4


class NotFound(RequestFailed):
    exit_code = 3


class Conflict(RequestFailed):
    exit_code = 6


class QuotaExceeded(RequestFailed):
    exit_code = 5


_BY_STATUS: dict[int, type[RequestFailed]] = {
    401: AuthenticationFailed, 403: Forbidden, 404: NotFound, 409: Conflict, 413: QuotaExceeded,
}
_HINTS: dict[int, tuple[str, ...]] = {
    401: ("Check the token: kamaki config get cloud.NAME.token", "Get a new one on the web interface's API access page"),
    413: ("To see what is used and what is left: kamaki quota list",),
    503: ("The service is busy or a part of it is down. Try again in a moment",),
}


def from_response(status: int, body: Any) -> RequestFailed:
    """The error of a fault body `{"faultName": {"code", "message", "details"}}`, of Keystone's form, or of plain text."""
    fault, message, details = "", f"The cloud answered with status {status}", ""
    if isinstance(body, dict) and body:
        fault, content = next(iter(body.items()))
        if isinstance(content, dict):
            message = str(content.get("message") or message)
            details = str(content.get("details") or "")
    elif isinstance(body, str) and body.strip() and not body.lstrip().startswith("<"):
        message = body.strip()[:500]
    kind = _BY_STATUS.get(status, RequestFailed)
    return kind(message, status=status, fault=fault, details=details, body=body, hints=_HINTS.get(status, ()))
