"""The one way from a proven identity to a session, for every provider.

`complete` is called when somebody has proved who he is. It refuses closed accounts and forbidden ways in, asks for the
second factor where the account has one, and then opens the session: a new session id, an entry in the catalog of sessions,
an API token if there is none, the cookies, and the way on.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.contrib import auth, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.http import urlencode

from synnefo.astakos.models import LOCAL, User
from synnefo.astakos.services import second_factors, sessions, sign_ins
from synnefo.astakos.services.identity import Identity
from synnefo.astakos.ui import auth_cookie, provider_sign_out
from synnefo.astakos.ui.redirects import safe_next
from synnefo.common.errors import DomainError
from synnefo.common.settings import conf

BACKEND = "django.contrib.auth.backends.ModelBackend"
WAITING = "waiting_for_second_factor"
WAITING_S = 10 * 60
LAST_METHOD_COOKIE = "astakos_last_login_method"


@dataclass(frozen=True, slots=True)
class Arrival:
    """How somebody came, and what he wants. It survives a second factor's step in the session."""

    module: str
    target: str = ""
    identifier: str = ""
    renew: bool = False
    id_token: str = ""
    sid: str = ""
    factor: str = ""
    """The second factor that was given, if one was."""

    def stored(self) -> dict[str, Any]:
        return asdict(self)


def complete(
    request: HttpRequest, user: User, module: str, target: str = "", *, identifier: str = "", renew: bool = False,
    id_token: str = "", sid: str = "", factor: str = "",
) -> HttpResponse:
    """Whom a provider (`module`, there known as `identifier`) has vouched for is signed in and sent to `target`, if that is
    a safe place. `renew` replaces the API token. `factor` names a second factor that was given already.

    Raises `Forbidden` when the account or a policy is in the way; nothing has changed then.
    """
    arrival = Arrival(module, target, identifier, renew, id_token, sid, factor)
    sign_ins.refuse(user, module)
    if not factor and second_factors.is_asked(user, module):
        return _ask_second_factor(request, user, arrival)
    return open_session(request, user, arrival)


def _ask_second_factor(request: HttpRequest, user: User, arrival: Arrival) -> HttpResponse:
    """The page that asks finds in the session who it is about; nobody is signed in yet."""
    request.session[WAITING] = {"user": user.uuid, "hash": user.get_session_auth_hash(), "at": int(time.time()), "arrival": arrival.stored()}
    return HttpResponseRedirect(reverse("astakos-second-factor"))


def waiting(request: HttpRequest) -> tuple[User, Arrival] | None:
    """Who gave the first factor in this browser a moment ago, unless the password changed since."""
    kept = request.session.get(WAITING)
    if not kept or time.time() - kept["at"] > WAITING_S:
        return None
    user = User.objects.filter(uuid=kept["user"]).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), kept["hash"]):
        return None
    return user, Arrival(**kept["arrival"])


def finish(request: HttpRequest, user: User, arrival: Arrival, factor: str) -> HttpResponse:
    """The second factor was given. Raises as `complete`."""
    request.session.pop(WAITING, None)
    sign_ins.refuse(user, arrival.module)
    return open_session(request, user, replace(arrival, factor=factor))


def open_session(request: HttpRequest, user: User, arrival: Arrival) -> HttpResponse:
    """Past all checks: the session itself. Raises `Forbidden` when the account was closed this moment."""
    before = request.user
    old_key = str(request.session.session_key or "") if before.is_authenticated and before.pk == user.pk else ""
    if before.is_authenticated and not old_key:
        sessions.forget(str(request.session.session_key or ""))
    auth.login(request, user, backend=BACKEND)
    if request.session.session_key == old_key:  # a repeated sign-in of the same user keeps it otherwise
        request.session.cycle_key()
    try:
        opened = sign_ins.open_session(user.user_id, str(request.session.session_key), module=arrival.module,
                                       identifier=arrival.identifier, old_key=old_key, renew=arrival.renew, factor=arrival.factor)
    except DomainError:
        auth.logout(request)
        raise
    auth_cookie.keep_token(request, opened)
    if arrival.module not in {LOCAL, sign_ins.PASSKEY}:
        identity = Identity(module=arrival.module, identifier=arrival.identifier)
        provider_sign_out.entered(request, user, identity, id_token=arrival.id_token, sid=arrival.sid)
    if arrival.renew:
        messages.success(request, "Your API token was renewed. Programs that use the old one have to be told the new one.")
    response = HttpResponseRedirect(_way_on(user, safe_next(arrival.target, conf.ASTAKOS_LOGIN_SUCCESS_URL)))
    auth_cookie.give(request, response, auth_cookie.wanted_value(request))
    remember_method(response, arrival.module)
    return response


def _way_on(user: User, target: str) -> str:
    """Over the profile, for those who have to look at it first."""
    if not conf.ASTAKOS_FORCE_PROFILE_UPDATE or user.profile_confirmed or user.is_superuser:
        return target
    return f"{reverse('astakos-profile')}?{urlencode({'next': target})}"


def remember_method(response: HttpResponse, module: str) -> None:
    """The sign-in page of this browser shows the method first from now on."""
    response.set_cookie(LAST_METHOD_COOKIE, module, max_age=365 * 86400, samesite="Lax", httponly=True, secure=conf.SESSION_COOKIE_SECURE)


def stay_signed_in(request: HttpRequest, user: User) -> None:
    """After a change of the password, which ends all sessions that were bound to the old one: this one goes on under a new
    id. Call it with the user as stored; give `keep_session` of `users.store_password` the key of this session.
    """
    old_key = str(request.session.session_key or "")
    auth.update_session_auth_hash(request, user)
    if old_key != request.session.session_key:
        sessions.forget(old_key)
    auth_cookie.adopt(request)
