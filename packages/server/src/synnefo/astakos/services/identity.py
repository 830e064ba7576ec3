"""What a provider told about a person, in our words: read through the provider's attribute map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from synnefo.astakos.services import users
from synnefo.astakos.services.providers import Provider
from synnefo.common.errors import Forbidden, InvalidInput
from synnefo.common.settings import conf

Claims = Mapping[str, Any]
Source = str | Callable[[Claims], Any]
PROFILE_FIELDS = ("email", "first_name", "last_name", "affiliation")
MAX_IDENTIFIER = 512
MAX_INFO_VALUE = 1000

_STANDARD: dict[str, tuple[Source, bool]] = {
    "identifier": ("sub", False), "email": ("email", True), "first_name": ("given_name", True), "last_name": ("family_name", True)}
_MAPS: dict[str, dict[str, tuple[Source, bool]]] = {
    "ldap": {"identifier": ("objectGUID", False), "email": ("mail", True), "first_name": ("givenName", True), "last_name": ("sn", True)},
    "shibboleth": {"identifier": ("remote_user", False), "email": ("mail", True), "first_name": ("first_name", True),
                   "last_name": ("last_name", True), "affiliation": ("affiliation", True)},
    "saml": {"identifier": ("name_id", False), "email": ("mail", True), "first_name": ("givenName", True), "last_name": ("sn", True)},
    "twitter": {"identifier": ("id", False), "first_name": ("first_name", True), "last_name": ("last_name", True)},
}
_INFO: dict[str, tuple[str, ...]] = {"twitter": ("screen_name",), "ldap": ("uid", "sAMAccountName", "mail"), "saml": ("mail",)}
_STANDARD_INFO = ("email", "preferred_username")


@dataclass(frozen=True, slots=True)
class Identity:
    """A person at a provider. Empty texts mean that it did not tell. `forced` names the fields of the account that follow
    the provider; `managed_groups` the groups that it decides about, `groups` those of them that the person is in.
    """

    module: str
    identifier: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    affiliation: str = ""
    forced: tuple[str, ...] = ()
    info: Mapping[str, Any] | None = None
    groups: tuple[str, ...] = ()
    managed_groups: tuple[str, ...] = ()
    is_email_trusted: bool = False
    """The provider says, and the operator believes, that the e-mail is the person's."""

    @property
    def needs_no_form(self) -> bool:
        return {"email", "first_name", "last_name"} <= set(self.forced)

    def stored(self) -> dict[str, Any]:
        """For a JSON column, without module and identifier."""
        return {name: value for name, value in asdict(self).items() if name not in {"module", "identifier"}}


def restored(module: str, identifier: str, details: Mapping[str, Any]) -> Identity:
    """The inverse of `Identity.stored`."""
    lists = {name: tuple(details[name]) for name in ("forced", "groups", "managed_groups")}
    return Identity(module, identifier, **{**details, **lists})


def attribute_map(provider: Provider) -> dict[str, tuple[Source, bool]]:
    """{field of the account: (attribute or function of all attributes, whether the user may change it)}."""
    own = provider.setting("USER_ATTR_MAP")
    if own is None and provider.alias:
        own = conf.ASTAKOS_OIDC_PROVIDERS[provider.alias].attr_map
    return {**_MAPS.get(provider.module, _STANDARD), **(own or {})}


def forced_fields(provider: Provider) -> tuple[str, ...]:
    """The fields of accounts that follow this provider."""
    return tuple(name for name, (_, mutable) in attribute_map(provider).items() if name in PROFILE_FIELDS and not mutable)


def read(
    provider: Provider, claims: Claims, *, is_email_trusted: bool = False, group_names: tuple[str, ...] = (),
    group_map: Mapping[str, str] | None = None,
) -> Identity:
    """Apply the map. Optional values that make no sense count as not told. Raises `Forbidden`, with whom to ask for help,
    when something indispensable is missing.
    """
    values: dict[str, str] = {}
    found = attribute_map(provider)
    for field, (source, mutable) in found.items():
        value = _clean(field, _first(source(claims) if callable(source) else claims.get(source)))
        if not value and not mutable:
            raise Forbidden(provider.message("MISSING_ATTRIBUTE", attribute=field.replace("_", " "), support=conf.CONTACT_EMAIL),
                            module=provider.module, field=field)
        values[field] = value
    map_ = {key.casefold(): group for key, group in (group_map or {}).items()}
    granted = {map_[name.casefold()] for name in group_names if name.casefold() in map_}
    return Identity(
        provider.module, values["identifier"], **{name: values.get(name, "") for name in PROFILE_FIELDS if name != "affiliation"},
        affiliation=values.get("affiliation") or provider.affiliation, forced=forced_fields(provider), info=_info(provider, claims),
        groups=tuple(sorted(granted)), managed_groups=tuple(sorted(set(map_.values()))), is_email_trusted=is_email_trusted)


def _first(value: Any) -> str:
    """Text of a value; of a list the first."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return "" if value is None or isinstance(value, dict | bool) else str(value).strip()


def _clean(field: str, text: str) -> str:
    """The text, or nothing when it cannot be stored in that field."""
    try:
        text.encode()
        if field == "email":
            return users.parse_email(text) if text else ""
        if field in {"first_name", "last_name"}:
            return users.parse_name(text, field)
    except (InvalidInput, UnicodeError):
        return ""
    return text if text.isprintable() and len(text) <= (MAX_IDENTIFIER if field == "identifier" else 255) else ""


def _info(provider: Provider, claims: Claims) -> dict[str, Any]:
    """The attributes that are kept with the login method."""
    names = provider.setting("PROVIDER_ATTRS") or _INFO.get(provider.module, _STANDARD_INFO)
    kept = {name: claims.get(name) for name in names}
    if provider.module == "shibboleth":
        kept |= {name: value for name, value in claims.items() if name.startswith("Shib-")}
    return {name: _short(value) for name, value in kept.items() if value is not None}


def _short(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return _short(value[0]) if len(value) == 1 else [_short(item) for item in value[:50]]
    text = _first(value)
    return text.encode("utf-8", "replace").decode().replace("\x00", "")[:MAX_INFO_VALUE]
