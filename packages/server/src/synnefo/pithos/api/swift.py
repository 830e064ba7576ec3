"""The Swift dialect: `/swift/v1/AUTH_<uuid>/<container>/<object>`, for clients of OpenStack's object store.

The same objects as in the Pithos dialect; statuses, quoting and defaults are those that Swift's clients expect.
"""

from __future__ import annotations

import mimetypes
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from synnefo.common.errors import InvalidInput, PreconditionFailed
from synnefo.common.faults import guarded
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.api import accounts, http, views
from synnefo.pithos.api import containers as pithos_containers
from synnefo.pithos.api import copies as pithos_copies
from synnefo.pithos.api import objects as pithos_objects
from synnefo.pithos.models import StoredObject
from synnefo.pithos.services import containers, listings, manifests, names, objects
from synnefo.pithos.services.listings import Listing
from synnefo.pithos.services.transfers import Place

RESELLER = "AUTH_"


@csrf_exempt
def dispatch(request: HttpRequest, **_: Any) -> HttpResponseBase:
    """All of the dialect. Who is not known is told how to be."""
    response: HttpResponseBase = _dispatch(request)
    if response.status_code >= 400:
        http.drain(request)
    if response.status_code == 401:
        response["WWW-Authenticate"] = 'Swift realm="unknown"'
    return response


@guarded("swift")
def _dispatch(request: HttpRequest) -> HttpResponseBase:
    try:
        parts = views.split(request, "/swift/v1")
        if len(parts) > 1:
            names.parse_container(parts[1])
        if len(parts) > 2:
            names.parse_object(parts[2])
    except InvalidInput as error:
        raise PreconditionFailed(error.public) from error
    if parts:
        parts[0] = parts[0].removeprefix(RESELLER)
    return views.serve(request, parts, ACTIONS)


@guarded("swift")
def info(request: HttpRequest) -> HttpResponse:
    """What this store can do, and its limits."""
    return JsonResponse({
        "swift": {"version": "2.30.0", "max_file_size": conf.PITHOS_MAX_UPLOAD_SIZE, "max_object_name_length": names.MAX_OBJECT_NAME,
                  "max_container_name_length": names.MAX_CONTAINER_NAME, "max_meta_name_length": http.MAX_META_NAME - len(pithos_objects.META),
                  "max_meta_value_length": http.MAX_META_VALUE, "max_meta_count": containers.MAX_META,
                  "container_listing_limit": conf.PITHOS_LISTING_LIMIT, "account_listing_limit": conf.PITHOS_LISTING_LIMIT},
        "dlo": {"max_segments": conf.PITHOS_LISTING_LIMIT},
        "pithos": {"block_size": conf.PITHOS_BACKEND_BLOCK_SIZE, "block_hash": conf.PITHOS_BACKEND_HASH_ALGORITHM, "dedup": conf.PITHOS_DEDUP_SCOPE}})


def _check_limit(request: HttpRequest) -> None:
    text = request.GET.get("limit", "")
    if text.isascii() and text.isdigit() and (len(text) > 12 or int(text) > conf.PITHOS_LISTING_LIMIT):
        raise PreconditionFailed(f"A page has at most {conf.PITHOS_LISTING_LIMIT} entries.")


def _merged_meta(request: HttpRequest, kind: str) -> dict[str, str]:
    """Metadata of a POST: what is set, and what is removed as empty."""
    removed = http.meta_headers(request, f"X-Remove-{kind}-Meta-")
    return http.meta_headers(request, f"X-{kind}-Meta-") | dict.fromkeys(removed, "")


def get_account(request: HttpRequest, caller: Caller, account: str) -> HttpResponseBase:
    _check_limit(request)
    return accounts.get_account(request, caller, account)


def post_account(request: HttpRequest, caller: Caller, account: str) -> HttpResponseBase:
    http.refuse_query(request, "bulk-delete", "extract-archive")
    containers.update_account(caller, account, meta=_merged_meta(request, "Account"), merge=True)
    return http.finish(HttpResponse(status=204), request)


def get_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    """The container's objects; prefixes are taken as they are, and every name with the delimiter is folded."""
    _check_limit(request)
    http.refuse_query(request, "reverse", "versions")
    item = containers.access(caller, account, container)
    found = listings.list_objects(caller, item, _asked_listing(request))
    shown = [entry if isinstance(entry, str) else entry.name for entry in found]
    response = http.listing(request, shown, (_row(entry) for entry in found))
    return http.finish(http.with_headers(response, pithos_containers.headers_of(caller, item)), request, modified=item.updated_at)


def _asked_listing(request: HttpRequest) -> Listing:
    if "path" in request.GET:
        return pithos_containers.asked_listing(request)
    return Listing(http.query_text(request, "prefix"), http.query_text(request, "delimiter"), http.query_text(request, "marker"),
                   http.query_text(request, "end_marker"), http.page_limit(request), shows_folder_objects=False)


def _row(entry: StoredObject | str) -> dict[str, Any]:
    if isinstance(entry, str):
        return {"subdir": entry}
    row = pithos_containers.row_of(entry)
    return {"name": row["name"], "hash": row["hash"], "bytes": row["bytes"], "content_type": row["content_type"],
            "last_modified": row["last_modified"].removesuffix("+00:00")}


def post_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    containers.update(caller, account, container, meta=_merged_meta(request, "Container"), policy=http.policy_headers(request), merge=True)
    return http.finish(HttpResponse(status=204), request)


def put_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    """New content, or another object's. Without a content type the name tells it."""
    source = pithos_copies.source_of(request, caller)
    if source is not None:
        return pithos_copies.transfer(request, caller, source[0], Place(account, container, name), is_move=source[1], is_put=True)
    http.refuse_query(request, "multipart-manifest", "extract-archive")
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    draft = pithos_objects.draft_of(request, guessed)
    if request.headers.get("X-Detect-Content-Type", "").lower() == "true":
        draft = replace(draft, content_type=guessed)
    return pithos_objects.store(request, caller, account, container, name, draft)


def post_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    """Replace the object's metadata. A body is ignored; the content type changes when one is sent."""
    manifest = http.decoded_header(request, "X-Object-Manifest")
    draft = objects.Draft(
        content_type=http.content_type(request) or None, content_encoding=http.decoded_header(request, "Content-Encoding") or "",
        content_disposition=http.decoded_header(request, "Content-Disposition") or "",
        manifest=manifests.parse(manifest or ""), meta=http.meta_headers(request, pithos_objects.META), check=http.write_check(request))
    objects.write(caller, account, container, name, draft)
    return http.finish(HttpResponse(status=202), request)


ACTIONS: list[dict[str, views.type_view]] = [
    {},
    {**views.ACTIONS[1], "GET": get_account, "POST": post_account},
    {**views.ACTIONS[2], "GET": get_container, "POST": post_container},
    {key: view for key, view in views.ACTIONS[3].items() if key != "MOVE"} | {"PUT": put_object, "POST": post_object},
]
