"""Shibboleth: a SAML module of the web server in front has done the sign-in and tells the result in headers."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlparse

from django.http import HttpRequest

from synnefo.astakos.handshakes.http import Refused
from synnefo.astakos.services.providers import Provider
from synnefo.common.errors import Forbidden
from synnefo.common.settings import conf

REMOTE_USER, EPPN = "Remote-User", "eppn"
_ATTRIBUTES = {"mail": "Shib-Mail", "given_name": "Shib-InetOrgPerson-givenName", "surname": "Shib-Person-surname",
               "common_name": "Shib-Person-commonName", "display_name": "Shib-InetOrgPerson-displayName",
               "affiliation": "Shib-EP-Affiliation", "session": "Shib-Session-ID"}


def is_believed(request: HttpRequest) -> bool:
    """Whether the headers come from our own front end: everybody else can write what he likes into them."""
    secret = conf.ASTAKOS_SHIBBOLETH_SHARED_SECRET
    given = request.headers.get("X-Shibboleth-Secret", "")
    if secret and secrets.compare_digest(given.encode("utf-8", "replace"), secret.encode()):
        return True
    return request.META.get("REMOTE_ADDR", "") in conf.TRUSTED_PROXIES


def claims_of(request: HttpRequest, provider: Provider) -> dict[str, Any]:
    """The claims about the person. Raises `Refused` for headers that are not to be believed, `Forbidden` with whom to ask
    when the institution told too little.
    """
    found = _believed_headers(request)
    remote_user = found.get(REMOTE_USER.lower(), "")
    if not remote_user:
        host = urlparse(conf.ASTAKOS_BASE_URL).hostname
        raise Forbidden(f"Your institution did not tell {host} who you are. Write to {conf.CONTACT_EMAIL}.")
    claims: dict[str, Any] = {name: found.get(header.lower(), "") for name, header in _ATTRIBUTES.items()}
    claims |= {_spelled(name): value for name, value in found.items() if name.startswith("shib-")}
    first, last = _names(claims)
    if not first and not last and conf.ASTAKOS_SHIBBOLETH_REQUIRE_NAME_INFO:
        raise Forbidden(provider.message("MISSING_ATTRIBUTE", attribute="name", support=conf.CONTACT_EMAIL))
    return {**claims, "remote_user": remote_user, "eppn": found.get(EPPN, ""), "first_name": first, "last_name": last}


def _believed_headers(request: HttpRequest) -> dict[str, str]:
    if conf.DEBUG and conf.SHIBBOLETH_TEST_REMOTE_USER:
        return {"remote-user": conf.SHIBBOLETH_TEST_REMOTE_USER, "eppn": conf.SHIBBOLETH_TEST_EPPN,
                "shib-inetorgperson-displayname": conf.SHIBBOLETH_TEST_FULLNAME}
    if not is_believed(request):
        raise Refused("Shibboleth headers from a peer that is not trusted")
    return {name.lower(): _text(value) for name, value in request.headers.items()}


def _text(value: str) -> str:
    """Headers arrive as Latin-1; what is inside is UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8").strip()
    except UnicodeError:
        return value.strip()


def _spelled(lowered: str) -> str:
    """The header's usual spelling."""
    known = {header.lower(): header for header in _ATTRIBUTES.values()}
    return known.get(lowered, "-".join(part.capitalize() for part in lowered.split("-")))


def _names(claims: dict[str, Any]) -> tuple[str, str]:
    """A full name, split at its first blank, wins over its parts."""
    full = claims["display_name"] or claims["common_name"]
    if full:
        first, _, last = full.partition(" ")
        return first, last.strip()
    return claims["given_name"], claims["surname"]
