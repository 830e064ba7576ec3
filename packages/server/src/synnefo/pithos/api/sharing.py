"""The headers that share and publish an object."""

from __future__ import annotations

from django.http import HttpRequest

from synnefo.common import ports
from synnefo.common.errors import InvalidInput, NotSupported
from synnefo.common.ids import UserID
from synnefo.pithos.api import http
from synnefo.pithos.models import Permission

MAX_HOLDERS = 256


def asked_permissions(request: HttpRequest) -> dict[str, list[str]] | None:
    """X-Object-Sharing: `read=UUID,...; write=UUID,...`, `*` for everybody who has signed in; None without the header.

    Raises `InvalidInput`, `NotSupported` (publication).
    """
    if (request.headers.get("X-Object-Public") or "false").lower() != "false":
        raise NotSupported("Publishing objects is not supported here. Share it with `read=*` instead.")
    text = http.decoded_header(request, "X-Object-Sharing")
    if text is None:
        return None
    found: dict[str, list[str]] = {}
    for part in text.replace(" ", "").lower().split(";"):
        if not part:
            continue
        kind, _, holders = part.partition("=")
        if kind not in {Permission.READ, Permission.WRITE} or kind in found:
            raise InvalidInput("X-Object-Sharing: read=UUID,...; write=UUID,... is needed.")
        found[kind] = _holders(holders)
    writers = found.get(Permission.WRITE, [])
    found[Permission.READ] = [holder for holder in found.get(Permission.READ, []) if holder not in writers]
    return found


def _holders(text: str) -> list[str]:
    holders = sorted({holder for holder in text.split(",") if holder})
    if not holders or len(holders) > MAX_HOLDERS:
        raise InvalidInput(f"1 to {MAX_HOLDERS} users are shared with.")
    if "*" in holders:
        return ["*"]
    known = ports.identity().emails_of([UserID(holder) for holder in holders if len(holder) <= 36])
    unknown = [holder for holder in holders if holder not in known]
    if unknown:
        raise InvalidInput(f"There is no user {unknown[0][:64]}.")
    return holders


def sharing_header(permissions: dict[str, list[str]]) -> dict[str, str]:
    """The header that shows them, none when nothing is shared."""
    text = "; ".join(f"{kind}={','.join(permissions[kind])}" for kind in (Permission.READ, Permission.WRITE) if permissions.get(kind))
    return {"X-Object-Sharing": text} if text else {}
