"""Access rules of application credentials: which calls a token is held to, matched where requests arrive.

A rule names a service type, a method and a path below the service's root, such as `GET /v2.1/servers/{id}`. In a path
`*` and `{anything}` stand for a part between slashes and `**` for any parts.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlparse

from synnefo.common import registration
from synnefo.common.errors import Forbidden
from synnefo.common.ports import AccessRule

HEADER = "OpenStack-Identity-Access-Rules"
"""By this header a service says that it holds tokens to their rules."""
VERSION = "1"
_PIECES = re.compile(r"\{[^{}/]*\}|\*\*|\*|.", re.DOTALL)


def require_allowed(rules: Iterable[AccessRule] | None, method: str, path: str) -> None:
    """Raises `Forbidden` when there are rules and none allows the call. `path` is the request's whole path."""
    if rules is None:
        return
    targets = list(_targets(path))
    for rule in rules:
        if rule.method == method and any(rule.service == kind and matches(rule.path, rest) for kind, rest in targets):
            return
    raise Forbidden("The access rules of this application credential do not allow this call.")


def _targets(path: str) -> Iterator[tuple[str, str]]:
    """(service type, path below the service's root) of a request to a service of this host."""
    for component in registration.local_components():
        root = urlparse(registration.base_url_of(component)).path
        services = importlib.import_module(f"synnefo.{component}.registration").SERVICES
        for service in services.values():
            prefix = f"/{registration.join_url(root, service.get('prefix', '')).lstrip('/')}"
            if path == prefix or path.startswith(f"{prefix}/"):
                yield service["type"], path.removeprefix(prefix) or "/"


def matches(pattern: str, path: str) -> bool:
    """Whether a rule's path covers a path. Takes time in proportion to both lengths, whatever the pattern."""
    reached = {0}
    for piece in _PIECES.findall(pattern):
        reached = _advance(reached, piece, path)
        if not reached:
            return False
    return len(path) in reached


def _advance(reached: set[int], piece: str, path: str) -> set[int]:
    """The places in `path` where the pattern may be after `piece`, from where it may be before it."""
    if piece == "**":
        return set(range(min(reached), len(path) + 1))
    if piece == "*" or len(piece) > 1:
        return set(_within_part(reached, path))
    return {place + 1 for place in reached if path[place:place + 1] == piece}


def _within_part(reached: set[int], path: str) -> Iterator[int]:
    """One or more characters that are no slash."""
    is_open = False
    for place, character in enumerate(path):
        is_open = (is_open or place in reached) and character != "/"
        if is_open:
            yield place + 1
