"""The Swift dialect: `/swift/v1/AUTH_<uuid>/<container>/<object>`, for clients of OpenStack's object store.

The same objects as in the Pithos dialect; statuses, quoting and defaults are those that Swift's clients expect.
"""

from __future__ import annotations

import mimetypes
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from synnefo.common.errors import InvalidInput, NotFound
from synnefo.common.faults import guarded
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.api import http, views
from synnefo.pithos.services import containers
from synnefo.pithos.services.objects import Draft

ROOT = "/swift/v1"
RESELLER = "AUTH_"


@guarded("swift")
def dispatch(request: HttpRequest, **_: Any) -> HttpResponseBase:
    parts = views.split(request, ROOT)
    if not parts or not parts[0].startswith(RESELLER):
        raise NotFound("The account does not exist.")
    parts[0] = parts[0].removeprefix(RESELLER)
    return views.serve(request, parts, ACTIONS)


@guarded("swift")
def info(request: HttpRequest) -> HttpResponse:
    """What this store can do, and its limits."""
    return JsonResponse({"swift": {"version": "2.30.0", "max_file_size": conf.PITHOS_MAX_UPLOAD_SIZE, "max_object_name_length": 1024,
                                   "max_container_name_length": 256, "max_meta_name_length": 128, "max_meta_value_length": 4096,
                                   "max_meta_count": containers.MAX_META, "container_listing_limit": conf.PITHOS_LISTING_LIMIT,
                                   "account_listing_limit": conf.PITHOS_LISTING_LIMIT}})


def post_account(request: HttpRequest, caller: Caller, account: str) -> HttpResponseBase:
    views.post_account(request, caller, account)
    return http.finish(HttpResponse(status=204), request)


def post_container(request: HttpRequest, caller: Caller, account: str, container: str) -> HttpResponseBase:
    meta = http.meta_headers(request, "X-Container-Meta-")
    meta |= dict.fromkeys(http.meta_headers(request, "X-Remove-Container-Meta-"), "")
    containers.update(caller, account, container, meta=meta, policy=http.policy_headers(request), merge=True)
    return http.finish(HttpResponse(status=204), request)


def put_object(request: HttpRequest, caller: Caller, account: str, container: str, name: str) -> HttpResponseBase:
    source = http.decoded_header(request, "X-Copy-From")
    if source is not None:
        from_container, _, from_name = source.lstrip("/").partition("/")
        return views.written(request, views.copy(caller, (account, from_container, from_name), (account, container, name), request))
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    content_type = request.headers.get("Content-Type") or guessed
    if not content_type.isascii() or len(content_type) > 256:
        raise InvalidInput("The content type is not sensible.")
    draft = Draft(content_type=content_type, content_encoding=http.decoded_header(request, "Content-Encoding") or "",
                  content_disposition=http.decoded_header(request, "Content-Disposition") or "",
                  manifest=http.decoded_header(request, "X-Object-Manifest") or "", meta=http.meta_headers(request, views.META),
                  check=http.write_check(request))
    return views.store(request, caller, account, container, name, draft)


ACTIONS: list[dict[str, views.type_view]] = [
    {},
    {**views.ACTIONS[1], "POST": post_account},
    {**views.ACTIONS[2], "POST": post_container},
    {**views.ACTIONS[3], "PUT": put_object},
]
