"""LDAP and Active Directory: search the entry, prove the password by binding as it, read its attributes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from synnefo.astakos.handshakes.http import Refused
from synnefo.astakos.provider_settings import LdapSearch
from synnefo.common.errors import DependencyUnavailable
from synnefo.common.loopback import is_loopback
from synnefo.common.settings import conf

if TYPE_CHECKING:
    from ldap.ldapobject import LDAPObject

MAX_PASSWORD = 1024
MAX_USERNAME = 254
_GUID = {"objectguid"}
"""Attributes that hold 16 bytes in the order of Active Directory."""


class WrongPassword(Exception):
    """There is no such entry, or the password is not its own: one answer for both."""


def verify(username: str, password: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """(attributes of the entry, names of its groups). Raises `WrongPassword`, `Refused`, `DependencyUnavailable`.

    An empty password never reaches the directory: it would be an anonymous bind, which succeeds.
    """
    import ldap

    if not username or not password or len(password) > MAX_PASSWORD or len(username) > MAX_USERNAME:
        raise WrongPassword
    try:
        username.encode()
        password.encode()
    except UnicodeError:
        raise WrongPassword from None
    connection = _connect()
    try:
        dn = _find(connection, username)
        _prove(connection, dn, password)
        return _attributes(connection, dn), _groups(connection, dn, username)
    except ldap.LDAPError as error:
        raise _unavailable(error) from error
    finally:
        _close(connection)


def _prove(connection: LDAPObject, dn: str, password: str) -> None:
    """Raises `WrongPassword`, also for entries that are locked, expired or have no password."""
    import ldap

    try:
        connection.simple_bind_s(dn, password)
    except (ldap.INVALID_CREDENTIALS, ldap.UNWILLING_TO_PERFORM, ldap.NO_SUCH_OBJECT, ldap.INAPPROPRIATE_AUTH,
            ldap.INVALID_DN_SYNTAX, ldap.CONSTRAINT_VIOLATION):
        raise WrongPassword from None


def _unavailable(error: Exception) -> DependencyUnavailable:
    return DependencyUnavailable("The directory does not answer.", reason=f"{type(error).__name__}: {error}"[:300])


def _close(connection: LDAPObject) -> None:
    import ldap

    try:
        connection.unbind_s()
    except ldap.LDAPError:  # the connection is gone already
        return


def _connect() -> LDAPObject:
    """A connection on which nothing was said yet, safe from listeners."""
    import ldap

    for uri in conf.AUTH_LDAP_SERVER_URI.split():
        _require_safe(uri)
    try:
        connection = ldap.initialize(conf.AUTH_LDAP_SERVER_URI)
        connection.set_option(ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, conf.AUTH_LDAP_TIMEOUT)
        connection.set_option(ldap.OPT_TIMEOUT, conf.AUTH_LDAP_TIMEOUT)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        if conf.AUTH_LDAP_CA_FILE:
            connection.set_option(ldap.OPT_X_TLS_CACERTFILE, conf.AUTH_LDAP_CA_FILE)
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        if conf.AUTH_LDAP_START_TLS:
            connection.start_tls_s()
    except ldap.LDAPError as error:
        raise _unavailable(error) from error
    return connection


def _require_safe(uri: str) -> None:
    parsed = urlparse(uri)
    is_safe = parsed.scheme in {"ldaps", "ldapi"} or conf.AUTH_LDAP_START_TLS or is_loopback(parsed.hostname or "")
    if not is_safe and not conf.AUTH_LDAP_ALLOW_PLAINTEXT:
        raise DependencyUnavailable("The sign-in method is set up wrongly.", reason=(
            f"{uri}: passwords need TLS: use ldaps:// or AUTH_LDAP_START_TLS, or set AUTH_LDAP_ALLOW_PLAINTEXT"))


def _find(connection: LDAPObject, username: str) -> str:
    """The DN of the one entry with that name. Raises `WrongPassword`, `Refused`."""
    import ldap.dn

    if conf.AUTH_LDAP_USER_DN_TEMPLATE:
        return str(conf.AUTH_LDAP_USER_DN_TEMPLATE % {"user": ldap.dn.escape_dn_chars(username)})
    if conf.AUTH_LDAP_USER_SEARCH is None:
        raise Refused("AUTH_LDAP_USER_SEARCH is not set")
    _bind_as_service(connection)
    found = _search(connection, conf.AUTH_LDAP_USER_SEARCH, {"user": username}, ["1.1"])
    if len(found) != 1:
        raise WrongPassword
    return found[0][0]


def _bind_as_service(connection: LDAPObject) -> None:
    import ldap

    if conf.AUTH_LDAP_BIND_DN:
        try:
            connection.simple_bind_s(conf.AUTH_LDAP_BIND_DN, conf.AUTH_LDAP_BIND_PASSWORD)
        except ldap.INVALID_CREDENTIALS as error:  # ours, not the visitor's
            raise _unavailable(error) from error


def _search(
    connection: LDAPObject, search: LdapSearch, values: dict[str, str], attributes: list[str]
) -> list[tuple[str, dict[str, list[bytes]]]]:
    """Entries (not referrals). What came from outside is escaped."""
    from ldap.filter import escape_filter_chars

    filter_ = search.filter % {name: escape_filter_chars(value, 1) for name, value in values.items()}
    rows = connection.search_ext_s(search.base, search.scope, filter_, attributes, sizelimit=1000, timeout=conf.AUTH_LDAP_TIMEOUT)
    return [(dn, found) for dn, found in rows if dn is not None]


def _attributes(connection: LDAPObject, dn: str) -> dict[str, Any]:
    """The entry as itself sees it, operational attributes included: the directory decides what that is."""
    rows = _search(connection, LdapSearch(base=dn, scope=0, filter="(objectClass=*)"), {}, ["*", "+"])
    if not rows:
        raise Refused(f"{dn} may not read itself")
    found: dict[str, Any] = {name: _values(name, values) for name, values in rows[0][1].items()}
    return {**found, "dn": dn}


def _values(name: str, values: list[bytes]) -> list[str]:
    if name.lower() in _GUID:
        return [str(uuid.UUID(bytes_le=value)) for value in values if len(value) == 16]
    return [value.decode("utf-8", "replace") for value in values]


def _groups(connection: LDAPObject, dn: str, username: str) -> tuple[str, ...]:
    """DNs and common names of the groups; the service's own rights are used to look."""
    if conf.AUTH_LDAP_GROUP_SEARCH is None:
        return ()
    _bind_as_service(connection)
    rows = _search(connection, conf.AUTH_LDAP_GROUP_SEARCH, {"dn": dn, "user": username}, ["cn"])
    names = {name.decode("utf-8", "replace") for _, found in rows for name in found.get("cn", [])}
    return tuple(sorted(names | {group for group, _ in rows}))
