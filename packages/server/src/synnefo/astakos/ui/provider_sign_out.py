"""Signing out here and at the provider: the way there, and the provider's own word that somebody left."""

from __future__ import annotations

import structlog
from django.contrib import auth
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from synnefo.astakos.handshakes import oidc
from synnefo.astakos.handshakes.http import Refused
from synnefo.astakos.models import ProviderSession, User
from synnefo.astakos.services import provider_sessions, providers
from synnefo.astakos.services.identity import Identity
from synnefo.common.errors import DependencyUnavailable, NotFound
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
SESSION, LEFT = "provider_session", "provider_left"
"""In the session: where the present sign-in came from, and (after signing out) where the visitor may still be signed in."""


def entered(request: HttpRequest, user: User, identity: Identity, *, id_token: str = "", sid: str = "") -> None:
    """Remember where a sign-in came from."""
    request.session[SESSION] = {"module": identity.module, "id_token": id_token}
    if request.session.session_key is None:
        request.session.save()
    provider_sessions.note(str(request.session.session_key), user, identity.module, identity.identifier, sid)


def leave(request: HttpRequest) -> None:
    """End the session here; the next page tells where another one may still be open."""
    left = request.session.get(SESSION)
    ProviderSession.objects.filter(session_key=request.session.session_key or "").delete()
    auth.logout(request)
    if left is not None:
        request.session[LEFT] = left


def _oidc_provider(module: str) -> providers.Provider:
    """Raises `Http404` for providers that do not speak OpenID Connect."""
    try:
        found = providers.get(module)
    except NotFound as error:
        raise Http404(error.public) from error
    if not found.alias and module not in {"google", "linkedin"}:
        raise Http404
    return found


@never_cache
@require_http_methods(["GET", "HEAD"])
def sign_out_there(request: HttpRequest, module: str) -> HttpResponse:
    """`login/<module>/logout`, after signing out here: to the provider's own page for it."""
    provider = _oidc_provider(module)
    left = request.session.pop(LEFT, None)
    address = ""
    if left is not None and left["module"] == module and left["id_token"]:
        try:
            address = oidc.logout_url(provider, left["id_token"], f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/ui/login")
        except (Refused, DependencyUnavailable) as error:
            log.info("logout.provider.failed", method=module, reason=str(error)[:300])
    return HttpResponseRedirect(address or reverse("astakos-login"))


@never_cache
@csrf_exempt  # sent by the provider itself; its signature stands for the forgery check
@require_http_methods(["POST"])
def signed_out_there(request: HttpRequest, module: str) -> HttpResponse:
    """`login/<module>/backchannel-logout`: the provider's signed word that somebody signed out there."""
    provider = _oidc_provider(module)
    try:
        claims = oidc.check_logout_token(provider, request.POST.get("logout_token", ""))
    except (Refused, DependencyUnavailable) as error:
        log.info("logout.provider.refused", method=module, reason=str(error)[:300])
        return JsonResponse({"error": "invalid_request"}, status=400)
    subject, sid = (claims.get(name, "") if isinstance(claims.get(name), str) else "" for name in ("sub", "sid"))
    identifier = f"{claims['iss']}|{subject}" if provider.alias and subject else subject
    count = provider_sessions.end(module, identifier, sid)
    log.info("logout.provider.done", method=module, sessions=count)
    return HttpResponse(status=200)
