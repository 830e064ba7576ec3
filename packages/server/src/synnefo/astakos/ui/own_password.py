"""Pages about the own password: changed, set for the first time, forgotten."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import User
from synnefo.astakos.services import own_password
from synnefo.astakos.ui import sign_in
from synnefo.astakos.ui.forms import NewPassword, PasswordForm, ResetForm
from synnefo.astakos.ui.guards import ask_again, is_recent, signed_in
from synnefo.common.errors import DomainError, Forbidden, InvalidInput, NotFound, RateLimited, Unauthenticated
from synnefo.common.middleware import client_ip
from synnefo.common.settings import conf

_passwords = sensitive_post_parameters("old_password", "password1", "password2")


@_passwords
@never_cache
@csrf_protect
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest) -> HttpResponse:
    """With the present password, or the first one of an account that signs in by other providers."""
    user = cast(User, request.user)
    if own_password.may_change(user):
        return _change(request, user)
    if not own_password.may_set(user):
        messages.error(request, "This account does not sign in with a password here, but by another provider.")
        return HttpResponseRedirect(reverse("astakos-profile"))
    return _set(request, user) if is_recent(request) else ask_again(request, request.path)


def _change(request: HttpRequest, user: User) -> HttpResponse:
    form = PasswordForm(request.POST or None, renews_always=conf.ASTAKOS_NEWPASSWD_INVALIDATE_TOKEN)
    status = 200
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            own_password.change(user, data["old_password"], data["password1"], client_ip=client_ip(request),
                                keep_session=str(request.session.session_key), renew=data.get("renew", False))
            return _done(request, user, "Your password was changed. All other browsers were signed out.")
        except Unauthenticated as error:
            form.add_error("old_password", error.public)
            status = 400
        except InvalidInput as error:
            form.refuse(error)
        except RateLimited as error:
            form.add_error(None, error.public)
            status = 429
    return _page(request, form, "Change your password", status=status)


def _set(request: HttpRequest, user: User) -> HttpResponse:
    form = NewPassword(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            own_password.set_first(user, form.cleaned_data["password1"], keep_session=str(request.session.session_key))
            return _done(request, user, "You can now sign in with your e-mail and this password.")
        except InvalidInput as error:
            form.refuse(error)
    return _page(request, form, "Set a password")


def _done(request: HttpRequest, user: User, text: str) -> HttpResponse:
    """This session goes on, bound to the new password."""
    user.refresh_from_db()
    sign_in.stay_signed_in(request, user)
    messages.success(request, text)
    if conf.ASTAKOS_NEWPASSWD_INVALIDATE_TOKEN or "renew" in request.POST:
        messages.info(request, "Your API token is a new one. Programs that use the old one have to be told.")
    return HttpResponseRedirect(reverse("astakos-profile"))


def _page(request: HttpRequest, form: NewPassword, title: str, *, status: int = 200) -> HttpResponse:
    if form.errors and status == 200:
        status = 400
    return render(request, "astakos/password.html", {"form": form, "title": title}, status=status)


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Asks for the e-mail, and answers the same for all, unless ASTAKOS_HIDE_ACCOUNTS is off."""
    form = ResetForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                own_password.ask_reset(form.cleaned_data["email"], client_ip=client_ip(request))
                return HttpResponseRedirect(reverse("astakos-reset-sent"))
            except (NotFound, Forbidden) as error:
                form.add_error("email", error.public)
            except RateLimited as error:
                form.add_error(None, error.public)
                status = 429
    return render(request, "astakos/password_forgotten.html", {"form": form}, status=status)


@never_cache
@require_http_methods(["GET", "HEAD"])
def sent(request: HttpRequest) -> HttpResponse:
    return render(request, "astakos/password_sent.html", {"hours": own_password.RESET_HOURS})


@_passwords
@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def reset(request: HttpRequest, uuid: str, secret: str) -> HttpResponse:
    """The page of the mailed link."""
    form = NewPassword(request.POST or None)
    try:
        own_password.of_link(uuid, secret)
        if request.method == "POST" and form.is_valid():
            own_password.reset(uuid, secret, form.cleaned_data["password1"])
            messages.success(request, "You have a new password. Sign in with it.")
            return HttpResponseRedirect(reverse("astakos-login"))
    except InvalidInput as error:
        form.refuse(error)
    except DomainError as error:
        messages.error(request, error.public)
        return HttpResponseRedirect(reverse("astakos-password-reset"))
    return _page(request, form, "Choose a new password")
