"""Copying and moving by headers: COPY and MOVE name the target, PUT names the source."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.http import http_date

from synnefo.common.errors import InvalidInput, LengthRequired
from synnefo.common.ports import Caller
from synnefo.pithos.api import http
from synnefo.pithos.api.objects import META, written
from synnefo.pithos.api.sharing import asked_permissions
from synnefo.pithos.services import manifests, names, transfers
from synnefo.pithos.services.transfers import Changes, Place


def split_path(path: str, header: str) -> tuple[str, str]:
    """(container, object) of a path in a header. Raises `InvalidInput`."""
    container, _, name = path.removeprefix("/").partition("/")
    if not container or not name:
        raise InvalidInput(f"{header}: /container/object is needed.")
    return names.parse_container(container), names.parse_object(name)


def source_of(request: HttpRequest, caller: Caller) -> tuple[Place, bool] | None:
    """The source that a PUT names, and whether it moves; None when it names none."""
    for header, is_move in (("X-Copy-From", False), ("X-Move-From", True)):
        path = http.decoded_header(request, header)
        if path is None:
            continue
        if request.META.get("CONTENT_LENGTH") not in {"0", "", None} or "Transfer-Encoding" in request.headers:
            raise LengthRequired("A copy has no body: Content-Length: 0 is needed.")
        container, name = split_path(path, header)
        account = http.decoded_header(request, "X-Source-Account") or http.decoded_header(request, "X-Copy-From-Account") or caller.user_id
        return Place(account.removeprefix("AUTH_"), container, name, _source_version(request)), is_move
    return None


def _source_version(request: HttpRequest) -> int | None:
    text = request.headers.get("X-Source-Version")
    return http.version_number(text) if text else None


def _changes(request: HttpRequest, *, is_put: bool) -> Changes:
    manifest = http.decoded_header(request, "X-Object-Manifest")
    check = http.write_check(request)
    type_sent = None if "ignore_content_type" in request.GET else http.content_type(request) or None
    kept = Changes()
    return Changes(
        type_sent, http.decoded_header(request, "Content-Encoding"), http.decoded_header(request, "Content-Disposition"),
        None if manifest is None else manifests.parse(manifest), http.meta_headers(request, META), asked_permissions(request),
        check_source=kept.check_source if is_put else check, check_target=check if is_put else kept.check_target)


def transfer(request: HttpRequest, caller: Caller, source: Place, target: Place, *, is_move: bool, is_put: bool) -> HttpResponseBase:
    http.refuse_query(request, "delimiter", "multipart-manifest")
    verb = transfers.move if is_move else transfers.copy
    version, origin = verb(caller, source, target, _changes(request, is_put=is_put))
    return written(request, version, **{
        "X-Copied-From": http.encoded(f"{source.container}/{source.name}"), "X-Copied-From-Account": http.encoded(source.account),
        "X-Copied-From-Last-Modified": http_date(origin.created_at.timestamp())})


def _by_destination(request: HttpRequest, caller: Caller, source: Place, *, is_move: bool) -> HttpResponseBase:
    container, name = split_path(http.decoded_header(request, "Destination") or "", "Destination")
    account = http.decoded_header(request, "Destination-Account") or caller.user_id
    return transfer(request, caller, source, Place(account.removeprefix("AUTH_"), container, name), is_move=is_move, is_put=False)


def copy_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    return _by_destination(request, caller, Place(account, container, name, _source_version(request)), is_move=False)


def move_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    return _by_destination(request, caller, Place(account, container, name), is_move=True)
