"""Pages about the safety of the own account: second factor, recovery codes, open sessions, what happened lately."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, cast

import qrcode
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods
from qrcode.image.svg import SvgPathImage

from synnefo.astakos.models import AuditRecord, User
from synnefo.astakos.services import one_time_codes, passkeys, second_factors, sessions
from synnefo.astakos.ui import sign_in
from synnefo.astakos.ui.forms import CodeForm
from synnefo.astakos.ui.guards import is_background, recent_sign_in_required, signed_in
from synnefo.astakos.ui.redirects import allow_programs
from synnefo.astakos.ui.terms import OPEN, PAGES
from synnefo.common.errors import DomainError, InvalidInput, RateLimited, StateConflict
from synnefo.common.middleware import client_ip
from synnefo.common.settings import conf

LOG_DAYS = 90
LOG_LENGTH = 50
EVENTS = {
    "login.done": "Signed in", "login.failed": "Wrong password", "login.refused": "Sign-in refused", "token.renewed": "API token renewed",
    "token.revoked": "API token revoked", "password.changed": "Password changed", "password.set": "Password set", "password.reset": "Password reset",
    "password.reset_asked": "Password reset asked for", "email.changed": "E-mail changed", "email.change_asked": "Change of e-mail asked for",
    "login_method.add": "Way to sign in added", "login_method.remove": "Way to sign in removed", "login_method.switch": "Way to sign in changed",
    "second_factor.added": "Second factor set up", "second_factor.removed": "Second factor switched off",
    "second_factor.reset": "Second factor switched off by an administrator", "recovery_codes.renewed": "New recovery codes",
    "recovery_code.used": "Recovery code used", "session.end": "Session ended", "session.end_others": "All other sessions ended",
    "passkey.added": "Passkey added", "passkey.removed": "Passkey removed", "terms.signed": "Terms of use signed"}
"""What the log shows, in words."""


class SecondFactorGate:
    """Members of groups that demand a second factor set it up before they see any other page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> HttpResponse | None:
        name = (request.resolver_match.url_name or "") if request.resolver_match else ""
        if not conf.ASTAKOS_2FA_REQUIRED_GROUPS or not view.__module__.startswith(PAGES) or name in OPEN | {"astakos-authenticator"}:
            return None
        if not request.user.is_authenticated or not second_factors.must_set_up(request.user, _method(request)):
            return None
        if is_background(request):
            return HttpResponse("Set up a second factor first.", status=403, content_type="text/plain; charset=utf-8")
        messages.warning(request, "Your groups demand a second factor. Set it up to go on.")
        return HttpResponseRedirect(reverse("astakos-authenticator"))


def _method(request: HttpRequest) -> str:
    """By which provider this session began."""
    return sessions.method_of(str(request.session.session_key))


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD"])
def page(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, codes: list[str] | None = None) -> HttpResponse:
    """With recovery codes that were made this moment, if any."""
    user = cast(User, request.user)
    since = timezone.now() - datetime.timedelta(days=LOG_DAYS)
    log = AuditRecord.objects.filter(target=user.uuid, created_at__gte=since, event__in=EVENTS).order_by("-created_at", "-pk")[:LOG_LENGTH]
    context = {
        "is_on": second_factors.is_on(user), "is_demanded": second_factors.is_demanded(user), "codes_left": second_factors.codes_left(user),
        "passkeys": passkeys.list_of(user), "codes": codes, "sessions": sessions.list_of(user), "present": str(request.session.session_key),
        "log": [(EVENTS[row.event], row) for row in log], "days": LOG_DAYS}
    return render(request, "astakos/security.html", context)


@never_cache
@csrf_protect
@recent_sign_in_required("astakos-authenticator")
@require_http_methods(["GET", "HEAD", "POST"])
def authenticator(request: HttpRequest) -> HttpResponse:
    """Shows what to scan; a POST with the first code finishes the set-up and shows the recovery codes."""
    user = cast(User, request.user)
    form = CodeForm(request.POST or None)
    status = 200
    try:
        if request.method == "POST" and form.is_valid():
            codes = second_factors.confirm(user.user_id, form.cleaned_data["code"])
            messages.success(request, "Sign-in asks for the codes of your authenticator from now on.")
            return _page(request, codes)
        secret = second_factors.begin(user.user_id)
    except InvalidInput as error:
        form.add_error("code", error.public)
        secret = second_factors.begin(user.user_id)
    except StateConflict as error:
        messages.info(request, error.public)
        return HttpResponseRedirect(reverse("astakos-security"))
    if form.errors:
        status = 400
    target = one_time_codes.address(secret, user=user.email, service=conf.BRANDING_SERVICE_NAME)
    grouped = " ".join(secret[start:start + 4] for start in range(0, len(secret), 4))
    return render(request, "astakos/authenticator.html", {"form": form, "secret": grouped, "target": target, "picture": _square_code(target)}, status=status)


def _square_code(text: str) -> str:
    svg = qrcode.make(text, image_factory=SvgPathImage, error_correction=qrcode.ERROR_CORRECT_M).to_string(encoding="unicode")
    return mark_safe(str(svg))  # noqa: S308 - drawn here, of squares


@never_cache
@csrf_protect
@recent_sign_in_required("astakos-security")
@require_http_methods(["POST"])
def change(request: HttpRequest) -> HttpResponse:
    """`action`: `remove` switches the second factor off, `codes` makes new recovery codes."""
    user = cast(User, request.user)
    try:
        if request.POST.get("action") == "codes":
            return _page(request, second_factors.renew_codes(user.user_id))
        second_factors.remove(user.user_id)
        messages.success(request, "The second factor is switched off.")
    except DomainError as error:
        messages.error(request, error.public)
    return HttpResponseRedirect(reverse("astakos-security"))


@never_cache
@csrf_protect
@signed_in
@require_http_methods(["POST"])
def end_sessions(request: HttpRequest) -> HttpResponse:
    """The one with the number `id`, or all but this one."""
    user = cast(User, request.user)
    number = request.POST.get("id", "")
    try:
        if number:
            sessions.end(user.user_id, int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0)
            messages.success(request, "That browser is signed out.")
        else:
            count = sessions.end_others(user.user_id, str(request.session.session_key))
            messages.success(request, f"{count} other browsers were signed out." if count else "No other browser was signed in.")
    except DomainError as error:
        messages.error(request, error.public)
    return HttpResponseRedirect(reverse("astakos-security"))


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    """The second step of a sign-in."""
    found = sign_in.waiting(request)
    if found is None:
        messages.info(request, "Sign in again.")
        return HttpResponseRedirect(reverse("astakos-login"))
    user, arrival = found
    form = CodeForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 401
        if form.is_valid():
            try:
                kind = second_factors.give(user, form.cleaned_data["code"], client_ip=client_ip(request))
                response = sign_in.finish(request, user, arrival, kind)
            except RateLimited as error:
                form.add_error(None, error.public)
                status = 429
            except DomainError as error:
                form.add_error("code", error.public)
            else:
                if kind == second_factors.RECOVERY:
                    messages.warning(request, f"{second_factors.codes_left(user)} recovery codes are left. If you lost your authenticator, "
                                     "switch it off on the security page and set up another.")
                return response
    response = render(request, "astakos/second_factor.html", {"form": form, "email": user.email, "support": conf.CONTACT_EMAIL,
                                                                     "has_passkey": bool(passkeys.list_of(user))}, status=status)
    allow_programs(response, arrival.target)
    return response
