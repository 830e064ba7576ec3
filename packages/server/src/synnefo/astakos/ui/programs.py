"""The page of the programs that act for a user: application credentials, access keys, and clients that he let in."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable
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

from synnefo.astakos.models import ApiToken
from synnefo.astakos.services import app_credentials, client_files, ec2, memberships, tokens
from synnefo.astakos.services.oauth2 import grants, scopes
from synnefo.astakos.ui.guards import ask_again, is_recent
from synnefo.astakos.ui.redirects import login_redirect
from synnefo.common.errors import DomainError, NotFound, Unauthenticated

MAX_DAYS = 3650

MAKING = {"create", "make-key"}
"""What gives lasting access, and so takes a sign-in that is not long ago."""


class CredentialForm(forms.Form):
    """What a new application credential is for."""

    name = forms.CharField(label="Name", max_length=255, help_text="What uses it, such as: backup of the laptop.")
    project = forms.ChoiceField(label="Project")
    days = forms.IntegerField(label="Days until it expires", required=False, min_value=1, max_value=MAX_DAYS, help_text="Empty is never.")

    def __init__(self, *args: Any, projects: list[memberships.Membership], **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["project"]).choices = [(item.project_id, item.name) for item in projects]


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """What there is, and a form for another application credential."""
    try:
        token = tokens.of_session(request.user.user_id) if request.user.is_authenticated else None
    except Unauthenticated:
        token = None
    if token is None:
        return HttpResponseRedirect(login_redirect(request.get_full_path()))
    form = _form(request, token)
    if request.method != "POST":
        return _shown(request, token, form)
    action = request.POST.get("action", "")
    if action in MAKING and not is_recent(request):
        return ask_again(request, request.path)
    if action == "create":
        return _create(request, token, form)
    return _change(request, token, action)


def _form(request: HttpRequest, token: ApiToken) -> CredentialForm:
    data = request.POST if request.method == "POST" and request.POST.get("action") == "create" else None
    return CredentialForm(data, projects=memberships.all_memberships(token.user), initial={"project": token.user.default_project_id})


def _shown(request: HttpRequest, token: ApiToken, form: CredentialForm, *, status: int = 200) -> HttpResponse:
    user = token.user
    names: dict[str, str] = {item.project_id: item.name for item in memberships.all_memberships(user)}
    return render(request, "astakos/programs.html", {
        "form": form, "keys": [(item, names.get(item.project_id)) for item in ec2.list_of(user)],
        "credentials": [(item, names.get(item.project_id)) for item in app_credentials.list_of(user)],
        "grants": [(item, scopes.describe(item.scope)) for item in grants.list_of(user)]}, status=status)


def _create(request: HttpRequest, token: ApiToken, form: CredentialForm) -> HttpResponse:
    """The secret is shown in this reply and never again, so there is no redirect."""
    if not form.is_valid():
        return _shown(request, token, form, status=400)
    days = form.cleaned_data["days"]
    wish = app_credentials.Wish(
        name=form.cleaned_data["name"], project_id=form.cleaned_data["project"],
        expires_at=timezone.now() + datetime.timedelta(days=days) if days else None)
    try:
        credential, secret = app_credentials.create(token, wish)
    except DomainError as error:
        form.add_error(None, error.public)
        return _shown(request, token, form, status=400)
    files = [(name, text, base64.b64encode(text.encode()).decode()) for name, text in client_files.files_of(credential, secret).items()]
    return render(request, "astakos/program_made.html", {"credential": credential, "secret": secret, "files": files})


def _change(request: HttpRequest, token: ApiToken, action: str) -> HttpResponse:
    chosen = request.POST.get("id", "")[:64]
    actions: dict[str, tuple[Callable[[], object], str]] = {
        "delete": (lambda: app_credentials.delete(token, chosen), "The application credential was deleted."),
        "delete-key": (lambda: ec2.delete(token, chosen), "The access key was deleted."),
        "make-key": (lambda: ec2.create(token, ""), "An access key was made."),
        "revoke": (lambda: grants.revoke_own(token.user, _number(chosen)), "The program was shut out."),
    }
    if action not in actions:
        return _shown(request, token, _form(request, token), status=400)
    run, text = actions[action]
    try:
        run()
        messages.success(request, text)
    except DomainError as error:
        messages.error(request, error.public)
    return HttpResponseRedirect(reverse("astakos-programs"))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound("There is no such grant.")
    return int(text)
