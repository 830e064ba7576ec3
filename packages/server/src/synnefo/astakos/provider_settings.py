"""Settings of the sign-in providers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from synnefo.common.settings import conf

AttributeMap = dict[str, tuple[str | Callable[..., Any], bool]]
Alias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]


class OidcOptions(BaseModel):
    """One OpenID Connect provider. `nonce` and `pkce` are only for providers that cannot do them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    issuer: str
    client_id: str
    client_secret: str = ""
    scopes: list[str] = ["openid", "profile", "email"]
    title: str = ""
    icon: str = ""
    attr_map: AttributeMap = {}
    groups_claim: str = ""
    group_map: dict[str, str] = {}
    trust_email: bool = False
    pkce: bool = True
    nonce: bool = True


class LdapSearch(BaseModel):
    """Where and how to look in a directory. `%(user)s` in the filter is the escaped username, `%(dn)s` the user's entry."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    base: str
    scope: Annotated[int, Field(ge=0, le=2)] = 2
    """0 the entry itself, 1 one level, 2 the whole subtree."""
    filter: str


_SCOPES = {"base": 0, "onelevel": 1, "subtree": 2}


def _search(value: Any) -> Any:
    """From (base, scope, filter), or from an object with base_dn, scope and filterstr."""
    if hasattr(value, "filterstr"):
        value = (value.base_dn, value.scope, value.filterstr)
    if isinstance(value, list | tuple) and len(value) == 3:
        scope = _SCOPES.get(value[1].lower(), value[1]) if isinstance(value[1], str) else value[1]
        return {"base": value[0], "scope": scope, "filter": value[2]}
    return value


Search = Annotated[LdapSearch, BeforeValidator(_search)]


def _declare(name: str, type_: Any, default: Any, help_: str, **extra: Any) -> None:
    conf.declare("astakos", name, type_, default, help_, **extra)


_declare("ASTAKOS_IM_MODULES", Annotated[list[str], Field(min_length=1)], ["local"],
         "Sign-in providers, the primary one first: local, ldap, shibboleth, google, twitter, linkedin, saml, oidc:<alias>.")
_declare("ASTAKOS_ENABLE_LOCAL_ACCOUNT_MIGRATION", bool, True,
         "Somebody who comes by another provider may ask for a mail that links it to the account of the same e-mail.")
_declare("ASTAKOS_OIDC_PROVIDERS", dict[Alias, OidcOptions], {},
         "OpenID Connect providers by alias: issuer, client_id, client_secret, scopes, title, icon, attr_map, groups_claim, "
         "group_map, trust_email, pkce, nonce. Enable them as oidc:<alias> in ASTAKOS_IM_MODULES.", secret=True)

_declare("ASTAKOS_GOOGLE_CLIENT_ID", str, "", "Client id at Google.")
_declare("ASTAKOS_GOOGLE_CLIENT_SECRET", str, "", "Client secret at Google.", secret=True)
_declare("ASTAKOS_GOOGLE_ISSUER", str, "https://accounts.google.com", "Issuer of Google's ID tokens.")
_declare("ASTAKOS_LINKEDIN_TOKEN", str, "", "Client id at LinkedIn.")
_declare("ASTAKOS_LINKEDIN_SECRET", str, "", "Client secret at LinkedIn.", secret=True)
_declare("ASTAKOS_LINKEDIN_ISSUER", str, "https://www.linkedin.com/oauth", "Issuer of LinkedIn's ID tokens.")
_declare("ASTAKOS_TWITTER_TOKEN", str, "", "OAuth2 client id at Twitter.")
_declare("ASTAKOS_TWITTER_SECRET", str, "", "OAuth2 client secret at Twitter; empty for a public client.", secret=True)
_declare("ASTAKOS_TWITTER_AUTH_FORCE_LOGIN", bool, False, "Ask Twitter to let people type their password again.")
_declare("ASTAKOS_TWITTER_AUTHORIZE_URL", str, "https://x.com/i/oauth2/authorize", "Where Twitter asks people.")
_declare("ASTAKOS_TWITTER_TOKEN_URL", str, "https://api.x.com/2/oauth2/token", "Where Twitter gives tokens.")
_declare("ASTAKOS_TWITTER_USER_URL", str, "https://api.x.com/2/users/me", "Where Twitter tells who signed in.")

_declare("ASTAKOS_SHIBBOLETH_MIGRATE_EPPN", bool, False,
         "Login methods that were stored under a user's eppn are stored under Remote-User at the next sign-in.")
_declare("ASTAKOS_SHIBBOLETH_REQUIRE_NAME_INFO", bool, False, "Refuse people whose institution tells no name.")
_declare("ASTAKOS_SHIBBOLETH_SHARED_SECRET", str, "",
         "Shibboleth headers are believed when X-Shibboleth-Secret is this, besides from TRUSTED_PROXIES.", secret=True)
_declare("SHIBBOLETH_TEST_REMOTE_USER", str, "", "With DEBUG only: stands in for the header Remote-User.")
_declare("SHIBBOLETH_TEST_EPPN", str, "", "With DEBUG only: stands in for the header eppn.")
_declare("SHIBBOLETH_TEST_FULLNAME", str, "", "With DEBUG only: stands in for the display name.")

_declare("ASTAKOS_SAML_IDP_METADATA", str, "", "File or https address of the SAML identity provider's metadata.")
_declare("ASTAKOS_SAML_IDP_ENTITY_ID", str, "", "Which provider of the metadata, when they describe several.")
_declare("ASTAKOS_SAML_SP_CERTIFICATE", str, "", "PEM file of our SAML certificate; empty: requests are not signed.")
_declare("ASTAKOS_SAML_SP_KEY", str, "", "PEM file of the key of that certificate.")
_declare("ASTAKOS_SAML_WANT_ASSERTIONS_SIGNED", bool, True, "Refuse assertions without a signature of their own.")
_declare("ASTAKOS_SAML_TRUST_EMAIL", bool, False, "The e-mail that the SAML provider tells counts as verified.")
_declare("ASTAKOS_SAML_GROUPS_ATTRIBUTE", str, "", "SAML attribute that names the person's groups.")
_declare("ASTAKOS_SAML_GROUP_MAP", dict[str, str], {}, "{group of the SAML provider: group here}.")

_declare("AUTH_LDAP_SERVER_URI", str, "", "The directory: ldaps://host or ldap://host, several separated by blanks.")
_declare("AUTH_LDAP_BIND_DN", str, "", "Entry that may search the directory; empty searches anonymously.")
_declare("AUTH_LDAP_BIND_PASSWORD", str, "", "Its password.", secret=True)
_declare("AUTH_LDAP_USER_SEARCH", Search | None, None,
         "Where users are: (base, scope, filter), such as ('ou=people,dc=example,dc=org', 'subtree', '(uid=%(user)s)').")
_declare("AUTH_LDAP_USER_DN_TEMPLATE", str, "", "Instead of a search: 'uid=%(user)s,ou=people,dc=example,dc=org'.")
_declare("AUTH_LDAP_GROUP_SEARCH", Search | None, None,
         "Where a user's groups are: (base, scope, filter), such as ('ou=groups,...', 'subtree', '(member=%(dn)s)').")
_declare("AUTH_LDAP_START_TLS", bool, False, "Turn an ldap:// connection into TLS before anything is said.")
_declare("AUTH_LDAP_CA_FILE", str, "", "PEM file of who signed the directory's certificate; empty: the system's list.")
_declare("AUTH_LDAP_ALLOW_PLAINTEXT", bool, False, "Send passwords to a directory on another host without TLS.")
_declare("AUTH_LDAP_TIMEOUT", Annotated[int, Field(ge=1)], 10, "Longest wait for the directory.", unit="seconds")
_declare("ASTAKOS_LDAP_GROUP_MAP", dict[str, str], {},
         "{group of the directory (its name or whole DN): group here}. Only these are given and taken by MIRROR_GROUPS.")

for _whose, _words in (("ASTAKOS_AUTH_PROVIDERS", "every provider"), ("ASTAKOS_AUTH_PROVIDER_([A-Z0-9_]+)", "that provider")):
    conf.declare_family("astakos", rf"{_whose}_(ADD|REMOVE|CREATE|LOGIN|REQUIRED|AUTOMODERATE|AUTOVERIFY|SWITCH|MIRROR_GROUPS|2FA_EXEMPT)_POLICY",
                        bool, f"Policy of {_words}: what may be done with it.")
    conf.declare_family("astakos", rf"{_whose}_(LIMIT)_POLICY", Annotated[int, Field(ge=0, le=1000)],
                        f"Identities of {_words} that an account may have.")
    conf.declare_family("astakos", rf"{_whose}_(ADD_GROUPS|CREATION_GROUPS)_POLICY", list[str],
                        f"Groups joined by linking {_words}, or by signing up with it.")
conf.declare_family("astakos", r"ASTAKOS_AUTH_PROVIDER_([A-Z0-9_]+)_USER_ATTR_MAP", AttributeMap,
                    "{field of the account: (attribute or function, whether the user may change it)} for identifier, email, "
                    "first_name, last_name and affiliation.")
conf.declare_family("astakos", r"ASTAKOS_AUTH_PROVIDER_([A-Z0-9_]+)_PROVIDER_ATTRS", list[str],
                    "Attributes of that provider that are kept with the login method.")
conf.declare_family(
    "astakos", r"ASTAKOS_AUTH_PROVIDER_([A-Z0-9_]+)_(TITLE|ICON|LOGIN_TITLE|SIGNUP_TITLE|ADD_TITLE|METHOD_PROMPT|METHOD_DETAILS|"
    r"ADDED|REMOVED|SWITCHED|FAILED|CANCELLED|UNAVAILABLE|[A-Z]+_DISABLED|LIMIT_REACHED|LAST_METHOD|REQUIRED_METHOD|IN_USE|"
    r"NO_ACCOUNT|MISSING_ATTRIBUTE|WRONG_PASSWORD|ALREADY_LINKED|REQUIRED_MISSING)", str,
    "Name, picture (path of this site) and texts of that provider, with {title}, {username}, {identifier}, {account}, {service_name}, "
    "{provider_info_<attribute>}.")
