"""The page of what programs need to act for a user: the addresses, the API token, its `.kamakirc`, and lasting tokens by name."""

from __future__ import annotations

import math
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import ApiToken, User
from synnefo.astakos.services import client_files, memberships, tokens
from synnefo.astakos.ui.guards import ask_again, has_required_methods, is_recent, signed_in
from synnefo.common.errors import DomainError, NotFound
from synnefo.common.settings import conf

WARN_DAYS = 7
"""From how many days before its end the page warns of a token."""


class TokenForm(forms.Form):
    """What a new lasting token is for."""

    name = forms.CharField(label="Name", max_length=150, help_text="What uses it, such as: nightly backup.")
    project = forms.ChoiceField(label="Project", required=False)
    days = forms.IntegerField(label="Days until it expires", min_value=1, max_value=tokens.MAX_DAYS, initial=90)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        mine = [(item.project_id, item.name) for item in memberships.all_memberships(user)]
        cast(forms.ChoiceField, self.fields["project"]).choices = [("", "All my projects"), *mine]


@never_cache
@csrf_protect
@signed_in
@has_required_methods
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """What there is; a POST makes (`action=create`) or revokes (`action=revoke`) a lasting token."""
    user = cast(User, request.user)
    if request.method != "POST":
        return _shown(request, TokenForm(user=user))
    if request.POST.get("action") == "create":
        return _create(request, user) if is_recent(request) else ask_again(request, request.path)
    return _revoke(request, user) if request.POST.get("action") == "revoke" else _shown(request, TokenForm(user=user), status=400)


def _create(request: HttpRequest, user: User) -> HttpResponse:
    """The new token is in this reply and never again, so there is no redirect."""
    form = TokenForm(request.POST, user=user)
    if not form.is_valid():
        return _shown(request, form, status=400)
    try:
        issued = tokens.issue_named(user, form.cleaned_data["name"], days=form.cleaned_data["days"], project_id=form.cleaned_data["project"])
    except DomainError as error:
        form.add_error(None, error.public)
        return _shown(request, form, status=400)
    return _shown(request, TokenForm(user=user), made=issued)


def _revoke(request: HttpRequest, user: User) -> HttpResponse:
    text = request.POST.get("id", "")
    try:
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise NotFound("There is no such token.")
        tokens.revoke_named(user, int(text))
        messages.success(request, "The token was revoked.")
    except DomainError as error:
        messages.error(request, error.public)
    return HttpResponseRedirect(reverse("astakos-api-access"))


@never_cache
@csrf_protect
@signed_in
@has_required_methods
@require_http_methods(["POST"])
def update_token(request: HttpRequest) -> HttpResponse:
    """Put a new API token in place of the old one. This session goes on, the user's others end."""
    user = cast(User, request.user)
    issued = tokens.renew_primary(user.user_id, keep_session=str(request.session.session_key))
    request.session.set_expiry(issued.token.expires_at)
    if conf.ASTAKOS_TOKEN_SHOW_ONCE:
        return _shown(request, TokenForm(user=user), secret=issued.secret)
    messages.success(request, "You have a new API token. Put it wherever the old one was in use.")
    return HttpResponseRedirect(reverse("astakos-api-access"))


@never_cache
@signed_in
@has_required_methods
@require_http_methods(["GET", "HEAD"])
def kamakirc(request: HttpRequest) -> HttpResponse:
    """kamaki's configuration file for the API token."""
    token = tokens.primary_of(cast(User, request.user))
    secret = tokens.shown_secret(token) if token is not None and not token.is_expired(timezone.now()) else ""
    if not secret:
        messages.warning(request, "There is no API token to put into the file. Renew it first.")
        return HttpResponseRedirect(reverse("astakos-api-access"))
    response = HttpResponse(client_files.kamakirc(secret), content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename=".kamakirc"'
    return response


def _shown(request: HttpRequest, form: TokenForm, *, made: tokens.Issued | None = None, secret: str = "", status: int = 200) -> HttpResponse:
    user = cast(User, request.user)
    token, root = tokens.primary_of(user), conf.ASTAKOS_BASE_URL.rstrip("/")
    context = {
        "form": form, "made": made, "auth_url": f"{root}/identity/v2.0", "auth_url_v3": f"{root}/identity/v3",
        "account": user, "project": user.default_project_id, "named": tokens.list_named(user), "cloud": client_files.cloud_name(),
        **_token_facts(token, secret)}
    return render(request, "astakos/api_access.html", context, status=status)


def _token_facts(token: ApiToken | None, secret: str) -> dict[str, object]:
    if token is None:
        return {"token": None}
    left_s = (token.expires_at - timezone.now()).total_seconds()
    return {"token": token, "secret": secret or tokens.shown_secret(token), "expired": left_s < 0, "once": bool(secret),
            "days_left": math.floor(left_s / 86400), "ends_soon": left_s < WARN_DAYS * 86400}
