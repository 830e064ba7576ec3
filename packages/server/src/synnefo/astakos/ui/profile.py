"""The user's own page: names, e-mail, ways to sign in."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import EmailChange, User
from synnefo.astakos.services import email_changes, login_methods, own_data, own_password, user_changes
from synnefo.astakos.ui.forms import EmailForm, ProfileForm
from synnefo.astakos.ui.guards import ask_again, is_recent, recent_sign_in_required, signed_in
from synnefo.astakos.ui.redirects import safe_next
from synnefo.common.errors import AlreadyExists, DomainError, InvalidInput, NotFound, RateLimited, Unauthenticated
from synnefo.common.middleware import client_ip
from synnefo.common.settings import conf


@never_cache
@csrf_protect
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Shows it, or saves the names and goes on to a safe `next`."""
    user = cast(User, request.user)
    forced = login_methods.fields_forced_on(user)
    form = ProfileForm(request.POST or None, forced=forced, initial={"first_name": user.first_name, "last_name": user.last_name})
    if request.method == "POST" and form.is_valid():
        try:
            user_changes.save_profile(user.user_id, form.cleaned_data["first_name"], form.cleaned_data["last_name"], forced=forced)
        except InvalidInput as error:
            form.add_error(error.field if error.field in form.fields else None, error.public)
        else:
            messages.success(request, "Your profile was saved.")
            return HttpResponseRedirect(safe_next(request.POST.get("next", ""), reverse("astakos-profile")))
    return _shown(request, user, form)


def _shown(request: HttpRequest, user: User, form: ProfileForm) -> HttpResponse:
    given = request.POST if request.method == "POST" else request.GET
    context = {
        "form": form, "next": safe_next(given.get("next", ""), ""), "pending": EmailChange.objects.filter(user=user).first(),
        "may_change_email": email_changes.may_change(user), "may_change_password": own_password.may_change(user),
        "may_set_password": own_password.may_set(user), "groups": user.groups.order_by("name").values_list("name", flat=True),
        "may_invite": conf.ASTAKOS_INVITATIONS_ENABLED,
        "links": [(label, url) for label, url in conf.ASTAKOS_PROFILE_EXTRA_LINKS.items() if url.startswith(("https://", "http://", "/"))]}
    return render(request, "astakos/profile/page.html", context, status=400 if form.errors else 200)


@never_cache
@recent_sign_in_required("astakos-profile")
@require_http_methods(["GET", "HEAD"])
def data(request: HttpRequest) -> HttpResponse:
    """All that is kept about the user, as a file."""
    user = cast(User, request.user)
    return JsonResponse(own_data.of(user), json_dumps_params={"indent": 2, "ensure_ascii": False},
                        headers={"Content-Disposition": f'attachment; filename="account-{user.uuid}.json"'})


@sensitive_post_parameters("password")
@never_cache
@csrf_protect
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def change_email(request: HttpRequest) -> HttpResponse:
    """Asks for the new e-mail; POST `action=cancel` or `action=resend` is about the change that waits."""
    user = cast(User, request.user)
    if not email_changes.may_change(user):
        raise Http404
    if request.POST.get("action") in {"cancel", "resend"}:
        return _about_pending(request, user)
    if not user.has_usable_password() and not is_recent(request):
        return ask_again(request, request.path)
    form = EmailForm(request.POST or None, has_password=user.has_usable_password())
    status = 400 if request.method == "POST" else 200
    if request.method == "POST" and form.is_valid():
        try:
            change = email_changes.ask(user, form.cleaned_data["new_email"], form.cleaned_data.get("password"), client_ip=client_ip(request))
        except (InvalidInput, AlreadyExists) as error:
            form.add_error("new_email", error.public)
        except Unauthenticated as error:
            form.add_error("password", error.public)
        except RateLimited as error:
            form.add_error(None, error.public)
            status = 429
        else:
            messages.success(request, f"A mail was sent to {change.new_email}. Your e-mail changes when you open the link in it.")
            return HttpResponseRedirect(reverse("astakos-profile"))
    return render(request, "astakos/profile/email.html", {"form": form}, status=status)


def _about_pending(request: HttpRequest, user: User) -> HttpResponse:
    try:
        if request.POST["action"] == "cancel":
            email_changes.cancel(user.user_id)
            messages.success(request, "Your e-mail stays as it is.")
        else:
            email_changes.send_again(user)
            messages.success(request, "The mail was sent again. Only the link in the newest one works.")
    except DomainError as error:
        messages.error(request, error.public)
    return HttpResponseRedirect(reverse("astakos-profile"))


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_email(request: HttpRequest, secret: str) -> HttpResponse:
    """The page of the mailed link, for its user or somebody who is not signed in. A POST makes the change."""
    if not conf.ASTAKOS_EMAILCHANGE_ENABLED:
        raise Http404
    try:
        change = email_changes.find(secret)
    except NotFound as error:
        messages.error(request, error.public)
        return render(request, "astakos/refused.html", status=404)
    if request.user.is_authenticated and request.user.pk != change.user_id:
        messages.error(request, f"You are signed in as {request.user.email}. Sign out first, then open the link again.")
        return render(request, "astakos/refused.html", status=403)
    if request.method != "POST":
        return render(request, "astakos/profile/email_confirm.html", {"change": change})
    try:
        user = email_changes.confirm(secret)
    except DomainError as error:
        messages.error(request, error.public)
    else:
        messages.success(request, f"Your e-mail is {user.email} now.")
    return HttpResponseRedirect(reverse("astakos-profile" if request.user.is_authenticated else "astakos-login"))
