"""What the pages of other services fetch for the bar at their top: the user's menu and the services of the cloud.

They are read across origins: by CORS from those we know, or as JSONP by older pages. No token is ever in them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import User
from synnefo.astakos.services import component_metadata
from synnefo.astakos.ui.origins import may_read
from synnefo.common.registration import join_url
from synnefo.common.settings import conf

_CALLBACK = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.]{0,63}")
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""Not to be read as markup, nor as ends of lines by older JavaScript."""


def _data(read: Callable[[HttpRequest], Any], *, takes_messages: bool = False) -> Callable[[HttpRequest], HttpResponse]:
    @never_cache
    @require_http_methods(["GET", "HEAD"])
    def view(request: HttpRequest) -> HttpResponse:
        callback = request.GET.get("callback")
        response = _json(read(request), request) if callback is None else _jsonp(read, request, callback)
        if takes_messages and callback is not None and response.status_code == 200:
            list(messages.get_messages(request))  # they have been seen where the bar is
        patch_vary_headers(response, ["Cookie", "Origin"])
        return response

    return view


def _json(value: Any, request: HttpRequest) -> HttpResponse:
    response = JsonResponse(value, safe=False)
    origin = request.headers.get("Origin", "")
    if may_read(origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
    return response


def _jsonp(read: Callable[[HttpRequest], Any], request: HttpRequest, callback: str) -> HttpResponse:
    if not conf.ASTAKOS_JSONP_ENABLED or not _CALLBACK.fullmatch(callback):
        return JsonResponse({"badRequest": {"code": 400, "message": "This callback is not possible.", "details": ""}}, status=400)
    text = json.dumps(read(request))
    for character, escaped in _UNSAFE.items():
        text = text.replace(character, escaped)
    # The comment keeps the file from beginning with letters of the caller's choice.
    return HttpResponse(f"/**/{callback}({text});", content_type="application/javascript; charset=UTF-8")


def _menu(request: HttpRequest) -> list[dict[str, Any]]:
    home = join_url(conf.ASTAKOS_BASE_URL, "ui") + "/"
    if not isinstance(request.user, User):
        return _marked([("Sign in", home)], request.GET.get("location", ""))
    items = [(request.user.email, home), ("Dashboard", home + "landing"), ("Sign out", home + "logout")]
    return _marked(items, request.GET.get("location", ""))


def _marked(items: list[tuple[str, str]], location: str) -> list[dict[str, Any]]:
    return [{"url": url, "name": name, **({"is_active": True} if location.startswith(url) else {})} for name, url in items]


get_menu = _data(_menu)
get_services = _data(lambda _: component_metadata.all_components(), takes_messages=True)
