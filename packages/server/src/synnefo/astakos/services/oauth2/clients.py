"""Clients of the authorization server: registered by operators, proven by their secrets."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable

import structlog
from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError

from synnefo.astakos.models import ClientType, OAuthClient, OAuthRedirect
from synnefo.astakos.services import audit, passwords, throttle
from synnefo.astakos.services.oauth2 import grants, redirects
from synnefo.astakos.services.oauth2.errors import OAuthError, invalid_client
from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, InvalidInput, NotFound

log = structlog.get_logger(__name__)
_IDENTIFIER = re.compile(r"^[\x21-\x7e]{1,255}$")
_GENERATED = "sha256$"


def add(identifier: str, urls: Iterable[str], *, name: str = "", secret: str = "", type_: str = ClientType.CONFIDENTIAL,
        is_trusted: bool = False) -> tuple[OAuthClient, str, list[str]]:
    """Register a client; returns it, its secret when one was generated, and the URLs that were left out because they may
    not be redirect addresses. Raises `InvalidInput`, `AlreadyExists`.
    """
    if not _IDENTIFIER.match(identifier) or ":" in identifier:
        raise InvalidInput("An identifier has 1 to 255 ASCII characters without spaces and colons.", field="identifier")
    good, bad = _sorted(urls)
    if not good:
        raise InvalidInput("Give at least one redirect address that may be used (--url).", field="url")
    client = OAuthClient(identifier=identifier, name=name.strip()[:255], type=type_, is_trusted=is_trusted)
    fresh = ""
    if type_ == ClientType.CONFIDENTIAL:
        fresh = "" if secret else secrets.token_urlsafe(48)
        client.secret_hash = make_password(secret) if secret else _digest(fresh)
    elif secret:
        raise InvalidInput("A public client keeps no secret.", field="secret")
    try:
        _insert(client, good)
    except IntegrityError as error:
        raise AlreadyExists(f"There is already a client {identifier}.") from error
    return client, fresh, bad


def _sorted(urls: Iterable[str]) -> tuple[list[str], list[str]]:
    good, bad = [], []
    for url in urls:
        try:
            good.append(redirects.normalise(url))
        except OAuthError:
            bad.append(url)
    return list(dict.fromkeys(good)), bad


def _digest(secret: str) -> str:
    return _GENERATED + hashlib.sha256(secret.encode()).hexdigest()


@transactional()
def _insert(client: OAuthClient, urls: list[str]) -> None:
    client.pk = None
    client.save(force_insert=True)
    OAuthRedirect.objects.bulk_create(
        OAuthRedirect(client=client, url=url, url_hash=hashlib.sha256(url.encode()).hexdigest()) for url in urls)
    audit.record("oauth2.client.added", actor=audit.OPERATOR, target=client.identifier, type=client.type, trusted=client.is_trusted)


@transactional()
def remove(text: str) -> None:
    """With its addresses, codes and tokens; `text` is its number or identifier. Raises `NotFound`."""
    client = find(text)
    if client is None and re.fullmatch(r"[0-9]{1,18}", text):
        client = OAuthClient.objects.filter(pk=int(text)).first()
    if client is None:
        raise NotFound(f"There is no client {text}. Try: snf-manage oauth2-client-list")
    grants.revoke_all(client)
    audit.record("oauth2.client.removed", actor=audit.OPERATOR, target=client.identifier)
    client.delete()


def find(identifier: str) -> OAuthClient | None:
    return OAuthClient.objects.filter(identifier=identifier[:256]).first() if "\x00" not in identifier else None


def urls_of(client: OAuthClient) -> list[str]:
    """The registered redirect addresses, the first one first."""
    return list(client.redirects.values_list("url", flat=True))


def authenticate(identifier: str, secret: str | None, *, client_ip: str | None, is_basic: bool) -> OAuthClient:
    """The client, proven by its secret; a public one has none to show. Raises `OAuthError`, `RateLimited`."""
    client = find(identifier)
    if client is not None and client.is_public and not secret:
        return client
    if secret is None:
        raise invalid_client("The client must authenticate.", is_challenge=is_basic)
    key = f"oauth2-client:{identifier}"
    throttle.check(key, client_ip)
    if client is None or client.is_public or not is_right(client, secret):
        throttle.failed(key, client_ip)
        log.info("oauth2.client.refused", client_ip=client_ip)
        raise invalid_client("The client is unknown or its secret is wrong.", is_challenge=is_basic)
    return client


def is_right(client: OAuthClient, secret: str) -> bool:
    if client.secret_hash.startswith(_GENERATED):
        return secrets.compare_digest(client.secret_hash, _digest(secret))
    return len(secret) <= passwords.MAX_LENGTH and check_password(secret, client.secret_hash)
