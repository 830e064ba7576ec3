"""What a browser session remembers while its user is away at a provider, under the random state that comes back."""

from __future__ import annotations

import secrets
import time
from typing import Any

from django.http import HttpRequest

from synnefo.astakos.handshakes.http import Refused

SLOT, BROWSER, MAX_OPEN, LIFE_S = "handshakes", "browser", 8, 900


def remember(request: HttpRequest, module: str, state: str, memory: dict[str, Any]) -> None:
    """Keep it for fifteen minutes. Of many open ones the oldest are forgotten."""
    known = {key: item for key, item in request.session.get(SLOT, {}).items() if time.time() - item["at"] < LIFE_S}
    known[state] = {**memory, "module": module, "at": time.time()}
    request.session[SLOT] = dict(sorted(known.items(), key=lambda pair: pair[1]["at"])[-MAX_OPEN:])


def recall(request: HttpRequest, module: str, state: str) -> dict[str, Any]:
    """What was remembered, once. Raises `Refused`: an answer that this browser did not ask for is nobody's sign-in."""
    known = request.session.get(SLOT, {})
    found: dict[str, Any] | None = known.pop(state, None)
    request.session[SLOT] = known
    if found is None or found["module"] != module or time.time() - found["at"] > LIFE_S:
        raise Refused("the answer belongs to no sign-in that was begun here")
    return found


def browser_secret(request: HttpRequest) -> str:
    """A secret that tells this browser's session from others, also after signing in."""
    if BROWSER not in request.session:
        request.session[BROWSER] = secrets.token_urlsafe(24)
    return str(request.session[BROWSER])
