"""Devices without a browser: they show a short code, the user types it elsewhere, and they ask until he has."""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from synnefo.astakos.models import OAuthClient, OAuthDevice
from synnefo.astakos.services import throttle
from synnefo.astakos.services.oauth2 import grants, scopes
from synnefo.astakos.services.oauth2.errors import OAuthError, invalid_grant, invalid_request
from synnefo.astakos.services.oauth2.grants import Authorization, SignIn
from synnefo.common.crypto import hash_token, new_token
from synnefo.common.db import transactional
from synnefo.common.errors import NotFound

LIFE = datetime.timedelta(minutes=10)
INTERVAL_S = 5
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no code is a word."""


@dataclass(frozen=True, slots=True)
class Started:
    device_code: str
    user_code: str
    expires_in_s: int
    interval_s: int


def start(client: OAuthClient, scope: str) -> Started:
    """Begin. Raises `OAuthError`."""
    granted = scopes.parse(scope, "")
    if not granted:
        raise invalid_request("scope is missing.")
    device_code = new_token()
    for _ in range(5):
        code = "".join(secrets.choice(_LETTERS) for _ in range(8))
        try:
            with transaction.atomic():
                OAuthDevice.objects.create(client=client, device_hash=hash_token(device_code), user_code=code, scope=granted,
                                           interval_s=INTERVAL_S, expires_at=timezone.now() + LIFE)
        except IntegrityError:  # somebody has this code at the moment
            continue
        return Started(device_code, f"{code[:4]}-{code[4:]}", int(LIFE.total_seconds()), INTERVAL_S)
    raise OAuthError("server_error", "No free code was found. Try again.")


def find(user_code: str, *, guesser: str) -> OAuthDevice:
    """The waiting device of a code that a user typed. `guesser` is who is counted when it is wrong.

    Raises `NotFound`, `RateLimited`.
    """
    code = "".join(letter for letter in user_code.upper() if letter in _LETTERS)
    throttle.check(f"device:{guesser}", None)
    found = OAuthDevice.objects.select_related("client").filter(
        user_code=code, grant=None, is_denied=False, expires_at__gte=timezone.now()).first()
    if found is None:
        throttle.failed(f"device:{guesser}", None)
        raise NotFound("There is no device waiting with this code.")
    return found


@transactional()
def decide(device_id: int, who: SignIn, *, agrees: bool) -> None:
    """The user's answer. Raises `NotFound` when somebody answered already or time is over."""
    device = (OAuthDevice.objects.select_for_update(of=("self",)).select_related("client")
              .filter(pk=device_id, grant=None, is_denied=False, expires_at__gte=timezone.now()).first())
    if device is None:
        raise NotFound("The device does not wait any more.")
    if agrees:
        asked = Authorization(client=device.client, scope=device.scope, is_offline=scopes.OFFLINE in device.scope.split())
        device.grant = grants.make_grant(asked, who)
    device.is_denied = not agrees
    device.save(update_fields=["grant", "is_denied"])


def poll(client: OAuthClient, device_code: str) -> dict[str, Any]:
    """The tokens, when the user has agreed. Raises `OAuthError` that says whether to ask again."""
    answer = _poll(client, device_code)
    if isinstance(answer, OAuthError):
        raise answer
    return answer


@transactional()
def _poll(client: OAuthClient, device_code: str) -> dict[str, Any] | OAuthError:
    """Refusals are returned, not raised, so that what was noted stays."""
    device = (OAuthDevice.objects.select_for_update(of=("self",)).select_related("grant__user", "grant__client")
              .filter(device_hash=hash_token(device_code), client=client).first())
    if device is None:
        return invalid_grant("The device code is unknown or was used.")
    now = timezone.now()
    if device.expires_at < now:
        return OAuthError("expired_token", "The code has expired. Begin again.")
    if device.is_denied:
        return OAuthError("access_denied", "The user refused.")
    if device.grant is None:
        return _wait(device, now)
    answer = grants.issue_for_device(device.grant)
    OAuthDevice.objects.filter(pk=device.pk).delete()
    return answer


def _wait(device: OAuthDevice, now: datetime.datetime) -> OAuthError:
    is_early = device.polled_at is not None and now - device.polled_at < datetime.timedelta(seconds=device.interval_s)
    device.polled_at = now
    if is_early:
        device.interval_s = min(device.interval_s + 5, 60)
    device.save(update_fields=["polled_at", "interval_s"])
    if is_early:
        return OAuthError("slow_down", f"Ask every {device.interval_s} seconds.")
    return OAuthError("authorization_pending", "The user has not answered yet.")


def forget_expired(*, batch: int = 1000) -> int:
    """Delete up to `batch` devices whose time is over; returns how many."""
    dead = list(OAuthDevice.objects.filter(expires_at__lt=timezone.now() - LIFE).values_list("pk", flat=True)[:batch])
    OAuthDevice.objects.filter(pk__in=dead).delete()
    return len(dead)
