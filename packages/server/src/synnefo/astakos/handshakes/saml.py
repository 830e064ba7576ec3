"""SAML 2.0: our side of the web browser single sign-on, as a service provider of our own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from django.core.cache import cache
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.errors import OneLogin_Saml2_Error
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from synnefo.astakos.handshakes.http import TIMEOUT_S, Refused, require_tls
from synnefo.common.errors import DependencyUnavailable
from synnefo.common.settings import conf

METADATA_S, FILE_S = 4 * 3600, 60
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_NAMES = {
    "urn:oid:0.9.2342.19200300.100.1.3": "mail", "urn:oid:2.5.4.42": "givenName", "urn:oid:2.5.4.4": "sn",
    "urn:oid:2.16.840.1.113730.3.1.241": "displayName", "urn:oid:1.3.6.1.4.1.5923.1.1.1.6": "eduPersonPrincipalName",
    "urn:oid:1.3.6.1.4.1.5923.1.1.1.1": "eduPersonAffiliation",
}
"""Attributes that providers name by number."""


def metadata_url() -> str:
    return f"{conf.ASTAKOS_BASE_URL.rstrip('/')}/ui/login/saml/metadata"


def _settings(callback: str) -> dict[str, Any]:
    """What the library wants to know."""
    signs = bool(conf.ASTAKOS_SAML_SP_KEY)
    sp: dict[str, Any] = {"entityId": metadata_url(), "assertionConsumerService": {"url": callback, "binding": POST},
                          "NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"}
    if signs:
        sp |= {"x509cert": Path(conf.ASTAKOS_SAML_SP_CERTIFICATE).read_text("ascii"),
               "privateKey": Path(conf.ASTAKOS_SAML_SP_KEY).read_text("ascii")}
    security = {
        "authnRequestsSigned": signs, "wantAssertionsSigned": conf.ASTAKOS_SAML_WANT_ASSERTIONS_SIGNED, "wantNameId": True,
        "wantAttributeStatement": False, "requestedAuthnContext": False, "rejectDeprecatedAlgorithm": True,
        "allowRepeatAttributeName": True, "allowSingleLabelDomains": True, "failOnAuthnContextMismatch": False,
    }
    return {"strict": True, "sp": sp, "security": security}


def _provider_metadata() -> dict[str, Any]:
    """The identity provider by its metadata, kept for four hours, from a file for a minute. Raises `DependencyUnavailable`."""
    source, entity = conf.ASTAKOS_SAML_IDP_METADATA, conf.ASTAKOS_SAML_IDP_ENTITY_ID or None
    key = "astakos-saml-" + hashlib.sha256(f"{source} {entity}".encode()).hexdigest()[:40]
    known: dict[str, Any] | None = cache.get(key)
    if known is not None:
        return known
    parse = OneLogin_Saml2_IdPMetadataParser
    try:
        if source.startswith(("http://", "https://")):
            require_tls(source)
            found = parse.parse_remote(source, entity_id=entity, timeout=TIMEOUT_S)
        else:
            found = parse.parse(Path(source).read_bytes(), entity_id=entity)
        provider: dict[str, Any] = found["idp"]
    except DependencyUnavailable:
        raise
    except Exception as error:  # the library lets every kind of network and XML error through
        raise DependencyUnavailable("The provider does not answer.", reason=f"SAML metadata: {type(error).__name__}: {error}") from error
    cache.set(key, provider, METADATA_S if source.startswith("http") else FILE_S)
    return provider


def _auth(callback: str, form: Mapping[str, str] | None = None) -> OneLogin_Saml2_Auth:
    parsed = urlparse(callback)
    request = {"https": "on" if parsed.scheme == "https" else "off", "http_host": parsed.netloc, "script_name": parsed.path,
               "path_info": "", "get_data": {}, "post_data": dict(form or {})}
    try:
        # Only the provider itself: its metadata have no say in what we demand.
        return OneLogin_Saml2_Auth(request, {**_settings(callback), "idp": _provider_metadata()})
    except (OneLogin_Saml2_Error, OSError) as error:
        raise DependencyUnavailable("The sign-in method is set up wrongly.", reason=str(error)) from error


def begin(*, callback: str, state: str, memory: dict[str, Any], force: bool) -> str:
    """Where to send the browser. Its answer must name the request remembered here."""
    auth = _auth(callback)
    address: str = auth.login(return_to=state, force_authn=force, set_nameid_policy=True)
    memory["request"] = auth.get_last_request_id()
    return address


def finish(form: Mapping[str, str], *, callback: str, request_id: str) -> dict[str, Any]:
    """The attributes and name of the person, each assertion once. Raises `Refused`, `DependencyUnavailable`."""
    auth = _auth(callback, form)
    try:
        auth.process_response(request_id=request_id)
    except Exception as error:  # whatever malformed XML makes the library raise
        raise Refused(f"{type(error).__name__}: {error}") from error
    if auth.get_errors() or not auth.is_authenticated():
        raise Refused(f"{auth.get_errors()}: {auth.get_last_error_reason()}")
    seen = hashlib.sha256(str(auth.get_last_assertion_id()).encode()).hexdigest()
    if not cache.add(f"astakos-saml-seen-{seen}", 1, 24 * 3600):
        raise Refused("the assertion was used before")
    claims: dict[str, Any] = {_NAMES.get(name, name): values for name, values in auth.get_attributes().items()}
    return {**claims, "name_id": auth.get_nameid()}


def metadata(callback: str) -> bytes:
    """Our description for the identity provider. Raises `DependencyUnavailable` when our files cannot be read."""
    try:
        settings = OneLogin_Saml2_Settings(_settings(callback), sp_validation_only=True)
        found = settings.get_sp_metadata()
    except (OneLogin_Saml2_Error, OSError) as error:
        raise DependencyUnavailable("The sign-in method is set up wrongly.", reason=str(error)) from error
    return found if isinstance(found, bytes) else str(found).encode()
