"""Inviting people, and whom one has invited."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import Invitation, User
from synnefo.astakos.services import invitations, users
from synnefo.astakos.ui.guards import has_required_methods, signed_in
from synnefo.common.errors import DomainError
from synnefo.common.settings import conf

ROWS = 5


@never_cache
@csrf_protect
@signed_in
@has_required_methods
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Fields `realname` and `username` (the e-mail), each up to `ROWS` times: one invitation a row."""
    if not conf.ASTAKOS_INVITATIONS_ENABLED:
        raise Http404
    user = cast(User, request.user)
    left_over: list[tuple[str, str]] = []
    if request.method == "POST":
        left_over = _invite(request, user)
        if not left_over:
            return HttpResponseRedirect(reverse("astakos-invite"))
        user.refresh_from_db()
    rows = [*left_over, *[("", "")] * (min(ROWS, max(1, user.invitations)) - len(left_over))]
    context = {"sent": Invitation.objects.filter(inviter=user)[:200], "rows": rows, "left": user.invitations}
    return render(request, "astakos/invite.html", context, status=400 if left_over else 200)


def _invite(request: HttpRequest, user: User) -> list[tuple[str, str]]:
    """Returns the rows that were refused; why is told."""
    refused = []
    for name, email in list(zip(request.POST.getlist("realname"), request.POST.getlist("username"), strict=False))[:ROWS]:
        if not name.strip() and not email.strip():
            continue
        try:
            made = invitations.invite(user.user_id, users.parse_email(email), name)
            messages.success(request, f"{made.realname} was invited.")
        except DomainError as error:
            messages.error(request, error.public)
            refused.append((name[:255], email[:254]))
    return refused
