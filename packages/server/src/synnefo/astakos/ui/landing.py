"""The page people land on: a card for each component of the cloud that has pages."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import User
from synnefo.astakos.services import component_metadata, login_methods
from synnefo.astakos.ui.guards import signed_in


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD"])
def page(request: HttpRequest) -> HttpResponse:
    """In the order of ASTAKOS_COMPONENTS_META's `dashboard`."""
    return render(request, "astakos/landing.html", {"cards": component_metadata.cards(), "missing": login_methods.missing_required(cast(User, request.user))})
