"""Pages for people whom a provider vouches for and who have no account yet: sign up, or add the identity to an account."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import PendingIdentity
from synnefo.astakos.services import (
    identities,
    pending_identities,
    policies,
    providers,
    terms,
    third_party_signup,
)
from synnefo.astakos.ui.forms import ThirdPartySignupForm
from synnefo.astakos.ui.handshakes import browser_secret
from synnefo.astakos.ui.provider_outcome import profile_url, signed_up
from synnefo.astakos.ui.redirects import safe_next
from synnefo.common.errors import AlreadyExists, DomainError, Forbidden, InvalidInput, NotFound
from synnefo.common.settings import conf


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def signup(request: HttpRequest) -> HttpResponse:
    """`?third_party_token=T`: the form, filled with what the provider told."""
    token = request.POST.get("third_party_token", request.GET.get("third_party_token", ""))
    target = safe_next(request.POST.get("next", request.GET.get("next", "")), "")
    if request.user.is_authenticated:
        return HttpResponseRedirect(target or reverse("astakos-index"))
    try:
        pending = _pending(request, token)
    except Forbidden as error:
        messages.error(request, error.public)
        return render(request, "astakos/refused.html", _frame(), status=403)
    form = _form(request, pending)
    if request.method != "POST":
        return _page(request, pending, form, token, target)
    if not form.is_valid():
        return _page(request, pending, form, token, target, status=400)
    return _create(request, pending, form, token, target)


def _pending(request: HttpRequest, token: str) -> PendingIdentity:
    """Raises `Http404` for tokens that are not this browser's or have had their use, `Forbidden` by policy."""
    try:
        pending = pending_identities.find(token, browser_secret(request))
        pending_identities.drop_if_owned(pending)
    except NotFound as error:
        raise Http404(error.public) from error
    if not policies.of(pending.module).create:
        raise Forbidden(providers.describe(pending.module).message("CREATE_DISABLED"))
    return pending


def _form(request: HttpRequest, pending: PendingIdentity) -> ThirdPartySignupForm:
    identity = pending_identities.identity_of(pending)
    names = ("email", "first_name", "last_name")
    forced = {name: getattr(identity, name) for name in names if name in identity.forced}
    initial = {name: getattr(identity, name) for name in names}
    return ThirdPartySignupForm(request.POST or None, forced=forced, initial=initial, terms=terms.latest_id())


def _page(
    request: HttpRequest, pending: PendingIdentity, form: ThirdPartySignupForm, token: str, target: str, *, status: int = 200,
    offers_mail: str = "",
) -> HttpResponse:
    context = {
        "form": form, "token": token, "next": target, "action": reverse("astakos-signup"), "offers_mail": offers_mail,
        "provider": providers.describe(pending.module), "who": pending_identities.shown_name(pending),
        "is_repeated": bool(identities.unverified_holders(pending.module, pending.identifier))}
    return render(request, "astakos/third_party_signup.html", context | _frame(), status=status)


def _frame() -> dict[str, str]:
    return {"service_name": conf.BRANDING_SERVICE_NAME}


def _create(request: HttpRequest, pending: PendingIdentity, form: ThirdPartySignupForm, token: str, target: str) -> HttpResponse:
    data = form.cleaned_data
    try:
        user = third_party_signup.sign_up(pending, data["email"], data["first_name"], data["last_name"], target=target,
                                          signed_terms=data.get("terms") or 0)
    except InvalidInput as error:
        form.add_error(error.field if error.field in form.fields else None, error.public)
        return _page(request, pending, form, token, target, status=400)
    except AlreadyExists as error:
        offered = pending_identities.account_for_mail(data["email"])
        form.add_error("email", error.public)
        return _page(request, pending, form, token, target, status=409, offers_mail=offered.email if offered else "")
    except NotFound as error:
        raise Http404(error.public) from error
    except DomainError as error:
        messages.error(request, error.public)
        return HttpResponseRedirect(reverse("astakos-login"))
    return signed_up(request, user, pending_identities.identity_of(pending), {"next": target})


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def associate(request: HttpRequest) -> HttpResponse:
    """POST asks for the mail; the address in the mail (`?auth=`) shows what is about to happen and, by POST, does it."""
    if "auth" in request.GET:
        return _confirm(request, request.GET["auth"])
    if request.method != "POST":
        raise Http404
    try:
        pending = pending_identities.find(request.POST.get("third_party_token", ""), browser_secret(request))
        pending_identities.send_mail(pending, request.POST.get("email", ""), _confirm_url())
    except NotFound as error:
        raise Http404(error.public) from error
    except DomainError as error:
        messages.error(request, error.public)
    else:
        messages.success(request, "If the address has an account here, a mail with a link was sent to it.")
    return HttpResponseRedirect(reverse("astakos-login"))


def _confirm_url() -> str:
    return f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/ui/login/associate?auth="


def _confirm(request: HttpRequest, token: str) -> HttpResponse:
    if not request.user.is_authenticated:
        messages.info(request, "Sign in to the account that got the mail.")
        return HttpResponseRedirect(f"{reverse('astakos-login')}?{urlencode({'next': request.get_full_path()})}")
    try:
        pending = pending_identities.find_mailed(token, request.user)
    except NotFound as error:
        messages.error(request, error.public)
        return HttpResponseRedirect(profile_url())
    except Forbidden as error:
        messages.error(request, error.public)
        return render(request, "astakos/refused.html", _frame(), status=403)
    provider = providers.describe(pending.module)
    if request.method != "POST":
        context = {"provider": provider, "who": pending_identities.shown_name(pending)}
        return render(request, "astakos/associate.html", context | _frame())
    try:
        pending_identities.link_mailed(request.user.user_id, pending)
    except DomainError as error:
        messages.error(request, error.public)
    else:
        messages.success(request, provider.message("ADDED"))
    return HttpResponseRedirect(profile_url())
