"""`weblogin/login`: how a desktop program gets a token. It opens the browser here; after sign-in, the browser is sent to the
program's own address scheme with the token. Beside it, addresses of old installations.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.contrib import auth
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from synnefo.astakos.models import User
from synnefo.astakos.services import tokens
from synnefo.astakos.ui import auth_cookie
from synnefo.astakos.ui.redirects import login_redirect
from synnefo.common.settings import conf

MAX_LENGTH = 2000


class ProgramRedirect(HttpResponseRedirect):
    """A redirect to an address whose scheme was looked at already."""

    def __init__(self, address: str, scheme: str) -> None:
        self.allowed_schemes = [scheme]
        super().__init__(address)


@never_cache
@require_http_methods(["GET"])
def login(request: HttpRequest) -> HttpResponse:
    """`?next=<address>[&renew=][&force=]`; the last two count when present and empty."""
    target = request.GET.get("next", "")
    if not target:
        return _text("Missing next parameter", 400)
    scheme = _scheme(target)
    if scheme not in {name.lower() for name in conf.ASTAKOS_REDIRECT_ALLOWED_SCHEMES}:
        return _text("This is not an address that a token may be sent to.", 403)
    if request.GET.get("force") == "" and request.user.is_authenticated:
        return _forced(request)
    if not request.user.is_authenticated:
        return HttpResponseRedirect(login_redirect(_here(request, "force")))
    user = request.user
    if request.GET.get("renew") == "":
        if _is_foreign(request):
            return HttpResponseRedirect(_ask_again(request))
        tokens.renew_primary(user.user_id, keep_session=str(request.session.session_key))
        _extend(request, user)
    return ProgramRedirect(_with(target, uuid=user.uuid, token=_token_for(user), user=user.email), scheme)


def _scheme(target: str) -> str:
    """The scheme of an address that may stand in a header; nothing for others."""
    if len(target) > MAX_LENGTH or not target.isprintable() or " " in target or "\\" in target:
        return ""
    try:
        return urlsplit(target).scheme.lower()
    except ValueError:
        return ""


def _forced(request: HttpRequest) -> HttpResponse:
    """Sign out first; for a link on somebody else's page it is enough to ask for the credentials again."""
    if _is_foreign(request):
        return HttpResponseRedirect(_ask_again(request))
    auth.logout(request)
    response = HttpResponseRedirect(login_redirect(_here(request, "force")))
    auth_cookie.take(response)
    return response


def _is_foreign(request: HttpRequest) -> bool:
    return request.headers.get("Sec-Fetch-Site", "none") == "cross-site"


def _ask_again(request: HttpRequest) -> str:
    """The sign-in page asks for the credentials, and renews the token itself if that is wanted."""
    wishes = {"force": ""} | ({"renew": ""} if request.GET.get("renew") == "" else {})
    return f"{reverse('astakos-login')}?{urlencode({**wishes, 'next': _here(request, 'force', 'renew')})}"


def _here(request: HttpRequest, *without: str) -> str:
    """This address under our public root, without the parameters that must not count twice."""
    query = request.GET.copy()
    for name in without:
        query.pop(name, None)
    return f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/weblogin/login?{query.urlencode()}"


def _extend(request: HttpRequest, user: User) -> None:
    primary = tokens.primary_of(user)
    if primary is not None:
        request.session.set_expiry(primary.expires_at)


def _token_for(user: User) -> str:
    """A token of the program's own, or the user's, as the settings say."""
    if conf.ASTAKOS_WEBLOGIN_PRIMARY_TOKEN:
        primary = tokens.primary_of(user)
        secret = tokens.shown_secret(primary) if primary is not None else ""
        if secret:
            return secret
    return tokens.issue_weblogin(user.user_id).secret


def _with(target: str, **added: str) -> str:
    """The address with these parameters beside, or in place of, its own."""
    parts = urlsplit(target)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in added]
    return urlunsplit(parts._replace(query=urlencode([*kept, *added.items()])))


def _text(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


@require_http_methods(["GET", "HEAD"])
def slashless(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(f"{request.path}/")


@require_http_methods(["GET", "HEAD"])
def index(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(reverse("astakos-login"))


@require_http_methods(["GET", "HEAD"])
def moved(request: HttpRequest, name: str) -> HttpResponse:
    """From an address of old installations to today's, with the query."""
    query = request.META.get("QUERY_STRING", "")
    return HttpResponseRedirect(f"{reverse(name)}{'?' if query else ''}{query}")
