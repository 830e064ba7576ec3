"""The ways into one's account, removed. The profile shows them."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from synnefo.astakos.services import login_methods, providers
from synnefo.astakos.ui.provider_outcome import profile_url
from synnefo.common.errors import Forbidden, NotFound
from synnefo.common.settings import conf


@never_cache
@csrf_protect
@require_http_methods(["POST"])
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Only the user's own methods exist here; what policies keep is refused."""
    user = request.user
    if not user.is_authenticated:
        return HttpResponseRedirect(f"{reverse('astakos-login')}?{urlencode({'next': profile_url()})}")
    if login_methods.missing_required(user):
        return HttpResponseRedirect(profile_url())  # which tells what to add first
    try:
        module = login_methods.unlink(user.user_id, pk)
    except NotFound as error:
        raise Http404(error.public) from error
    except Forbidden as error:
        messages.error(request, error.public)
        return render(request, "astakos/refused.html", {"service_name": conf.BRANDING_SERVICE_NAME}, status=403)
    messages.success(request, providers.describe(module).message("REMOVED"))
    return HttpResponseRedirect(profile_url())
