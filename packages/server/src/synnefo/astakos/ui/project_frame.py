"""What all pages of projects share: who may open them, and how refusals and amounts are told."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import User
from synnefo.astakos.services import project_rules
from synnefo.astakos.ui.guards import has_required_methods
from synnefo.astakos.ui.redirects import login_redirect
from synnefo.common.commands import Amount, format_amount
from synnefo.common.errors import DomainError, Forbidden, NotFound
from synnefo.common.ports import INFINITE
from synnefo.common.settings import conf

type_page = Callable[..., HttpResponse]


def project_page(*methods: str) -> Callable[[type_page], type_page]:
    """A page for signed-in people. What the services refuse is told in words."""

    def decorate(view: type_page) -> type_page:
        @never_cache
        @csrf_protect
        @require_http_methods(list(methods))
        @wraps(view)
        def shown(request: HttpRequest, **parts: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return HttpResponseRedirect(login_redirect(request.get_full_path()))
            try:
                _require_shown(request)
                return cast(HttpResponse, has_required_methods(view)(request, **parts))
            except NotFound as error:
                raise Http404(error.public) from error
            except DomainError as error:
                messages.error(request, error.public)
                if request.method == "POST" and "uuid" in parts and not isinstance(error, Forbidden):
                    return redirect("astakos-project", uuid=parts["uuid"])
                return render(request, "astakos/refused.html", status=403 if isinstance(error, Forbidden) else 409)
        return shown

    return decorate


def _require_shown(request: HttpRequest) -> None:
    if not (conf.ASTAKOS_PROJECTS_VISIBLE or project_rules.is_admin(user_of(request))):
        raise NotFound("There is no such page.")


def user_of(request: HttpRequest) -> User:
    """Who is signed in, as `project_page` saw to."""
    return cast(User, request.user)


def amount_text(value: int, unit: str) -> str:
    """For people: `unit` is that of the resource, empty for counts."""
    return "Unlimited" if value >= INFINITE else format_amount(Amount(value, unit), "auto")
