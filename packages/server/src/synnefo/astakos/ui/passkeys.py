"""The server's side of passkeys in browsers: each exchange is two posts of JSON, answered with `next` when it led somewhere."""

from __future__ import annotations

import json
import time
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import User
from synnefo.astakos.services import passkeys, second_factors, sign_ins
from synnefo.astakos.ui import sign_in
from synnefo.astakos.ui.guards import recent_sign_in_required
from synnefo.astakos.ui.redirects import safe_next
from synnefo.common.errors import DomainError, InvalidInput, RateLimited, Unauthenticated
from synnefo.common.settings import conf

ADDING, USING = "passkey_adding", "passkey_using"
"""In the session: the state of an exchange that has begun."""
LIFE_S = 300
MAX_BODY = 64_000


def _keep(request: HttpRequest, name: str, begun: tuple[dict[str, Any], dict[str, Any]]) -> HttpResponse:
    options, state = begun
    request.session[name] = {"state": state, "at": int(time.time())}
    return JsonResponse(options)


def _take(request: HttpRequest, name: str) -> dict[str, Any]:
    """The state of the exchange, which ends here whatever comes of it. Raises `InvalidInput`."""
    kept = request.session.pop(name, None)
    if not kept or time.time() - kept["at"] > LIFE_S:
        raise InvalidInput("This took too long. Try again.")
    state: dict[str, Any] = kept["state"]
    return state


def _body(request: HttpRequest) -> dict[str, Any]:
    """Raises `InvalidInput`."""
    try:
        found = json.loads(request.body[:MAX_BODY])
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidInput("The answer of the browser cannot be read.")
    return found


def _refused(error: DomainError) -> HttpResponse:
    status = 401 if isinstance(error, Unauthenticated) else 429 if isinstance(error, RateLimited) else 400
    return JsonResponse({"error": error.public}, status=status)


@never_cache
@csrf_protect
@recent_sign_in_required("astakos-security")
@require_http_methods(["POST"])
def begin_adding(request: HttpRequest) -> HttpResponse:
    try:
        return _keep(request, ADDING, passkeys.begin_adding(cast(User, request.user)))
    except DomainError as error:
        return _refused(error)


@never_cache
@csrf_protect
@recent_sign_in_required("astakos-security")
@require_http_methods(["POST"])
def add(request: HttpRequest) -> HttpResponse:
    """`{"name": ..., "response": what the browser made}`."""
    try:
        body = _body(request)
        passkeys.add(cast(User, request.user), str(body.get("name", ""))[:200], _take(request, ADDING), body.get("response"))
    except DomainError as error:
        return _refused(error)
    messages.success(request, "The passkey was added. You can sign in with it from now on.")
    return JsonResponse({"next": reverse("astakos-security")})


@never_cache
@csrf_protect
@recent_sign_in_required("astakos-security")
@require_http_methods(["POST"])
def remove(request: HttpRequest) -> HttpResponse:
    """The one with the number `id`."""
    number = request.POST.get("id", "")
    try:
        passkeys.remove(cast(User, request.user).user_id, int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0)
        messages.success(request, "The passkey was removed.")
    except DomainError as error:
        messages.error(request, error.public)
    return HttpResponseRedirect(reverse("astakos-security"))


@never_cache
@csrf_protect
@require_http_methods(["POST"])
def begin_use(request: HttpRequest) -> HttpResponse:
    """For a sign-in without a password; after the first step of one, only passkeys of that account."""
    waiting = sign_in.waiting(request)
    return _keep(request, USING, passkeys.begin_use(waiting[0] if waiting is not None else None))


@never_cache
@csrf_protect
@require_http_methods(["POST"])
def use(request: HttpRequest) -> HttpResponse:
    """`{"response": what the browser signed, "next": where to go}`. The device has checked who holds it: that is both factors."""
    try:
        body, state, waiting = _body(request), _take(request, USING), sign_in.waiting(request)
        user = passkeys.use(state, body.get("response"), of=waiting[0] if waiting is not None else None)
        if waiting is not None:
            response = sign_in.finish(request, user, waiting[1], second_factors.PASSKEY)
        else:
            target = safe_next(str(body.get("next", "")), conf.ASTAKOS_LOGIN_SUCCESS_URL)
            response = sign_in.complete(request, user, sign_ins.PASSKEY, target, factor=second_factors.PASSKEY)
    except DomainError as error:
        return _refused(error)
    answer = JsonResponse({"next": response.headers["Location"]})
    answer.cookies = response.cookies
    return answer
